"""Cells of every image, from the predicted maps of one run."""

from cellseg.inference import stores
from cellseg.io import atomic, run_format
from cellseg.runtime.script import running
from cellseg.segmentation import run

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    tuned = snakemake.input.get("tuned")
    settings = snakemake.params.segmentation
    if tuned:
        settings = run_format.read(tuned, "segmentation")["segmentation"]
    run.segment_run(
        maps=snakemake.input.maps,
        labels=snakemake.output.labels,
        cells=snakemake.output.cells,
        settings=settings,
        threads=snakemake.threads,
    )
    about = {
        "condition": snakemake.params.condition,
        "tuning": snakemake.params.tuning,
        "prediction": stores.open(snakemake.input.maps).prediction,
        "segmentation": settings,
    }
    atomic.write_json(snakemake.output.settings, run_format.stamped(about))
