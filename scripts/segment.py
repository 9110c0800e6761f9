"""Cells of every image, from the predicted maps of one run."""

from cellseg import segmentation
from cellseg.script import running

with running(snakemake.log[0]):
    segmentation.segment_run(
        maps=snakemake.input.maps,
        output=snakemake.output.labels,
        settings=snakemake.params.watershed,
        threads=snakemake.threads,
    )
