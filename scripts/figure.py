"""Draw one figure of an experiment from its tables."""

from cellseg.figures import registry, style
from cellseg.runtime.script import running
from cellseg.tables import conditions, read

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    tables = {name: read.read(snakemake.input[name]) for name in conditions.TABLES}
    figure = registry.draw(snakemake.params.figure, tables, snakemake.params.get("question", ""))
    style.save(figure, [snakemake.output.pdf, snakemake.output.png])
