"""Fetch a pretrained backbone from its public address and check it."""

from cellseg.data import pretrained_weights
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    source = snakemake.params.source
    pretrained_weights.fetch(source["url"], snakemake.output.weights, source["md5"])
