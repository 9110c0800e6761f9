"""Predict the maps or cells of whole images with one trained network."""

import json
from pathlib import Path

from cellseg import models
from cellseg.inference import run as predict_run
from cellseg.runtime import gpu_lease
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    gpu_lease.take(snakemake.config["accelerator"])
    # Of a run to be tuned, the images that it was validated with; else all.
    run = snakemake.input.get("run")
    predict_run.predict(
        settings=snakemake.input.settings,
        images=snakemake.input.images,
        only=json.loads(Path(run).read_text(encoding="utf-8"))["val_images"] if run else None,
        subsample=snakemake.params.subsample,
        sample=snakemake.params.get("sample"),
        options=snakemake.params.prediction,
        channels=snakemake.params.channels,
        load_family=models.load,
        folder=Path(snakemake.input.weights).parent,
        output=snakemake.output.maps,
        threads=snakemake.threads,
    )
