"""Scores of every image of one run, with and without small objects."""

import json
from pathlib import Path

from cellseg.runtime.script import running
from cellseg.scoring import run

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    run.score_run(
        truth=snakemake.input.truth,
        true_outlines=snakemake.input.outlines,
        images=snakemake.input.images,
        predicted=snakemake.input.predicted,
        predicted_cells=snakemake.input.cells,
        output=snakemake.output.metrics,
        coco_output=snakemake.output.coco,
        sizes_output=snakemake.output.sizes,
        condition=snakemake.params.condition,
        data_split=snakemake.params.data_split,
        min_size=snakemake.params.min_size,
        threads=snakemake.threads,
        instances=snakemake.input.get("instances") or None,
        steps=json.loads(Path(snakemake.input.run).read_text(encoding="utf-8")).get("steps"),
    )
