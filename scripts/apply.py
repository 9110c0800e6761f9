"""Segment images of one's own with a trained run."""

from cellseg import models
from cellseg.apply import run
from cellseg.runtime import gpu_lease
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    gpu_lease.take(snakemake.config["accelerator"])
    run.apply(
        settings=snakemake.params.apply,
        load_family=models.load,
        outputs=dict(snakemake.output.items()),
        threads=snakemake.threads,
    )
