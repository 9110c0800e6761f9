"""Draw the loss of one run by epoch."""

from cellseg.figures import learning_curves, style
from cellseg.runtime.script import running
from cellseg.tables import conditions, read

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    history = read.read(snakemake.input.history)
    figure = learning_curves.run_curve(history, title=conditions.run_name(snakemake.wildcards))
    style.save(figure, [snakemake.output.pdf, snakemake.output.png])
