"""Compiles what most runs compute with: PYTHONPATH=scripts python tests/compile_kernels.py

Tests copy the checkout, and what numba has compiled with it. Otherwise each copy would compile it
again, in each of its first jobs.
"""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

import cellseg
import small_training
from cellseg.data.rasterize import paint
from cellseg.data.true_cells import draw
from cellseg.runtime import compiled_kernels
from cellseg.scoring.by_size import by_octave
from cellseg.scoring.coco_average_precision import match_cells
from cellseg.scoring.objects import score_tables
from cellseg.scoring.overlaps import treatments
from cellseg.segmentation.methods import watershed
from tiny_run import WATERSHED

SIZE = 64


def of_training() -> None:
    """Draw and augment tiles."""
    for stream in small_training.streams(0):
        for _ in stream.epoch(0):
            pass


def of_results() -> None:
    """Draw, segment and score a square."""
    cells = draw([[[4.0, 4, 40, 4, 40, 40, 4, 40]]], SIZE, SIZE, np.array([1296.0]))
    labels = paint(cells)
    cell = (labels > 0).astype(np.float32)
    maps = {"inner-distance": {0: cell}, "pixelwise": {1: cell}}
    settings = {name: value for name, value in WATERSHED.items() if name != "method"}
    found, scores = watershed.segment(maps, settings)
    tables = treatments(labels, found, 15)
    score_tables(tables)
    for table in tables.values():
        by_octave(table)
    match_cells(cells, found, scores)


def main() -> None:
    compiled_kernels.forget_stale(Path(cellseg.__file__).parent)
    with ProcessPoolExecutor(max_workers=2) as pool:
        for compiled in [pool.submit(of_training), pool.submit(of_results)]:
            compiled.result()


if __name__ == "__main__":
    main()
