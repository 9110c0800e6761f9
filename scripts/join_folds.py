"""Put the networks of all folds into one run, which predicts with each of them."""

from pathlib import Path

from cellseg.runtime.script import running
from cellseg.training import joined_folds

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    joined_folds.join(
        settings=snakemake.params.settings,
        weights=list(snakemake.input.weights),
        provenances=list(snakemake.input.provenance),
        folder=Path(snakemake.output.weights).parent,
    )
