"""Draw one figure of an experiment from its tables."""

from cellseg import figures
from cellseg.figures import conditions, style
from cellseg.script import running

with running(snakemake.log[0]):
    tables = conditions.read({name: snakemake.input[name] for name in conditions.TABLES})
    figure = figures.draw(snakemake.params.figure, tables, snakemake.params.get("title"))
    style.save(figure, [snakemake.output.pdf, snakemake.output.png])
