"""True cells and label images of a split, from its outlines."""

from cellseg.data import rasterize_split
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    rasterize_split.write(
        images_table=snakemake.input.images,
        cells_table=snakemake.input.cells,
        labels_path=snakemake.output.labels,
        cells_path=snakemake.output.cells,
        overlap_policy=snakemake.params.overlap_policy,
        processes=snakemake.threads,
    )
