"""Cells that a trained run finds in unlabelled images, for another run to learn."""

from pathlib import Path

from cellseg import models
from cellseg.apply import pseudo_labels
from cellseg.io import run_format
from cellseg.runtime import gpu_lease
from cellseg.runtime.script import running
from cellseg.study import pseudo_labels as asked

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    gpu_lease.take(snakemake.config["accelerator"])
    tuned = snakemake.input.get("tuned")
    segmentation = snakemake.params.segmentation
    if tuned:
        segmentation = run_format.read(tuned, "segmentation")["segmentation"]
    source, floor = snakemake.params.images, pseudo_labels.Floor(**snakemake.params.floor)
    run, kind = snakemake.params.run, snakemake.params.kind
    pseudo_labels.write(
        settings=pseudo_labels.settings_of_run(snakemake.input.settings),
        folder=Path(snakemake.input.weights).parent,
        segmentation=segmentation,
        prediction=snakemake.params.prediction,
        load_family=models.load,
        about=pseudo_labels.about(run, kind, snakemake.input.provenance, source, floor),
        images=asked.files(source, asked.without(snakemake.config["datasets"])),
        root=Path(source),
        known=snakemake.input.known,
        floor=floor,
        outputs=dict(snakemake.output.items()),
        threads=snakemake.threads,
    )
