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
    record = json.loads(Path(run).read_text(encoding="utf-8")) if run else {}
    predict_run.predict(
        settings=snakemake.input.settings,
        images=snakemake.input.images,
        only=record.get("val_images"),
        by_member=record.get("members"),
        subsample=snakemake.params.subsample,
        sample=snakemake.params.get("sample"),
        options=snakemake.params.prediction,
        channels=snakemake.params.channels,
        load_family=models.load,
        folder=Path(snakemake.input.weights).parent,
        output=snakemake.output.maps,
        threads=snakemake.threads,
    )
