"""Fetch the published LIVECell and say where its parts are."""

from cellseg.data import livecell, livecell_files, sources
from cellseg.io import atomic
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    settings = snakemake.params.settings
    dataset = snakemake.config["datasets"][snakemake.wildcards.dataset]
    livecell.fetch_dataset(
        base_url=settings["url"],
        files=livecell_files.files_of(settings["annotations"]),
        folder=snakemake.params.folder,
        manifest=snakemake.params.manifest,
        checksums=dataset["checksums"],
        retries=dataset["retries"],
    )
    described = sources.official_layout(snakemake.wildcards.dataset, snakemake.params.folder)
    atomic.write_json(snakemake.output.source, described)
