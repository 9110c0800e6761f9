"""Simulate a data set in the layout of LIVECell and say where its parts are."""

from cellseg import files, simulate, source
from cellseg.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    folder = snakemake.params.folder
    simulate.write_dataset(folder, **snakemake.params.simulation)
    described = source.official_layout(snakemake.wildcards.dataset, folder)
    files.write_json(snakemake.output.source, described)
