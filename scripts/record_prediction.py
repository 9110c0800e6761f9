"""How a run was predicted, written into its folder."""

from cellseg import files
from cellseg.script import running

with running(snakemake.log[0]):
    files.write_json(snakemake.output.record, snakemake.params.prediction)
