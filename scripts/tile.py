"""Training tiles of a split."""

from cellseg.data import annotation_tables, frames, tiles
from cellseg.io import atomic, made_files
from cellseg.runtime.script import running
from cellseg.training import checkpoint

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    images = made_files.read_parquet(snakemake.input.images)
    tiling = dict(snakemake.params.tiling)
    write = tiles.write if tiling["mode"] in tiles.MODES else frames.write
    write(
        image_keys=images["image"].tolist(),
        pictures=annotation_tables.pictures(images),
        labels_path=snakemake.input.labels,
        path=snakemake.output.tiles,
        **{key: value for key, value in tiling.items() if write is tiles.write},
    )
    # Tiles may be too large for Snakemake to compare: training goes by this file.
    atomic.write_json(snakemake.output.content, checkpoint.fingerprint(snakemake.output.tiles))
