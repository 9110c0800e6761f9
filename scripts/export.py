"""A trained run as one file: network, thresholds, model card and an example."""

from cellseg import models
from cellseg.export import run
from cellseg.runtime import gpu_lease
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    gpu_lease.take("cpu")  # it computes next to nothing
    names = ["weights", "settings", "provenance", "segmentation", "metrics", "coco"]
    settings = snakemake.input.get("member_settings")
    provenance = snakemake.input.get("member_provenance")
    members = []
    if settings:  # of a run that is fused of others
        parts = [names.pop(0), "settings", "provenance"]
        files = zip(snakemake.input.get("weights"), settings, provenance, strict=True)
        members = [dict(zip(parts, paths, strict=True)) for paths in files]
    run.export(
        run={name: snakemake.input[name] for name in names},
        images=snakemake.input.images,
        kind=snakemake.params.kind,
        pixel_size=snakemake.params.pixel_size,
        load_family=models.load,
        output=snakemake.output.export,
        threads=snakemake.threads,
        members=members,
    )
