"""Synthetic images of a split: its cells at new places and other densities."""

from cellseg.runtime.script import running
from cellseg.synthesis import writing

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    writing.write(
        images_table=snakemake.input.images,
        cells_table=snakemake.input.cells,
        source=snakemake.output.source,
        split=snakemake.wildcards.split,
        count=int(snakemake.wildcards.times),
        processes=snakemake.threads,
        **snakemake.params.synthesis,
    )
