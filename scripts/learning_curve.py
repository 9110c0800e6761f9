"""Draw the loss of one run by epoch."""

from cellseg.figures import conditions, learning_curves, style
from cellseg.script import running

with running(snakemake.log[0]):
    history = conditions.read_table(snakemake.input.history)
    figure = learning_curves.run_curve(history, title=conditions.run_name(snakemake.wildcards))
    style.save(figure, [snakemake.output.pdf, snakemake.output.png])
