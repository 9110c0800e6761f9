"""What a run costs next to its network, a stage at a time: the second table of `make bench`.

On simulated frames of LIVECell's size and mean number of cells, in seconds an image: the network
itself is left out (a stand-in gives the maps), as it depends on the GPU.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from bench import frame, outlines
from cellseg.data import rasterize, true_cells
from cellseg.inference import map_store, sliding_window
from cellseg.io import atomic
from cellseg.scoring import run
from cellseg.segmentation import run as segmentation
from cellseg.targets import heads as transforms
from cellseg.tuning import run as tuning_run  # fmt: skip

N_IMAGES, N_TUNED, N_TEST = 48, 6, 1512
CHANNELS = ["inner-distance/0", "pixelwise/1"]
WATERSHED = {
    "method": "watershed",
    "maxima_threshold": 0.1, "maxima_smooth": 0, "interior_threshold": 0.3,
    "distance_threshold": 0.01, "interior_smooth": 1, "radius": 2, "peaks": "h_maxima",
    "fill_holes_threshold": 15, "min_size": 0,
}  # fmt: skip
GRID = {
    "maxima_threshold": [0.02, 0.04, 0.07, 0.1, 0.15], "maxima_smooth": [0, 1],
    "interior_threshold": [0.2, 0.3, 0.4, 0.5, 0.6], "interior_smooth": [0, 1, 2],
    "min_size": [0, 15], "score": "msa",
}  # fmt: skip


def network_output(image: np.ndarray, seed: int) -> np.ndarray:
    """Blurred, noisy targets through a sigmoid, (H, W, 2) float32."""
    random = np.random.default_rng(seed)
    clean = [transforms.inner_distance(image), transforms.pixelwise(image)[..., 1]]
    maps = []
    for one in clean:
        noise = ndimage.gaussian_filter(random.normal(size=image.shape), 2)
        blurred = ndimage.gaussian_filter(one.astype(np.float32), 1.5)
        maps.append(1 / (1 + np.exp(-6 * (blurred + 0.3 * noise - 0.5))))
    return np.stack(maps, axis=-1).astype(np.float32)


def timed(function: Callable[[], object], n_images: int) -> float:
    """Seconds an image, the better of two passes."""
    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        with open("/dev/null", "w") as nowhere, contextlib.redirect_stdout(nowhere):
            function()
        seconds.append((time.perf_counter() - begun) / n_images)
    return min(seconds)


def stages(folder: Path) -> dict[str, Callable[[], object]]:
    """What is timed, in the order of a run; each stage reads what the one before wrote."""
    names = [f"image-{number:02}" for number in range(N_IMAGES)]
    image = frame(320)
    maps = [network_output(image, seed) for seed in range(4)]
    polygons = outlines(image)
    cells = true_cells.draw(polygons, *image.shape)
    atomic.write_stack(folder / "truth.npz", ((name, rasterize.paint(cells)) for name in names))
    atomic.write_stack(
        folder / "outlines.npz",
        (array for name in names for array in true_cells.arrays(name, cells)),
    )
    pd.DataFrame({"image": names, "cell_type": "A172"}).to_parquet(folder / "images.parquet")
    grey = (100 + 50 * (image > 0)).astype(np.uint8)

    def windows(tiles: np.ndarray) -> dict[str, np.ndarray]:
        return {"inner-distance": tiles, "pixelwise": np.concatenate([tiles] * 3, axis=-1)}

    def store(file: str = "predictions.zip", count: int = N_IMAGES) -> None:
        pairs = ((name, maps[number % 4]) for number, name in enumerate(names[:count]))
        map_store.write(folder / file, CHANNELS, pairs)

    store("few.zip", N_TUNED)

    def score(threads: int) -> None:
        run.score_run(
            truth=folder / "truth.npz", true_outlines=folder / "outlines.npz",
            images=folder / "images.parquet", predicted=folder / "labels.npz",
            predicted_cells=folder / "cells.parquet", output=folder / "metrics.csv",
            coco_output=folder / "coco.csv", sizes_output=folder / "sizes.csv",
            condition=dict.fromkeys(run.CONDITION, 0), data_split="test",
            min_size=15, threads=threads,
        )  # fmt: skip

    def segment(threads: int) -> None:
        segmentation.segment_run(
            folder / "predictions.zip",
            folder / "labels.npz",
            folder / "cells.parquet",
            WATERSHED,
            threads,
        )

    def tune() -> None:
        tuning_run.tune(
            folder / "few.zip", [folder / "truth.npz"], GRID, WATERSHED,
            folder / "chosen.json", folder / "tried.csv", threads=2,
        )  # fmt: skip

    return {
        "predict: windows, normalisation, blending": lambda: [
            sliding_window.predict_image(windows, grey, 256, 64, "whole-image") for _ in names
        ],
        "predict: store the maps": store,
        "segment, 1 thread": lambda: segment(1),
        "segment, 2 threads": lambda: segment(2),
        "score, 1 process": lambda: score(1),
        "score, 2 processes": lambda: score(2),
        "tune, 301 combinations, 2 threads": tune,
    }


COLD = """
import time; begun = time.perf_counter()
import numpy as np
from cellseg.scoring import metrics
from cellseg.segmentation import watershed
labels = np.kron(np.arange(1, 7).reshape(2, 3), np.ones((9, 9))).astype(np.int32)
maps = np.random.default_rng(0).random(labels.shape).astype(np.float32)
metrics.score_image(labels, watershed.segment(maps, maps))
print(time.perf_counter() - begun)
"""


def cold_start() -> tuple[float, float]:
    """Seconds until a first image is segmented and scored: kernels to compile, and kept ones."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        seconds = [
            float(subprocess.check_output([sys.executable, "-c", COLD], env=environment))
            for _ in range(2)
        ]
    return seconds[0], seconds[1]


def main() -> None:
    """Print the table in Markdown."""
    print(f"\n| a run, without its network | ms an image | minutes for {N_TEST} images |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for stage, function in stages(Path(folder)).items():
            seconds = timed(function, N_TUNED if stage.startswith("tune") else N_IMAGES)
            print(f"| {stage} | {1000 * seconds:.1f} | {seconds * N_TEST / 60:.1f} |", flush=True)
    first, later = cold_start()
    print(f"\nFirst image segmented and scored after {first:.1f} s where kernels are compiled, "
          f"{later:.1f} s where they are kept.")  # fmt: skip


if __name__ == "__main__":
    main()
