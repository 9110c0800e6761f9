"""The cells of a run as a submission to Kaggle's Sartorius competition."""

from cellseg.io import made_files
from cellseg.runtime.script import running
from cellseg.segmentation import submission

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    table = made_files.read_parquet(snakemake.input.images, columns=["image", "path"])
    files = dict(zip(table["image"], table["path"], strict=True))
    cells = submission.of_run(snakemake.input.labels, files)
    submission.write(snakemake.output.submission, cells)
