"""Segment images of one's own with a trained run."""

from cellseg import apply_run, families, gpu_lease
from cellseg.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    gpu_lease.take(snakemake.config["accelerator"])
    apply_run.apply(
        settings=snakemake.params.apply,
        load_family=families.load,
        outputs=dict(snakemake.output.items()),
        threads=snakemake.threads,
    )
