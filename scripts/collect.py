"""The tables of an experiment, from the scores and histories of its runs."""

from cellseg import tables
from cellseg.files import replacing
from cellseg.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    images = tables.images(snakemake.input.metrics)
    runs = tables.with_pooled_pixels(tables.per_run(images), images)
    runs = tables.with_coco(runs, snakemake.input.coco)
    runs = tables.with_watershed(runs, snakemake.input.watershed)
    made = {
        "images": images,
        "runs": runs,
        "summary": tables.summarise(runs),
        "training": tables.training(
            snakemake.input.metrics,
            snakemake.input.histories,
            snakemake.input.settings,
            snakemake.input.provenance,
        ),
        "sizes": tables.sizes(snakemake.input.sizes),
    }
    for name, table in made.items():
        with replacing(snakemake.output[name]) as temporary:
            table.to_csv(temporary, index=False)
