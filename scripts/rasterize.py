"""Label images of a split, from its outlines."""

from cellseg import labels
from cellseg.script import running

with running(snakemake.log[0]):
    labels.write(
        images_table=snakemake.input.images,
        cells_table=snakemake.input.cells,
        path=snakemake.output.labels,
        overlap=snakemake.params.overlap,
        processes=snakemake.threads,
    )
