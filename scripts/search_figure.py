"""Draw the scores of a search's trials by the settings that were searched."""

from cellseg import score_tables, searches
from cellseg.figures import search, style
from cellseg.script import running

with running(snakemake.log[0]):
    trials = score_tables.read(snakemake.input.trials, searches.COLUMNS)
    settings = snakemake.params.search
    style.save(
        search.search(trials, settings["space"], settings["title"]),
        [snakemake.output.pdf, snakemake.output.png],
    )
