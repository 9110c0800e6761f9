"""Maps and labels of the images that an overlay shows."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cellseg.figures import shown
from cellseg.figures.overlay import Case
from cellseg.inference import stores
from cellseg.io import run_format
from cellseg.study import segmentation_methods
from cellseg.tables import conditions, read
from cellseg.targets.instances import HEAD, Detections

Shown = tuple[str, np.ndarray]  # name of a head and its map

DETECTIONS = (
    " Boxes: the detections that the cells were painted from, coloured by score. Numbers: scores, "
    "the highest first, as far as they fit."
)
NOTE = (
    "Images are spread evenly from the best F1 at IoU 0.5 to the worst of the run, small objects "
    f"{conditions.PRIMARY}. Second line: the framed part, which holds the most true cells, "
    "enlarged three times."
)


def load(
    maps: str | Path | None,
    truth: str | Path,
    prediction: str | Path,
    metrics: str | Path,
    images: str | Path,
    method: str = segmentation_methods.DEFAULT,
    count: int = 3,
    segmentation: str | Path | None = None,
) -> list[Case]:
    """Cases of one run from the workflow's files.

    Parameters
    ----------
    maps : of :mod:`cellseg.inference.stores`; None for cells that another program found
    truth, prediction : npz of label images by image
    metrics : CSV, one row an image and treatment of small objects
    images : Parquet table with ``image``, ``path`` and ``cell_type``
    method : that found the cells; its maps are shown. Without maps it is not looked at
    count : number of images
    segmentation : JSON file of the settings that painted a detector's cells, to show its detections

    Raises
    ------
    UserError
        An image is missing from one of the files.
    """
    scores = read.read(metrics, ["image", "f1_50", "n_true", "n_pred"])
    pictures = shown.pictures_of(images)
    cases = []
    store = None if maps is None else stores.open(maps)
    settings = None
    if segmentation is not None:
        settings = run_format.read(segmentation, "segmentation")["segmentation"]
    with np.load(truth) as true, np.load(prediction) as predicted:
        for rank, row in shown.choose(scores, count):
            cases.append(
                Case(
                    heading=heading(rank, row),
                    image=shown.picture(pictures, row.image, images),
                    truth=shown.labels_of(true, row.image, truth),
                    prediction=shown.labels_of(predicted, row.image, prediction),
                    **({} if store is None else _maps(store, method, row.image)),
                    detections=None if settings is None else _painted(store, settings, row.image),
                )
            )
    return cases


def note(cases: Sequence[Case], boxes: bool) -> str:
    """What the text below an overlay says of its images, and of boxes where they are drawn."""
    detected = boxes and any(case.detections for case in cases)
    return NOTE + (DETECTIONS if detected else "")


def heading(rank: str, row: object) -> str:
    """What is written above an image: name, cell type, numbers of cells, score."""
    kind = getattr(row, "cell_type", None)
    parts = [
        f"{rank}: {row.image}",
        *([kind] if isinstance(kind, str) else []),
        f"{row.n_true:,.0f} true, {row.n_pred:,.0f} predicted cells",
        f"F1 at IoU 0.5 = {row.f1_50:.2f}" if row.f1_50 == row.f1_50 else "F1 not defined",
    ]
    return " · ".join(parts)


def _maps(store: stores.Store, method: str, image: str) -> dict[str, Shown | None]:
    """The two maps of an image that the method used, as attributes of a case."""
    entry = segmentation_methods.named(method, "segmentation.method")
    heads = [name.split("/")[0] for name in store.channels]
    found = store.read(image)

    def head(name: str) -> str | None:
        return entry.head(name, heads)

    flows = head(segmentation_methods.FLOWS)
    return {
        "markers": _map(found, entry, head(segmentation_methods.MARKERS))
        or _lengths(found, entry, flows),
        "interior": _map(found, entry, head(segmentation_methods.MASK)),
    }


def _painted(store: stores.Store, settings: Mapping, image: str) -> tuple[str, Detections]:
    """Detections that became cells of an image, as an attribute of a case."""
    from cellseg.segmentation import painted  # its kernels take seconds to load

    return "boxes and scores", painted.detections(store.read(image)[HEAD], settings)


def _map(maps: dict, method: segmentation_methods.Method, head: str | None) -> Shown | None:
    """Name of a head and its map, as the method used it."""
    if head is None:
        return None
    channel, *_ = method.channels[head]
    return head, maps[head][channel]


def _lengths(maps: dict, method: segmentation_methods.Method, head: str | None) -> Shown | None:
    """Name of a head of vectors, and their lengths: 0 outside of cells and where vectors meet."""
    if head is None:
        return None
    down, right = (maps[head][channel] for channel in method.channels[head][:2])
    return f"length of {head}", np.hypot(down, right)
