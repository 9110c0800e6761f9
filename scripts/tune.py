"""Segmentation settings that suit one run best, on the images that it was validated with."""

from cellseg.runtime.script import running
from cellseg.tuning import run

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    run.tune(
        maps=snakemake.input.maps,
        truths=snakemake.input.truths,
        tuning=snakemake.params.tuning,
        segmentation=snakemake.params.segmentation,
        chosen=snakemake.output.chosen,
        tried=snakemake.output.tried,
        threads=snakemake.threads,
        images=snakemake.input.images,
    )
