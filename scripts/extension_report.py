"""Features of real and synthetic images, how far apart they are, and their main components."""

from cellseg.report import synthesis_report
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    synthesis_report.write(
        real=(snakemake.input.real_images, snakemake.input.real_labels),
        synthetic=(snakemake.input.synthetic_images, snakemake.input.synthetic_labels),
        outputs=dict(snakemake.output.items()),
        title=f"{snakemake.wildcards.dataset}: {snakemake.wildcards.times} synthetic images for "
        f"each real one of {snakemake.wildcards.split}",
        processes=snakemake.threads,
        figure_text=snakemake.params.figure_text,
    )
