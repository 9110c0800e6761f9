"""Draw the loss of one run by epoch."""

from cellseg import score_tables
from cellseg.figures import conditions, learning_curves, style
from cellseg.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    history = score_tables.read(snakemake.input.history)
    figure = learning_curves.run_curve(history, title=conditions.run_name(snakemake.wildcards))
    style.save(figure, [snakemake.output.pdf, snakemake.output.png])
