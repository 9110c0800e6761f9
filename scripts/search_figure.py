"""Draw the scores of a search's trials by the settings that were searched."""

from cellseg.figures import search, style
from cellseg.report import figure_caption
from cellseg.runtime.script import running
from cellseg.study import searches
from cellseg.tables import read

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    trials = read.read(snakemake.input.trials, searches.COLUMNS)
    with style.with_text(snakemake.params.figure_text):
        figure = search.search(trials, snakemake.params.search)
    figure_caption.write(figure, snakemake.output.caption)
    style.save(figure, [snakemake.output.pdf, snakemake.output.png])
