"""Draw one figure of an experiment from its tables."""

from cellseg.figures import registry, style
from cellseg.report import figure_caption
from cellseg.runtime.script import running
from cellseg.tables import conditions, folds, read

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    tables = {name: read.read(snakemake.input[name]) for name in conditions.TABLES}
    if snakemake.params.figure not in registry.BY_FOLD:
        tables = folds.joined(tables, snakemake.params.folds)
    with style.with_text(snakemake.params.figure_text):
        figure = registry.draw(
            snakemake.params.figure, tables, snakemake.params.get("question", "")
        )
    figure_caption.write(figure, snakemake.output.caption)
    style.save(figure, [snakemake.output.pdf, snakemake.output.png])
