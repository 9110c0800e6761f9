"""Fetch a pretrained backbone from its public address and check it."""

from cellseg import pretrained
from cellseg.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    source = snakemake.params.source
    pretrained.fetch(source["url"], snakemake.output.weights, source["md5"])
