"""Predict the maps of the few images that an overlay of a run shows."""

from pathlib import Path

from cellseg import families, gpu_lease, predict_run, score_tables
from cellseg.figures import shown
from cellseg.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    gpu_lease.take("cpu")  # a few images only: no GPU has been asked for
    scores = score_tables.read(snakemake.input.metrics, ["image", "f1_50"])
    chosen = shown.choose(scores, snakemake.params.shown)
    predict_run.predict(
        settings=snakemake.input.settings,
        images=snakemake.input.images,
        only=[row.image for _, row in chosen],
        every=1,
        options=snakemake.params.prediction,
        load_family=families.load,
        folder=Path(snakemake.input.weights).parent,
        output=snakemake.output.maps,
        threads=snakemake.threads,
    )
