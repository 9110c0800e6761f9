"""Features of real and synthetic images, how far apart they are, and their main components."""

from cellseg.extension import report
from cellseg.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    report.write(
        real=(snakemake.input.real_images, snakemake.input.real_labels),
        synthetic=(snakemake.input.synthetic_images, snakemake.input.synthetic_labels),
        outputs=dict(snakemake.output.items()),
        title=f"{snakemake.wildcards.dataset}: {snakemake.wildcards.times} synthetic images for "
        f"each real one of {snakemake.wildcards.split}",
        processes=snakemake.threads,
    )
