"""Predict the maps of the few images that an overlay of a run shows."""

from pathlib import Path

from cellseg import models
from cellseg.figures import shown
from cellseg.inference import run
from cellseg.runtime import gpu_lease
from cellseg.runtime.script import running
from cellseg.tables import read

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    gpu_lease.take("cpu")  # a few images only: no GPU has been asked for
    scores = read.read(snakemake.input.metrics, ["image", "f1_50"])
    chosen = shown.choose(scores, snakemake.params.shown)
    run.predict(
        settings=snakemake.input.settings,
        images=snakemake.input.images,
        only=[row.image for _, row in chosen],
        subsample=1,
        options=snakemake.params.prediction,
        channels=snakemake.params.channels,
        load_family=models.load,
        folder=Path(snakemake.input.weights).parent,
        output=snakemake.output.maps,
        threads=snakemake.threads,
    )
