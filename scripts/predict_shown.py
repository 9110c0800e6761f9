"""Predict the maps of the few images that an overlay of a run shows."""

from pathlib import Path

from cellseg import models
from cellseg.figures import shown
from cellseg.inference import kept, run
from cellseg.io import run_files
from cellseg.runtime import gpu_lease
from cellseg.runtime.script import running
from cellseg.tables import read
from cellseg.targets import head_names

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    gpu_lease.take("cpu")  # a few images only: no GPU has been asked for
    scores = read.read(snakemake.input.metrics, ["image", "f1_50"])
    chosen = [row.image for _, row in shown.choose(scores, snakemake.params.shown)]
    folder = Path(snakemake.input.weights).parent
    options, channels = snakemake.params.prediction, snakemake.params.channels
    is_instances = snakemake.wildcards.heads == head_names.INSTANCES
    predictions = run_files.INSTANCES if is_instances else run_files.PREDICTIONS
    # Most of the time of a prediction on so few images is the start of TensorFlow.
    if not kept.copy(folder / predictions, snakemake.input.weights, chosen,
                     options, channels["stored"], snakemake.output.maps):  # fmt: skip
        run.predict(
            settings=snakemake.input.settings,
            images=snakemake.input.images,
            only=chosen,
            subsample=1,
            options=options,
            channels=channels,
            load_family=models.load,
            folder=folder,
            output=snakemake.output.maps,
            threads=snakemake.threads,
        )
