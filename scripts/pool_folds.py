"""Scores of the held-out images of all folds of an experiment together."""

from cellseg.io import csv_file
from cellseg.runtime.script import running
from cellseg.scoring import names
from cellseg.tables import collect, folds, read

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    images, runs = read.read(snakemake.input.images), read.read(snakemake.input.runs)
    tables = {"images": images, "runs": runs}
    runs = folds.joined(tables, snakemake.params.subsets)["runs"]
    runs = runs.drop(columns=list(names.COCO_SCORES))
    csv_file.write(snakemake.output.runs, runs)
    csv_file.write(snakemake.output.summary, collect.summarise(runs))
