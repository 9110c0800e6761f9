"""Draw the scores of a search's trials by the settings that were searched."""

from cellseg.figures import search, style
from cellseg.runtime.script import running
from cellseg.study import searches
from cellseg.tables import read

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    trials = read.read(snakemake.input.trials, searches.COLUMNS)
    figure = search.search(trials, snakemake.params.search)
    style.save(figure, [snakemake.output.pdf, snakemake.output.png])
