"""Training tiles of a split."""

import pandas as pd

from cellseg import tiles
from cellseg.script import running

with running(snakemake.log[0]):
    images = pd.read_parquet(snakemake.input.images, columns=["image", "path", "height", "width"])
    tiles.write(
        image_keys=images["image"].tolist(),
        image_paths=images["path"].tolist(),
        shapes=list(zip(images["height"], images["width"], strict=True)),
        labels_path=snakemake.input.labels,
        path=snakemake.output.tiles,
        **snakemake.params.tiling,
    )
