"""Made maps of two cell types whose best thresholds differ, for tests of thresholds by cell type.

Each image has twelve square cells. Those of type ``bright`` have 0.9 and bridges of 0.6 between
them: a threshold below that joins them in pairs. Those of type ``dim`` have 0.4, so that only a
threshold below that finds any. No threshold suits both.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cellseg.inference import map_store
from cellseg.io import atomic

OWN = {"method": "threshold-components", "interior_threshold": 0.5, "interior_smooth": 0,
       "neighbours": 4, "fill_holes_threshold": 0, "min_size": 0, "grow": 0}  # fmt: skip
TRIED = {"interior_threshold": [0.3, 0.7], "score": "msa", "by": "cell-type"}
BEST = {"bright": 0.7, "dim": 0.3}


def labels() -> np.ndarray:
    """Label image of shape (48, 64), int32."""
    painted = np.zeros((48, 64), np.int32)
    for number in range(12):
        row, column = 4 + 14 * (number // 4), 4 + 15 * (number % 4)
        painted[row : row + 8, column : column + 8] = number + 1
    return painted


def interior(kind: str) -> np.ndarray:
    """Map of shape (48, 64), float32; an image of kind ``empty`` has nothing."""
    cells = labels() > 0
    if kind != "bright":
        return np.where(cells & (kind == "dim"), 0.4, 0).astype(np.float32)
    made = np.where(cells, 0.9, 0)
    for row in (7, 21, 35):
        made[row, 12:19] = made[row, 42:49] = 0.6
    return made.astype(np.float32)


def write(folder: Path, kinds: Mapping[str, str], types: Mapping[str, str | None]) -> None:
    """Write ``predictions.zip``, ``truth.npz`` and ``images.parquet``.

    Parameters
    ----------
    kinds : kind of map by image; of kind ``empty`` there are no true cells, either
    types : cell type by image, also of images without maps
    """
    stacks = [(name, interior(kind)[..., None]) for name, kind in kinds.items()]
    map_store.write(folder / "predictions.zip", ["pixelwise/1"], stacks)
    truth = [(name, labels() * (kind != "empty")) for name, kind in kinds.items()]
    atomic.write_stack(folder / "truth.npz", truth)
    table = pd.DataFrame({"image": list(types), "cell_type": list(types.values())})
    table.to_parquet(folder / "images.parquet")
