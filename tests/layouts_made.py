"""Small data sets in the layouts of public ones."""

import json
from pathlib import Path

import cv2
import numpy as np
import tifffile

SIZE = (40, 48)
LAYOUTS = {
    "cellpose": ["cellpose"],
    "stardist": ["stardist"],
    "usiigaci": ["usiigaci"],
    "evican": ["evican"],
    "cell-tracking-challenge": ["01", "02", "03", "04"],
}
"""By layout, the folders below that of :func:`every` that hold its images."""


def labels(number: int) -> np.ndarray:
    """Two cells, elsewhere in each image."""
    made = np.zeros(SIZE, np.uint16)
    made[2 + number : 12 + number, 4:16] = 3
    made[20:30, 20 + number : 30 + number] = 8
    return made


def picture(number: int) -> np.ndarray:
    return np.where(labels(number) > 0, 200, 100 + number).astype(np.uint8)


def every(folder: Path, images: int) -> None:
    """All layouts in one folder, each with so many images."""
    for number in range(images):
        cellpose(folder / "cellpose", number)
        stardist(folder / "stardist", number)
        usiigaci(folder / "usiigaci/train", number)
        frame(folder, f"{number % 4 + 1:02}", number, number)
    evican(
        folder / "evican", {"train": range(images - 2), "val": [images - 2], "eval": [images - 1]}
    )


def write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array)


def cellpose(folder: Path, number: int, ending: str = "_img") -> None:
    write(folder / f"wells_{number:03}{ending}.tif", picture(number))
    write(folder / f"wells_{number:03}_masks.tif", labels(number))


def stardist(folder: Path, number: int) -> None:
    write(folder / f"images/{number:03}.tif", picture(number))
    write(folder / f"masks/{number:03}.tif", labels(number))


def usiigaci(folder: Path, number: int, image: str = "raw.tif") -> None:
    own = folder / f"set{number + 1}"
    own.mkdir(parents=True)
    if image.endswith(".tif"):
        tifffile.imwrite(own / image, picture(number))
    else:
        cv2.imwrite(str(own / image), picture(number))
    cv2.imwrite(str(own / "instances_ids.png"), labels(number).astype(np.uint8))


def frame(
    folder: Path, sequence: str, time: int, number: int, gold=(3, 8), silver=False, markers=True
) -> None:
    """A frame of the Cell Tracking Challenge.

    Parameters
    ----------
    gold : labels that people segmented; None for no file
    silver : whether there is a segmentation by programs
    """
    whole = labels(number)
    write(folder / sequence / f"t{time:03}.tif", picture(number))
    if gold is not None:
        some = np.where(np.isin(whole, gold), whole, 0).astype(np.uint16)
        write(folder / f"{sequence}_GT/SEG/man_seg{time:03}.tif", some)
    if silver:
        write(folder / f"{sequence}_ST/SEG/man_seg{time:03}.tif", whole)
    if markers:
        centres = np.zeros_like(whole)
        centres[7 + number, 8], centres[25, 25 + number] = 1, 2  # tracks have other numbers
        write(folder / f"{sequence}_GT/TRA/man_track{time:03}.tif", centres)


def evican(folder: Path, parts) -> None:
    """Files of EVICAN: cells as polygons, each with a nucleus inside.

    Parameters
    ----------
    parts : numbers of images by train, val and eval
    """
    for part, numbers in parts.items():
        images, annotations = [], []
        for number in numbers:
            name = f"{number:03}.jpg"
            path = folder / f"EVICAN_{part}2019/{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture(number))
            height, width = SIZE
            images.append({"id": number, "file_name": name, "height": height, "width": width})
            for category, inset in ((1, 0), (2, 3)):
                box = [4 + inset, 2 + number + inset, 16 - inset, 12 + number - inset]
                x0, y0, x1, y1 = box
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": number, "category_id": category,
                     "segmentation": [[x0, y0, x1, y0, x1, y1, x0, y1]], "iscrowd": 0}
                )  # fmt: skip
        categories = [{"id": 1, "name": "Cell"}, {"id": 2, "name": "Nucleus"}]
        content = {"images": images, "annotations": annotations, "categories": categories}
        level = "_easy" if part == "eval" else ""
        (folder / f"instances_{part}2019{level}_EVICAN2.json").write_text(json.dumps(content))
