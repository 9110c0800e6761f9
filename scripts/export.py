"""A trained run as one file: network, thresholds, model card and an example."""

from cellseg import export_run, families, gpu_lease
from cellseg.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    gpu_lease.take("cpu")  # it computes next to nothing
    names = ("weights", "settings", "provenance", "watershed", "metrics", "coco")
    export_run.export(
        run={name: snakemake.input[name] for name in names},
        images=snakemake.input.images,
        kind=snakemake.params.kind,
        load_family=families.load,
        output=snakemake.output.export,
        threads=snakemake.threads,
    )
