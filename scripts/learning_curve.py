"""Draw the loss of one run by epoch."""

from cellseg.figures import learning_curves, style
from cellseg.report import figure_caption
from cellseg.runtime.script import running
from cellseg.tables import conditions, read

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    history = read.read(snakemake.input.history)
    with style.with_text(snakemake.params.figure_text):
        figure = learning_curves.run_curve(history, title=conditions.run_name(snakemake.wildcards))
    figure_caption.write(figure, snakemake.output.caption)
    style.save(figure, [snakemake.output.pdf, snakemake.output.png])
