"""A trained run as one file: network, thresholds, model card and an example."""

from cellseg import models
from cellseg.export import run
from cellseg.runtime import gpu_lease
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    gpu_lease.take("cpu")  # it computes next to nothing
    names = ["settings", "provenance", "segmentation", "metrics", "coco"]
    given = snakemake.input
    of_members = given.get("member_settings"), given.get("member_provenance")
    parts = ("weights", "settings", "provenance")
    members = []
    if None in of_members:
        names.append("weights")
    else:  # of a run that is fused of others
        files = zip(given.get("weights"), *of_members, strict=True)
        members = [dict(zip(parts, paths, strict=True)) for paths in files]
    run.export(
        run={name: given[name] for name in names},
        images=snakemake.input.images,
        kind=snakemake.params.kind,
        pixel_size=snakemake.params.pixel_size,
        load_family=models.load,
        output=snakemake.output.export,
        threads=snakemake.threads,
        members=members,
    )
