"""Simulate a data set in the layout of LIVECell and say where its parts are."""

from cellseg.data import sources
from cellseg.io import atomic
from cellseg.runtime.script import running
from cellseg.simulate import writing

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    folder = snakemake.params.folder
    writing.write_dataset(folder, **snakemake.params.simulation)
    described = sources.official_layout(snakemake.wildcards.dataset, folder)
    atomic.write_json(snakemake.output.source, described)
