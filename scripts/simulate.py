"""Simulates a data set in the layout of LIVECell and says where its parts are."""

from pathlib import Path

from cellseg import simulate
from cellseg.files import write_json
from cellseg.script import running

with running(snakemake.log[0]):
    folder = Path(snakemake.output.folder)
    simulate.write_dataset(
        folder,
        images=snakemake.params.images,
        cell_types=snakemake.params.cell_types,
        height=snakemake.params.height,
        width=snakemake.params.width,
        seed=snakemake.params.seed,
    )
    annotations = folder / "annotations" / "LIVECell"
    content = {
        "dataset": snakemake.wildcards.dataset,
        "images": str(folder / "images"),
        "annotations": {
            split: str(annotations / f"livecell_coco_{split}.json")
            for split in ("train", "val", "test")
        },
    }
    write_json(snakemake.output.source, content)
