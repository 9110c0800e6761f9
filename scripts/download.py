"""Fetches the published LIVECell and says where its parts are."""

from cellseg import files, livecell, source
from cellseg.script import running

with running(snakemake.log[0]):
    settings = snakemake.params.download
    groups = settings["annotations"]
    livecell.fetch_dataset(
        base_url=settings["base_url"],
        files=[name for group in groups for name in livecell.ANNOTATIONS[group]],
        folder=snakemake.params.folder,
        manifest=snakemake.params.manifest,
        checksums=settings.get("checksums"),
        retries=settings.get("retries", 4),
    )
    described = source.official_layout(snakemake.wildcards.dataset, snakemake.params.folder)
    files.write_json(snakemake.output.source, described)
