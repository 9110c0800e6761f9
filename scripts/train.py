"""Train one network: one point on the axes model, heads, subset and seed."""

from functools import partial
from pathlib import Path

from cellseg import models
from cellseg.io import progress_file
from cellseg.runtime import gpu_lease
from cellseg.runtime.script import running
from cellseg.scoring import found_nothing
from cellseg.study import segmentation_methods
from cellseg.training import run

settings = snakemake.params.settings
chosen = {
    "segmentation": snakemake.config["segmentation"],
    "segmentation_by_heads": snakemake.config["segmentation_by_heads"],
}
segmentation = segmentation_methods.settings_for(chosen, "+".join(settings["heads"]))

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    progress_file.remove(Path(snakemake.output.weights).parent)  # what an earlier attempt wrote
    gpu_lease.take(snakemake.config["accelerator"])
    run.train(
        settings=settings,
        tiles={"train": snakemake.input.train_tiles, "val": snakemake.input.val_tiles},
        images=[snakemake.input.train_images, snakemake.input.val_images],
        extension=list(snakemake.input.get("extension_tiles", [])),
        weights=snakemake.input.get("weights") or None,
        code=snakemake.params.code,
        family=models.load(settings["model"]),
        folder=Path(snakemake.output.weights).parent,
        threads=snakemake.threads,
        check=partial(found_nothing.say_after_training, method=segmentation["method"]),
    )
