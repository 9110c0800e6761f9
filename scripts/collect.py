"""The tables of an experiment, from the scores and histories of its runs."""

from cellseg.io import csv_file
from cellseg.runtime.script import running
from cellseg.tables import collect

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    images = collect.images(snakemake.input.metrics)
    runs = collect.with_pooled_pixels(collect.per_run(images), images)
    runs = collect.with_coco(runs, snakemake.input.coco)
    runs = collect.with_segmentation(runs, snakemake.input.segmentation)
    made = {
        "images": images,
        "runs": runs,
        "summary": collect.summarise(runs),
        "training": collect.training(
            snakemake.input.trained,
            snakemake.input.histories,
            snakemake.input.settings,
            snakemake.input.provenance,
        ),
        "sizes": collect.sizes(snakemake.input.sizes),
    }
    for name, table in made.items():
        csv_file.write(snakemake.output[name], table)
