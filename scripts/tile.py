"""Training tiles of a split."""

from cellseg import cell_tables, files, made_files, resume, tiles
from cellseg.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    images = made_files.read_parquet(snakemake.input.images)
    tiles.write(
        image_keys=images["image"].tolist(),
        pictures=cell_tables.pictures(images),
        labels_path=snakemake.input.labels,
        path=snakemake.output.tiles,
        **snakemake.params.tiling,
    )
    # Tiles may be too large for Snakemake to compare: training goes by this file.
    files.write_json(snakemake.output.content, resume.fingerprint(snakemake.output.tiles))
