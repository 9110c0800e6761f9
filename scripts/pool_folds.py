"""Scores of the held-out images of all folds of an experiment together."""

from cellseg.io import csv_file
from cellseg.runtime.script import running
from cellseg.tables import collect, folds, read

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    images = folds.pooled(read.read(snakemake.input.images, []), snakemake.params.subsets)
    runs = collect.with_pooled_pixels(collect.per_run(images), images)
    csv_file.write(snakemake.output.runs, runs)
    csv_file.write(snakemake.output.summary, collect.summarise(runs))
