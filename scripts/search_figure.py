"""Draw the scores of a search's trials by the settings that were searched."""

from cellseg import score_tables, searches
from cellseg.figures import search, style
from cellseg.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    trials = score_tables.read(snakemake.input.trials, searches.COLUMNS)
    figure = search.search(trials, snakemake.params.search)
    style.save(figure, [snakemake.output.pdf, snakemake.output.png])
