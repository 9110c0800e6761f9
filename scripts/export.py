"""A trained run as one file: network, thresholds, model card and an example."""

from cellseg import models
from cellseg.export import run
from cellseg.runtime import gpu_lease
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    gpu_lease.take("cpu")  # it computes next to nothing
    names = ("weights", "settings", "provenance", "segmentation", "metrics", "coco")
    run.export(
        run={name: snakemake.input[name] for name in names},
        images=snakemake.input.images,
        kind=snakemake.params.kind,
        pixel_size=snakemake.params.pixel_size,
        load_family=models.load,
        output=snakemake.output.export,
        threads=snakemake.threads,
    )
