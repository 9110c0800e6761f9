"""Where the images and annotations of a data set on this disk lie."""

from cellseg import files, source
from cellseg.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    described = source.local(snakemake.wildcards.dataset, snakemake.params.settings)
    files.write_json(snakemake.output.source, described)
