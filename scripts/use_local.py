"""Where the images and annotations of a data set on this disk lie."""

from cellseg.data import sources
from cellseg.io import atomic
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    described = sources.local(snakemake.wildcards.dataset, snakemake.params.settings)
    atomic.write_json(snakemake.output.source, described)
