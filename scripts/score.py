"""Scores of every image of one run, with and without small objects."""

from cellseg import scoring
from cellseg.script import running

with running(snakemake.log[0]):
    scoring.score_run(
        truth=snakemake.input.truth,
        images=snakemake.input.images,
        predicted=snakemake.input.predicted,
        output=snakemake.output.metrics,
        condition=snakemake.params.condition,
        data_split=snakemake.params.data_split,
        small_objects_threshold=snakemake.params.small_objects_threshold,
        threads=snakemake.threads,
    )
