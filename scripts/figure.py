"""Draw one figure of an experiment from its tables."""

from cellseg import score_tables
from cellseg.figures import conditions, registry, style
from cellseg.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    tables = {name: score_tables.read(snakemake.input[name]) for name in conditions.TABLES}
    figure = registry.draw(snakemake.params.figure, tables, snakemake.params.get("question", ""))
    style.save(figure, [snakemake.output.pdf, snakemake.output.png])
