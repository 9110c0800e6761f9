"""All splits of a data set in one table of images, one file of labels and one of true cells."""

from cellseg.data import pooled
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    pooled.write_images(snakemake.input.images, snakemake.output.images)
    pooled.write_stack(snakemake.input.labels, snakemake.output.labels)
    pooled.write_stack(snakemake.input.cells, snakemake.output.cells)
