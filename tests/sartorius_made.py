"""A simulated data set in the layout of Kaggle's Sartorius competition."""

import csv
import gzip
import zipfile
from pathlib import Path

import cv2
import numpy as np

from cellseg.data.layouts import row_runs

HEIGHT, WIDTH = 96, 128
BY_HAND = "3 2 130 1 128 1 12286 3"
"""A broken mask: pixels 3 and 4 of the first row (x = 2, 3), the first row's last pixel, the second
of the second row, and the last three of the image."""
PIXELS = [(0, 2), (0, 3), (0, 127), (1, 1), (95, 125), (95, 126), (95, 127)]
"""Rows and columns of these pixels."""
TYPES = ("shsy5y", "astro", "cort")
COLUMNS = ("id", "annotation", "width", "height", "cell_type", "plate_time", "sample_date",
           "sample_id", "elapsed_timedelta")  # fmt: skip


def write(folder: Path, images: int = 6) -> list[dict]:
    """Write so many images of each cell type, with overlapping discs; the rows of train.csv."""
    drawn = np.random.default_rng(0)
    rows = []
    (folder / "train").mkdir(parents=True)
    (folder / "test").mkdir()
    for number in range(images * len(TYPES)):
        name, cell_type = f"{number:012x}", TYPES[number % len(TYPES)]
        picture = drawn.integers(110, 146, (HEIGHT, WIDTH)).astype(np.uint8)
        for at in ((24, 30), (60, 64), (66, 74)):  # the last two overlap
            y, x = (int(value) for value in at + drawn.integers(-6, 7, 2))
            disc = np.zeros((HEIGHT, WIDTH), np.uint8)
            cv2.circle(disc, (x, y), 11, 1, -1)
            picture[disc > 0] = drawn.integers(180, 220)
            rows.append(row(name, row_runs.write(disc > 0), cell_type, number // (2 * len(TYPES))))
        cv2.imwrite(str(folder / f"train/{name}.png"), picture)
    rows.append(row(rows[0]["id"], BY_HAND, rows[0]["cell_type"], 0))
    cv2.imwrite(str(folder / "test/7ae19de7bc2a.png"), np.full((HEIGHT, WIDTH), 128, np.uint8))
    table(folder / "train.csv", rows)
    return rows


def row(name: str, annotation: str, cell_type: str, sample: int) -> dict:
    size = {"width": WIDTH, "height": HEIGHT}
    sample_id = f"{cell_type}[diff]_E{sample}-4_Vessel-714_Ph_3"
    return {"id": name, "annotation": annotation, **size, "cell_type": cell_type,
            "plate_time": "11h30m00s", "sample_date": "2019-06-16", "sample_id": sample_id,
            "elapsed_timedelta": "0 days 11:30:00"}  # fmt: skip


def table(path: Path, rows: list[dict], columns=COLUMNS) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def pack_table(folder: Path, suffix: str) -> None:
    """Replace train.csv by train.csv.gz or train.csv.zip."""
    path = folder / "train.csv"
    if suffix == ".gz":
        (folder / "train.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    else:
        with zipfile.ZipFile(folder / "train.csv.zip", "w") as archive:
            archive.write(path, "train.csv")
    path.unlink()


def pack(folder: Path, archive: Path) -> None:
    """The folder as one archive, with LIVECell next to it as Kaggle's has."""
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder))
        file.writestr("LIVECell_dataset_2021/images/a.tif", b"not unpacked")
