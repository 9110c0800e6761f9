"""Annotation tables of a data set, with duplicates dropped or kept."""

import json
from pathlib import Path

from cellseg.data import annotations
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    annotations.parse(
        source=json.loads(Path(snakemake.input.source).read_text(encoding="utf-8")),
        folder=Path(snakemake.output.problems).parent,
        duplicates=snakemake.params.duplicates,
        threads=snakemake.threads,
    )
