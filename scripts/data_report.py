"""Counts, problems and cell sizes of a data set, as tables and one picture."""

from cellseg.report import data_report
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    data_report.write(
        images=snakemake.input.images,
        cells=snakemake.input.cells,
        problems=snakemake.input.problems,
        outputs=dict(snakemake.output.items()),
        title=snakemake.wildcards.dataset,
        ensembles=snakemake.params.ensembles,
        figure_text=snakemake.params.figure_text,
    )
