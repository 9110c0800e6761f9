"""The masks of a public data set as COCO files, and where these and the images are."""

from pathlib import Path

from cellseg.data import convert, layouts
from cellseg.io import atomic
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    settings, folder = snakemake.params.settings, Path(snakemake.params.folder)
    place = convert.folder_of(Path(settings["path"]), folder / "unpacked")
    found = layouts.read(snakemake.params.layout, place)
    described = convert.write(snakemake.wildcards.dataset, found, settings["split"], folder)
    atomic.write_json(snakemake.output.source, described)
