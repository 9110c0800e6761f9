"""Cells that another program found: its label images or COCO results to the files of a run."""

import platform

import pandas as pd

from cellseg.inference.run import scored_images
from cellseg.io import atomic, made_files, run_format
from cellseg.runtime.script import running
from cellseg.segmentation import from_outside
from cellseg.study import segmentation_methods
from cellseg.training import provenance

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    table = made_files.read_parquet(snakemake.input.images)
    files = snakemake.params.files
    from_outside.import_run(
        source=files["path"],
        scores=files["scores"],
        images=scored_images(table, snakemake.params.subsample, snakemake.params.sample),
        labels=snakemake.output.labels,
        cells=snakemake.output.cells,
    )
    about = {
        "condition": snakemake.params.condition,
        "tuning": None,
        "prediction": None,
        "segmentation": {"method": segmentation_methods.OUTSIDE, **files},
    }
    atomic.write_json(snakemake.output.settings, run_format.stamped(about))
    versions = {"pandas": pd.__version__}
    made = provenance.record(files, versions, platform.processor() or "cpu", **files)
    atomic.write_json(snakemake.output.provenance, made)
