"""Predict the maps of whole images with one trained network."""

from pathlib import Path

from cellseg import families, predict_run
from cellseg.script import running

with running(snakemake.log[0]):
    predict_run.predict(
        settings=snakemake.input.settings,
        images=snakemake.input.images,
        every=snakemake.params.every,
        options=snakemake.params.prediction,
        load_family=families.load,
        folder=Path(snakemake.input.weights).parent,
        output=snakemake.output.maps,
        threads=snakemake.threads,
    )
