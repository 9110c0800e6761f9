"""Draw the best, median and worst images of an experiment with outlines, a row a condition."""

from cellseg.figures import contact_sheet, contact_sheet_cases, style
from cellseg.report import figure_caption
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    columns, rows, subtitle = contact_sheet_cases.load(
        runs=snakemake.params.runs,
        predicted=snakemake.input.predicted,
        metrics=snakemake.input.metrics,
        truth=snakemake.input.truth,
        images=snakemake.input.images,
        question=snakemake.params.question,
        tuning=snakemake.params.tuning,
        tuned_by=snakemake.params.tuned_by,
    )
    with style.with_text(snakemake.params.figure_text):
        figure = contact_sheet.contact_sheet(
            columns, rows, subtitle, contact_sheet_cases.NOTE, snakemake.params.pixel_size
        )
    figure_caption.write(figure, snakemake.output.caption)
    style.save(figure, [snakemake.output.pdf, snakemake.output.png])
