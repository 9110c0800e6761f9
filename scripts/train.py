"""Train one network: one point on the axes model, heads, subset and seed."""

from functools import partial
from pathlib import Path

from cellseg import models
from cellseg.io import progress_file
from cellseg.runtime import gpu_lease
from cellseg.runtime.script import running
from cellseg.scoring import found_nothing
from cellseg.training import pseudo_labels, run, start

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    progress_file.remove(Path(snakemake.output.weights).parent)  # what an earlier attempt wrote
    gpu_lease.take(snakemake.config["accelerator"])
    # Not by the registry of methods: a new method must not train every network again.
    segmentation = snakemake.config["segmentation_by_heads"].get(
        snakemake.wildcards.heads, snakemake.config["segmentation"]
    )
    of_run = snakemake.params.settings, snakemake.input.get("start", [])
    named = dict(snakemake.wildcards.items())
    fold_images = list(snakemake.input.get("fold_images", []))
    with start.opened(*of_run, named, snakemake.config["datasets"]) as begun:
        run.train(
            settings=snakemake.params.settings,
            tiles={"train": snakemake.input.train_tiles, "val": snakemake.input.val_tiles},
            images=[snakemake.input.train_images, snakemake.input.val_images, *fold_images],
            fold_tiles=list(snakemake.input.get("fold_tiles", [])),
            extension=list(snakemake.input.get("extension_tiles", [])),
            weights=snakemake.input.get("weights") or None,
            code=snakemake.params.code,
            family=models.load(snakemake.params.settings["model"]),
            folder=Path(snakemake.output.weights).parent,
            threads=snakemake.threads,
            check=partial(found_nothing.say_after_training, method=segmentation["method"]),
            outlines=list(snakemake.input.get("outlines", [])),
            start=begun,
            pseudo=pseudo_labels.opened(snakemake.input.get("pseudo_labels", [])),
        )
