"""Arrays on which flows and tracking are compared with cellpose, and how to have it compute them.

``tests/parity/cellpose-3.1.1.3.npz`` holds what cellpose 3.1.1.3 (PyTorch 2.13, NumPy 2.4.6, on a
CPU) made of :func:`cases`. To write it again, run::

    CELLPOSE_PYTHON=/path/to/python PYTHONPATH=scripts:tests python tests/cellpose_cases.py

Tests and ``make bench`` compare with an installed cellpose, too: that of this interpreter (``make
detectors``) or of the one that CELLPOSE_PYTHON names.
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy import ndimage

from made_labels import ellipses

PARITY = Path(__file__).resolve().parent / "parity"
STORED = PARITY / "cellpose-3.1.1.3.npz"
SETTINGS = ((0, 0.4, 200, 15), (0, 0, 200, 1), (1, 0.8, 50, 30), (-1, 0.4, 7, 5))
"""Cell threshold (logit), flow threshold, iterations, least size."""


def label_images(seed: int = 0, side: int = 48) -> dict[str, np.ndarray]:
    """Random, touching, disconnected and tiny cells: arrays (H, W), int32, by name."""
    random = np.random.default_rng(seed)
    made = {"touching": ellipses(20, side, side + 8, seed)}
    made["noise"] = random.integers(0, 12, (side // 2, side // 2)).astype(np.int32)
    smooth = ndimage.gaussian_filter(random.normal(size=(side, side)), 1.5)
    made["blobs"] = ndimage.label(smooth > 0)[0].astype(np.int32)
    pieces = made["blobs"].copy()
    pieces[pieces > 0] = (pieces[pieces > 0] - 1) % 5 + 1
    made["disconnected"] = pieces
    tiny = np.zeros((40, 40), np.int32)
    value = 0
    for height in range(1, 6):
        for width in range(1, 6):
            value += 2  # not all numbers are used
            row, column = 7 * (height - 1) + 1, 7 * (width - 1) + 1
            tiny[row : row + height, column : column + width] = value
    made["tiny"] = tiny
    places = random.uniform(0, side, (12, 2, 1, 1))
    distance = ((np.indices((side, side)) - places) ** 2).sum(axis=1)
    made["full"] = distance.argmin(axis=0).astype(np.int32) + 1
    return made


def predictions(
    labels: np.ndarray, flows: np.ndarray, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Maps as of networks that are sure, less so, and poor.

    Returns
    -------
    list of flows (H, W, 2) and logits (H, W), float32
    """
    random = np.random.default_rng(seed)
    made = []
    for noise, width in ((0, 0), (0.8, 1), (2.5, 1.5)):
        vectors = flows + noise * random.normal(size=flows.shape)
        vectors = ndimage.gaussian_filter(vectors, (width, width, 0))
        logits = np.where(labels > 0, 6, -6) + 3 * noise * random.normal(size=labels.shape)
        logits = ndimage.gaussian_filter(logits, width / 2)
        made.append((vectors.astype(np.float32), logits.astype(np.float32)))
    return made


def cases() -> dict[str, np.ndarray]:
    """What :mod:`cellpose_worker` is asked to compute."""
    from cellseg.targets.flows import flows_of

    asked: dict[str, np.ndarray] = {}
    for place, (name, labels) in enumerate(label_images().items()):
        asked[f"{name}.labels"] = labels
        for number, maps in enumerate(predictions(labels, flows_of(labels), 1)):
            at = f"{name}-{number}"
            asked[f"{at}.predicted"], asked[f"{at}.probability"] = maps
            asked[f"{at}.settings"] = np.array(SETTINGS[(number + place) % len(SETTINGS)])
    return asked


def by_cellpose(asked: Mapping[str, np.ndarray], python: str) -> dict[str, np.ndarray]:
    """What cellpose computes, in the environment of an interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/in.npz", **asked)
        command = [python, str(PARITY / "cellpose_worker.py"), f"{folder}/in.npz"]
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        subprocess.run([*command, f"{folder}/out.npz"], check=True, env=clean, capture_output=True)
        with np.load(f"{folder}/out.npz") as made:
            return {name: made[name] for name in made.files}


def main() -> None:
    """Write the stored arrays: inputs and what cellpose makes of them."""
    asked = cases()
    made = by_cellpose(asked, os.environ["CELLPOSE_PYTHON"])
    kept = {
        name: array.astype(np.float32) if array.dtype == np.float64 else array
        for name, array in made.items()
        if not name.endswith("_seconds")
    }
    np.savez_compressed(STORED, **asked, **kept)


if __name__ == "__main__":
    main()
