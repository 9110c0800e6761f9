"""Cells of every image, from the predicted maps of one run."""

from cellseg import files, made_files, map_store, segmentation
from cellseg.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    tuned = snakemake.input.get("tuned")
    settings = snakemake.params.watershed
    if tuned:
        settings = made_files.read_json(tuned, "watershed")["watershed"]
    segmentation.segment_run(
        maps=snakemake.input.maps,
        labels=snakemake.output.labels,
        cells=snakemake.output.cells,
        settings=settings,
        threads=snakemake.threads,
    )
    about = {
        "condition": snakemake.params.condition,
        "tuning": snakemake.params.tuning,
        "prediction": map_store.open(snakemake.input.maps).prediction,
        "watershed": settings,
    }
    files.write_json(snakemake.output.settings, about)
