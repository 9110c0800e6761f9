"""How much faster each stage is than the package that people use today: `make bench`.

Both sides run in turn on the same input in one process, on one thread, and the median of the ratios
of the pairs is printed: absolute times of one machine say little about another. The parity tests
show that both sides compute the same. Nothing fails here on time.
"""

import contextlib
import importlib.util
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from types import SimpleNamespace

import cv2
import numpy as np

from cellpose_cases import by_cellpose
from cellseg.data import rasterize
from cellseg.data.frames import Frames
from cellseg.data.label_folder import encode
from cellseg.scoring import metrics
from cellseg.scoring.coco_average_precision import image_matches
from cellseg.segmentation import flow_tracking, instances, star_polygons, watershed
from cellseg.segmentation.methods import threshold_components
from cellseg.targets import heads as transforms
from cellseg.targets import star_distances
from cellseg.targets.flows import flows_of
from cellseg.training.augmentation import Augmentation
from cellseg.training.batches import TilePool, TileStream
from cellseg.training.crops import CropPool

HEIGHT, WIDTH = 520, 704
REPEATS = 5
HEADS = {"inner-distance": {}, "pixelwise": {"dilation_radius": 1}}
REPRESENTATIONS = (
    HEADS,
    {"flows": {}, "fgbg": {}},
    {"star-distances": {}, "object-probability": {}},
    {"center-distance": {}, "boundary-distance": {}, "fgbg": {}},
)
COCO = "COCO scores (pycocotools)"
SLOW = {(COCO, 2500)}  # more than a minute a time: timed once


def frame(n_cells: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Ellipses on a jittered grid, many of them touching: ndarray of shape (H, W), int32."""
    random = np.random.default_rng(n_cells)
    rows = max(1, round((n_cells * height / width) ** 0.5))
    columns = -(-n_cells // rows)
    spacing = np.array([width / columns, height / rows])
    image = np.zeros((height, width), np.int32)
    for number in range(n_cells):
        grid = np.array([number % columns, number // columns]) + 0.5
        centre = (grid + random.uniform(-0.2, 0.2, 2)) * spacing
        axes = spacing.mean() * random.uniform(0.35, 0.55, 2)
        cv2.ellipse(image, (centre.tolist(), (2 * axes).tolist(), random.uniform(0, 180)),
                    number + 1, -1)  # fmt: skip
    return image


def outlines(image: np.ndarray) -> list[list[list[float]]]:
    """One polygon a cell, as in COCO."""
    found = []
    for label in np.unique(image)[1:]:
        contours, _ = cv2.findContours(
            (image == label).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        points = max(contours, key=len).reshape(-1, 2)
        if len(points) >= 3:
            found.append([(points + 0.5).ravel().astype(float).tolist()])
    return found


def compare(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    repeats: int,
    clock: Callable[[], float] = time.process_time,
) -> tuple:
    """Median milliseconds of ours, of theirs, and median ratio of the pairs.

    Of processor time, which other programs on the machine lengthen less than the clock's.
    """
    ours()  # compiles
    pairs = []
    for _ in range(repeats + (repeats > 1)):  # the first pair warms up
        times = []
        for function in (ours, theirs):
            begun = clock()
            function()
            times.append(1000 * (clock() - begun))
        pairs.append(times)
    pairs = pairs[-repeats:]
    first, second = zip(*pairs, strict=True)
    ratio = statistics.median(t / o for o, t in pairs)
    return statistics.median(first), statistics.median(second), ratio


def kernels(image: np.ndarray) -> dict[str, tuple[Callable, Callable]]:
    """Ours and theirs on one frame, by stage."""
    from deepcell.utils import transform_utils
    from deepcell_toolbox.deep_watershed import deep_watershed
    from deepcell_toolbox.metrics import ObjectMetrics
    from deepcell_toolbox.processing import pixelwise
    from pycocotools import mask
    from stardist.geometry import polygons_to_label, star_dist
    from stardist.nms import non_maximum_suppression
    from stardist.utils import edt_prob

    polygons = outlines(image)
    rays, probability = (
        star_distances.star_distances(image),
        star_distances.object_probability(image),
    )
    kept = star_polygons.suppress(rays, probability, 0.5, 0.4)
    maxima = cv2.GaussianBlur(transforms.inner_distance(image), (0, 0), 1)
    three = transforms.pixelwise(image).astype(np.float32)
    interior = np.ascontiguousarray(three[..., 1])
    maps = [maxima[None, ..., None], interior[None, ..., None]]
    predicted = np.roll(image, 2, axis=1)

    def annotation_masks():
        painted = np.zeros(image.shape, np.int32)
        for number, polygon in enumerate(polygons, 1):
            runs = mask.merge(mask.frPyObjects(polygon, HEIGHT, WIDTH))
            painted[mask.decode(runs) > 0] = number

    def watershed_pair(radius: int) -> tuple[Callable, Callable]:
        same = {"maxima_threshold": 0.1, "maxima_smooth": 0, "interior_threshold": 0.3,
                "interior_smooth": 1, "radius": radius, "fill_holes_threshold": 15}  # fmt: skip
        return (
            lambda: watershed.segment(maxima, interior, min_size=15, **same),
            lambda: deep_watershed(maps, small_objects_threshold=15, **same),
        )

    return {
        "polygons to labels (pycocotools)": (
            lambda: rasterize.rasterize(polygons, HEIGHT, WIDTH, overlap_policy="later"),
            annotation_masks,
        ),
        "inner distance (deepcell)": (
            lambda: transforms.inner_distance(image),
            lambda: transform_utils.inner_distance_transform_2d(
                image, erosion_width=1, alpha="auto", beta=1
            ),
        ),
        "outer distance (deepcell)": (
            lambda: transforms.outer_distance(image),
            lambda: transform_utils.outer_distance_transform_2d(image, erosion_width=1),
        ),
        "pixelwise (deepcell)": (
            lambda: transforms.pixelwise(image),
            lambda: transform_utils.pixelwise_transform(image, dilation_radius=1),
        ),
        "watershed, radius 10 (deepcell-toolbox)": watershed_pair(10),
        "watershed, radius 2 (deepcell-toolbox)": watershed_pair(2),
        "threshold and components (deepcell-toolbox)": (
            lambda: threshold_components.find_cells(interior, 0.5, min_size=15),
            lambda: pixelwise(three[None], 0.5, 15),
        ),
        "star distances (stardist)": (
            lambda: star_distances.star_distances(image),
            lambda: star_dist(image),
        ),
        "star distances, every second pixel (stardist)": (
            lambda: star_distances.star_distances(image, grid=2),
            lambda: star_dist(image, grid=(2, 2)),
        ),
        "object probability (stardist)": (
            lambda: star_distances.object_probability(image),
            lambda: edt_prob(image),
        ),
        "suppression of polygons (stardist)": (
            lambda: star_polygons.suppress(rays, probability, 0.5, 0.4),
            lambda: non_maximum_suppression(rays, probability, prob_thresh=0.5, nms_thresh=0.4),
        ),
        "painting of polygons (stardist)": (
            lambda: star_polygons.paint(*kept, image.shape),
            lambda: polygons_to_label(kept[2], kept[0], image.shape, prob=kept[1]),
        ),
        "object scores and errors (deepcell-toolbox)": (
            lambda: metrics.error_counts(image, predicted),
            lambda: ObjectMetrics(image, predicted),
        ),
        COCO: coco_pair(polygons, predicted),
    }


def coco_pair(polygons: list, predicted: np.ndarray) -> tuple[Callable, Callable]:
    """COCO scores of one image: ours with the drawing of the truth, theirs with its IoU."""
    from pycocotools.coco import COCO as Annotations
    from pycocotools.cocoeval import COCOeval

    scores = np.random.default_rng(0).random(predicted.max())
    areas = [cv2.contourArea(np.array(part[0], np.float32).reshape(-1, 2)) for part in polygons]
    size = {"image_id": 1, "category_id": 1}
    truth, found = Annotations(), Annotations()
    with contextlib.redirect_stdout(None):
        truth.dataset = {
            "images": [{"id": 1, "height": HEIGHT, "width": WIDTH}],
            "categories": [{"id": 1}],
            "annotations": [
                {**size, "id": number, "segmentation": polygon, "area": area, "iscrowd": 0}
                for number, (polygon, area) in enumerate(zip(polygons, areas, strict=True), 1)
            ],
        }
        truth.createIndex()
        values = np.unique(predicted)[1:]
        found = truth.loadRes(
            [
                {**size, "segmentation": rle, "score": scores[value - 1]}
                for value, rle in zip(values, encode(predicted), strict=True)
            ]
        )

    def theirs() -> None:
        evaluation = COCOeval(truth, found, "segm")
        evaluation.params.useCats = 0
        evaluation.params.maxDets = [100, 500, 2000]
        evaluation.params.areaRng = [[0, 1e10], [0, 324], [324, 961], [961, 1e10]]
        evaluation.evaluate()
        evaluation.accumulate()

    return (
        lambda: metrics.coco_scores([image_matches(polygons, areas, predicted, scores)]),
        theirs,
    )


def tiles() -> TilePool:
    """64 tiles of 256 pixels with 60 cells each."""
    labels = np.stack([frame(60, 256, 256)] * 64)[..., None]
    images = (100 + 50 * (labels > 0)).astype(np.uint8)
    return TilePool([SimpleNamespace(X=images, y=labels, image=np.zeros(len(labels), str))])


def crops() -> CropPool:
    """64 crops of 256 pixels an epoch, of eight frames with 320 cells, so 57 a crop."""
    labels = np.concatenate([frame(320).ravel()] * 8)
    sizes = {"height": np.full(8, HEIGHT), "width": np.full(8, WIDTH)}
    frames = Frames((100 + 50 * (labels > 0)).astype(np.uint8), labels, np.zeros(8, str), **sizes)
    return CropPool([frames], 256, 0, crops_per_image=8)


POOLS = {"tiles": tiles, "crops": crops}


def stream_of(
    pool: TilePool | CropPool, heads: dict, normalization: str, workers: int = 1
) -> TileStream:
    """Batches of eight, with rotation, zoom and flips."""
    return TileStream(
        pool, np.arange(64), heads, 8, normalization, 0, Augmentation(), workers=workers
    )


def tiles_a_second(stream: TileStream) -> float:
    """Of processor time."""
    rates = []
    for epoch in range(REPEATS + 1):  # the first compiles
        begun = time.process_time()
        count = sum(len(images) for images, _ in stream.epoch(epoch))
        rates.append(count / (time.process_time() - begun))
    return statistics.median(rates[1:])


def data_stream(stream: TileStream) -> tuple[Callable, Callable, int]:
    """An epoch of ours and of deepcell's generator, with the number of tiles."""
    from deepcell.image_generators import SemanticDataGenerator

    labels = np.stack([frame(60, 256, 256)] * 64)[..., None]
    images = (100 + 50 * (labels > 0)).astype(np.uint8)
    generator = SemanticDataGenerator(
        rotation_range=180, zoom_range=(0.7, 1 / 0.7), horizontal_flip=True, vertical_flip=True
    )
    theirs = generator.flow(
        {"X": images.astype(np.float32), "y": labels}, batch_size=8, seed=0,
        transforms=["inner-distance", "pixelwise"],
        transforms_kwargs={"inner-distance": {"alpha": "auto", "beta": 1, "erosion_width": 1},
                           "pixelwise": {"dilation_radius": 1}},
    )  # fmt: skip
    return (
        lambda: sum(len(images) for images, _ in stream.epoch(0)),
        lambda: sum(len(next(theirs)[0]) for _ in range(len(stream))),
        len(labels),
    )


def flows_rows(n_cells: int, image: np.ndarray) -> list[str]:
    """Lines of the table: flows and tracking, next to cellpose where there is one.

    Cellpose is that of this interpreter, or of the one that CELLPOSE_PYTHON names. It computes in a
    process of its own; both sides count the processor time of one thread.
    """
    flows = flows_of(image)
    probability = np.where(image > 0, 5, -5).astype(np.float32)
    ours = {
        "flows": _thread_ms(lambda: flows_of(image)),
        "cells": _thread_ms(lambda: flow_tracking.segment(flows, probability, cell_threshold=0)),
    }
    importable = sys.executable if importlib.util.find_spec("cellpose") else None
    python = os.environ.get("CELLPOSE_PYTHON", importable)
    theirs = {}
    if python:
        asked = {"one.labels": image, "one.predicted": flows, "one.probability": probability,
                 "one.settings": np.array([0, 0.4, 200, 15]),
                 "repeats": np.array(REPEATS)}  # fmt: skip
        made = by_cellpose(asked, python)
        theirs = {name: 1000 * np.median(made[f"one.{name}_seconds"]) for name in ours}
    stages = {"flows": "flows (cellpose)", "cells": "tracking along flows (cellpose)"}
    return [
        f"| {stages[name]} | {n_cells} | {time_of:.1f} | "
        + (f"{theirs[name]:.0f} | {theirs[name] / time_of:.1f} |" if theirs else "- | - |")
        for name, time_of in ours.items()
    ]


def instances_row(n_cells: int, image: np.ndarray) -> str:
    """Line of the table: masks in boxes to a label image, next to torchvision's pasting.

    torchvision takes some 3 MB a cell for whole masks, so it is not timed with more than 1,000.
    """
    boxes, crops = [], []
    for label in range(1, image.max() + 1):
        x, y, width, height = cv2.boundingRect((image == label).astype(np.uint8))
        if width and height:
            mask = (image[y : y + height, x : x + width] == label).astype(np.float32)
            boxes.append([x, y, x + width, y + height])
            crops.append(cv2.resize(mask, (28, 28), interpolation=cv2.INTER_AREA))
    boxes, masks = np.array(boxes, np.float32), np.stack(crops)
    scores = np.random.default_rng(0).permutation(len(boxes)) / len(boxes)
    ours = _thread_ms(lambda: instances.paint(boxes, scores, masks, image.shape, score_threshold=0))
    theirs = "- | -"
    if importlib.util.find_spec("torchvision") and len(boxes) <= 1000:
        import torch
        from cellseg.models.detectors import packages  # noqa: F401  isort: skip  (before torchvision)
        from torchvision.models.detection.roi_heads import paste_masks_in_image

        torch.set_num_threads(1)
        given = torch.from_numpy(masks[:, None]), torch.from_numpy(boxes)

        def whole_masks() -> None:
            whole = paste_masks_in_image(*given, image.shape, padding=0)[:, 0].numpy() >= 0.5
            painted = np.zeros(image.shape, np.int32)
            for number in np.argsort(scores):
                painted[whole[number]] = number + 1

        time_of = _thread_ms(whole_masks)
        theirs = f"{time_of:.0f} | {time_of / ours:.1f}"
    return f"| painting of instances (torchvision) | {n_cells} | {ours:.1f} | {theirs} |"


def _thread_ms(function: Callable[[], object]) -> float:
    """Median processor time of this thread, ms."""
    function()  # compiles
    times = []
    for _ in range(REPEATS):
        begun = time.thread_time()
        function()
        times.append(1000 * (time.thread_time() - begun))
    return statistics.median(times)


def main() -> None:
    """Print the table in Markdown."""
    warnings.simplefilter("ignore")
    os.environ["OMP_NUM_THREADS"] = "1"  # of stardist
    import cellseg.models.deepcell.compat  # noqa: F401

    cv2.setNumThreads(1)
    print("| stage (compared with) | cells | ours, ms | theirs, ms | theirs / ours |")
    print("|---|---|---|---|---|")
    for n_cells in (320, 2500):
        for stage, (ours, theirs) in kernels(frame(n_cells)).items():
            repeats = 1 if (stage, n_cells) in SLOW else REPEATS
            with open("/dev/null", "w") as nowhere, contextlib.redirect_stdout(nowhere):
                times = compare(ours, theirs, repeats)  # both packages print reports
            print(f"| {stage} | {n_cells} | {times[0]:.1f} | {times[1]:.0f} | {times[2]:.1f} |",
                  flush=True)  # fmt: skip
        print("\n".join(flows_rows(n_cells, frame(n_cells))), flush=True)
    for n_cells in (320, 1000, 2500):
        print(instances_row(n_cells, frame(n_cells)), flush=True)
    for kind, pool in POOLS.items():
        for workers in (1, 2):
            ours, theirs, count = data_stream(stream_of(pool(), HEADS, "none", workers))
            times = compare(ours, theirs, REPEATS, time.perf_counter)
            print(f"| stream of {kind}, {workers} workers, for one of 256 pixels (deepcell, one) "
                  f"| 60 | {times[0] / count:.2f} | {times[1] / count:.1f} | {times[2]:.1f} |",
                  flush=True)  # fmt: skip
    print("\n| samples of 256 pixels a second of processor time | tiles | crops |\n|---|---|---|")
    for heads in REPRESENTATIONS:
        rates = [tiles_a_second(stream_of(pool(), heads, "whole-image")) for pool in POOLS.values()]
        print(f"| `{'+'.join(heads)}` | {rates[0]:.0f} | {rates[1]:.0f} |", flush=True)


if __name__ == "__main__":
    main()
