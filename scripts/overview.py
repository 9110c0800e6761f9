"""The front page of a data set's report, and the tables of times and provenance behind it."""

from pathlib import Path

from cellseg.io import csv_file
from cellseg.io.atomic import replacing
from cellseg.report import answers, origins, page, resources, scores
from cellseg.runtime.script import running
from cellseg.study import runs
from cellseg.tables import read

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    dataset = snakemake.wildcards.dataset
    shown = snakemake.params.study
    made = {
        "resources": resources.table(snakemake.params.benchmarks, shown, dataset),
        "provenance": origins.table(runs.all_runs(shown), snakemake.input.provenance),
    }
    text = page.write(
        study=shown,
        dataset=dataset,
        counts=read.read(snakemake.input.counts, ["split", "cell_type", "images", "cells"]),
        summaries=[scores.read(path) for path in snakemake.input.summaries],
        snakemake_version=snakemake.params.snakemake_version,
        folder=Path(snakemake.output.page).parent,
        **made,
    )
    first = answers.section(
        [
            answers.read(*paths)
            for paths in zip(snakemake.input.summaries, snakemake.input.comparisons, strict=True)
        ],
        {name: entry["title"] for name, entry in shown["experiments"].items()},
        next(iter(snakemake.input.picture), None),
    )
    for name, table in made.items():
        csv_file.write(snakemake.output[name], table, digits=6)
    for path, content in ((snakemake.output.answers, first), (snakemake.output.page, text)):
        with replacing(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
