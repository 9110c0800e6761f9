"""Fetch a pretrained backbone from its public address and check it."""

from cellseg import download
from cellseg.script import running

with running(snakemake.log[0]):
    source = snakemake.params.source
    download.fetch_file(source["url"], snakemake.output.weights, md5=source["md5"])
