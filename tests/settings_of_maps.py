"""Cases of the settings that decide how images are predicted, and cells found and tuned."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from cellseg.inference import map_store
from cellseg.io import atomic, run_format
from cellseg.segmentation import by_cell_type
from cellseg.targets.flows import flows_of
from setting_cases import ABSENT, OTHER, Case, World
from settings_base import ALL_HEADS, BASE, COMMON, EVERY, STARS, only, write_maps
from squares import labels, names

RUN = f"squares/unet/{ALL_HEADS}/full/0"
TUNED = f"squares/unet/{COMMON}/full/0"


# --- prediction


def written(world: World, name: str, content: Mapping) -> str:
    path = world.folder / name
    path.write_text(json.dumps(content))
    return str(path)


def predicted(world: World, job: str = f"predict {RUN}", trained: str = RUN, **inputs) -> Path:
    """Predict what a job predicts, with the settings that its run is trained with."""
    settings = world.plan.one(f"train {trained}").params["settings"]
    world.family.batches.clear()  # a training ends with a look at what its network finds
    settings = run_format.stamped(settings)
    return world.run(job, settings=written(world, "settings.json", settings), **inputs).maps


def windows(world: World) -> list[int]:
    """Number, height and width of the windows of each call of the network for an image."""
    predicted(world)
    calls = [number for batch in world.family.batches for number in batch.shape[:3]]
    first = calls[: len(calls) // len(names("test"))]
    assert first * len(names("test")) == calls
    return first


def images_predicted(world: World) -> list[str]:
    return map_store.open(predicted(world)).images


def wells_predicted(world: World) -> list[str]:
    return sorted({image.split("_")[2][0] for image in images_predicted(world)})


def validation_images(world: World) -> int:
    """Those that are predicted, of four that the run was validated with."""
    run = written(world, "provenance.json", {"val_images": names("val")})
    maps = predicted(world, f"predict_validation {TUNED}/thresholds", TUNED, run=run)
    return len(map_store.open(maps).images)


def prediction(key: str, *seen: tuple, given: Mapping | None = None) -> Case:
    plan = [f"{rule} *: params.prediction.{key}"
            for rule in ("predict", "predict_validation", "predict_shown")]  # fmt: skip
    return Case(f"prediction.{key}", f"prediction.{key}", seen, windows, plan, given or {})


ONLY_UNETS = {"experiments.first.conditions": BASE["experiments"]["first"]["conditions"][:2]}
"""Networks that take windows of any size."""


# --- cells


def drawn(*blocks: tuple[slice, slice, float, float]) -> dict[str, np.ndarray]:
    """Maps of the two heads; each block has rows, columns, interior and inner distance."""
    interior, inner = np.zeros((40, 60), np.float32), np.zeros((40, 60), np.float32)
    for rows, columns, probability, distance in blocks:
        interior[rows, columns], inner[rows, columns] = probability, distance
    return {"inner-distance/0": inner, "pixelwise/1": interior}


def at(row: int, column: int) -> tuple[slice, slice]:
    return slice(row, row + 1), slice(column, column + 1)


MAPS = drawn(
    # 288 pixels with two peaks, the lower one 0.25 above the valley between them
    *((slice(4, 16), slice(4, 28), 0.9, 0.6), (*at(9, 8), 0.9, 0.9), (*at(9, 22), 0.9, 0.85)),
    # 240 pixels, of which 84 are surely inside
    *((slice(4, 16), slice(34, 54), 0.4, 0.2), (slice(7, 13), slice(37, 51), 0.9, 0.5)),
    (*at(9, 44), 0.9, 0.9),
    # 224 pixels, nine of them a hole
    *((slice(22, 36), slice(4, 20), 0.9, 0.6), (*at(24, 6), 0.9, 0.9)),
    (slice(28, 31), slice(10, 13), 0.0, 0.0),
    # nine pixels
    (slice(24, 27), slice(30, 33), 0.9, 0.9),
    # 252 pixels with a peak, and one that is 0.05 above its surroundings
    *((slice(22, 36), slice(38, 56), 0.9, 0.6), (*at(28, 42), 0.9, 0.9), (*at(28, 50), 0.9, 0.65)),
)
CELLS = [6, 288 + 240 + 224 + 9 + 252]
PARTS = [5, CELLS[1] - 9]
"""With the hole left open."""
CORNERS = drawn((slice(4, 8), slice(4, 8), 0.9, 0.9), (slice(8, 12), slice(8, 12), 0.9, 0.9))
RING = {
    "inner-distance/0": MAPS["inner-distance/0"],
    "outer-distance/0": MAPS["pixelwise/1"],
}


def segmented(world: World, maps: Mapping, run: str = RUN) -> list[int]:
    """Number of cells and of their pixels; the thresholds are recorded as they were used."""
    write_maps(world.folder / "predictions.zip", {"one": maps})
    [job] = world.plan.find(f"segment {run}/")
    output = world.run(job.label, maps=str(world.folder / "predictions.zip"))
    used = json.loads(Path(output.settings).read_text())["segmentation"]
    assert used == job.params["segmentation"]
    found = np.load(output.labels)["one"]
    return [int(found.max()), int(np.count_nonzero(found))]


def setting(method: str, key: str, *seen: tuple, maps: Mapping = MAPS, **more) -> Case:
    plan = [f"segment *0/: params.segmentation.{key}", f"tune *: params.segmentation.{key}"]
    return Case(f"segmentation<{method}>.{key}", f"segmentation.{key}", seen,
                lambda world: segmented(world, maps), plan, **more)  # fmt: skip


watershed = partial(setting, "watershed")

COMPONENTS = {
    "segmentation": {"method": "threshold-components", "interior_threshold": 0.3},
    "threshold_searches": {"thresholds": {"interior_threshold": [0.5]},
                           "distances": {"grow": [1]}},
}  # fmt: skip
components = partial(setting, "threshold-components", given=COMPONENTS)


def by_heads(case: Case) -> Case:
    """The same case, for runs of some heads alone."""
    name, _, key = case.at.partition(".")
    given = {**case.given}
    own = {"interior_smooth": 0, **given.pop(name, {})}  # as the base study
    for path in [path for path in given if path.startswith(f"{name}.")]:
        own[path.removeprefix(f"{name}.")] = given.pop(path)
    given[f"{name}_by_heads"] = {ALL_HEADS: own}
    given.pop("threshold_searches", None)
    plan = [f"segment {RUN}/: params.segmentation.{key}"]
    leaf, at = case.key.removeprefix(name), f"{name}_by_heads.{ALL_HEADS}.{key}"
    return Case(f"{name}_by_heads.*{leaf}", at, case.seen, case.sees, plan, given)


OF_METHODS = [
    watershed("maxima_threshold", (0.1, CELLS), (0.5, [5, CELLS[1]])),
    watershed("maxima_smooth", (0, CELLS), (3, OTHER)),
    watershed("interior_threshold", (0.3, CELLS), (0.5, [6, CELLS[1] - 240 + 84])),
    watershed("distance_threshold", (0.01, CELLS), (0.5, [6, CELLS[1] - 240 + 84]), maps=RING),
    watershed("interior_smooth", (0, CELLS), (2, OTHER)),
    watershed("radius", (2, OTHER), (12, OTHER), given={"segmentation.peaks": "local_maxima"}),
    watershed("peaks", ("h_maxima", CELLS), ("local_maxima", OTHER)),
    watershed("fill_holes_threshold", (15, CELLS), (5, [6, CELLS[1] - 9])),
    watershed("min_size", (0, CELLS), (10, [5, CELLS[1] - 9])),
    components("interior_threshold", (0.3, PARTS), (0.5, [5, PARTS[1] - 240 + 84])),
    components("interior_smooth", (0, PARTS), (2, OTHER)),
    components("neighbours", (4, [2, 32]), (8, [1, 32]), maps=CORNERS),
    components("fill_holes_threshold", (0, PARTS), (10, [5, PARTS[1] + 9])),
    components("min_size", (0, PARTS), (10, [4, PARTS[1] - 9])),
    components("grow", (0, PARTS), (1, OTHER)),
]
POINTS = (
    # Row, column, radius and probability of polygons, all in the places of every second pixel
    *((8, 12, 5, 0.9), (8, 32, 5, 0.45), (8, 48, 2, 0.8)),
    *((28, 28, 5, 0.9), (28, 34, 5, 0.85)),  # share 0.28 of their area
    (27, 11, 5, 0.9),  # but one
)


def stars() -> dict[str, np.ndarray]:
    """Maps of pixels that propose polygons."""
    rays, probability = np.zeros((40, 60), np.float32), np.zeros((40, 60), np.float32)
    for row, column, radius, value in POINTS:
        rays[row, column], probability[row, column] = radius, value
    return {f"star-distances/{ray}": rays for ray in range(32)} | {
        "object-probability/0": probability
    }


STAR_MAPS = stars()
STAR_RUN = f"squares/unet/{STARS}/full/0"
STAR_STUDY = only(
    STARS,
    segmentation={"method": "star-nms"},
    threshold_searches={
        "thresholds": {"probability_threshold": [0.3, 0.6]},
        "distances": {"nms_threshold": [0.2]},
    },
)


def star_nms(key: str, *seen: tuple) -> Case:
    plan = [f"segment *0/: params.segmentation.{key}", f"tune *: params.segmentation.{key}"]

    def cells(world: World) -> int:
        return segmented(world, STAR_MAPS, STAR_RUN)[0]

    at = f"segmentation.{key}"
    return Case(f"segmentation<star-nms>.{key}", at, seen, cells, plan, STAR_STUDY)


OF_STARS = [
    star_nms("probability_threshold", (0.5, 4), (0.4, 5)),
    star_nms("nms_threshold", (0.4, 4), (0.2, 3)),
    star_nms("grid", (2, 4), (1, 5), (4, 3)),
    star_nms("min_size", (0, 4), (30, 3)),
]


def of_all_runs(case: Case, heads: str) -> Case:
    """The same case, of a study whose runs all have these heads, by its segmentation by heads."""
    given = {**case.given}
    given["segmentation_by_heads"] = {heads: given.pop("segmentation")}
    leaf, key = case.key.removeprefix("segmentation"), case.at.partition(".")[2]
    return Case(f"segmentation_by_heads.*{leaf}", f"segmentation_by_heads.{heads}.{key}",
                case.seen, case.sees, case.plan, given)  # fmt: skip


FLOWS = "flows+fgbg"
OF_FLOWS = {
    "segmentation": {"method": "flow-tracking"},
    "threshold_searches": {"thresholds": {"min_size": [0]}, "distances": {"min_size": [0]}},
    "hyperparameter_searches.swept.heads": FLOWS,
    "experiments.first.conditions": [
        {"model": "unet", "heads": FLOWS, "subset": ["full", "half", "extended"], "seed": 0}
    ],
    "experiments.tuned.conditions": [
        {"model": "unet", "heads": FLOWS, "subset": "full", "seed": 0}
    ],
    "experiments.folds.conditions": [
        {"model": "unet", "heads": FLOWS, "subset": "folded", "seed": 0}
    ],
}
"""A study whose networks predict flows."""


def cells_with_flows() -> dict[str, np.ndarray]:
    """Maps of four squares: with weak flows, large, small, and with a low probability."""
    cells = np.zeros((40, 60), np.int32)
    cells[2:14, 2:14], cells[3:15, 18:30], cells[4:10, 40:46], cells[22:34, 30:42] = 1, 2, 3, 4
    flows = flows_of(cells)
    flows[cells == 1] *= 0.3  # which differs by 0.49
    probability = np.select([cells == 4, cells > 0], [0.6, 0.9]).astype(np.float32)
    return {"flows/0": flows[..., 0], "flows/1": flows[..., 1], "fgbg/1": probability}


def tracked(world: World) -> list[int]:
    """Pixels of the cells that are found, as they are numbered."""
    maps = cells_with_flows()
    stack = np.stack(list(maps.values()), axis=-1)
    path = world.folder / "predictions.zip"
    map_store.write(path, list(maps), [("one", stack)], precise=["flows/0", "flows/1"])
    [job] = world.plan.find(f"segment squares/unet/{FLOWS}/full/0/")
    output = world.run(job.label, maps=str(path))
    used = json.loads(Path(output.settings).read_text())["segmentation"]
    assert used == job.params["segmentation"] and used["method"] == "flow-tracking"
    return np.bincount(np.load(output.labels)["one"].ravel())[1:].tolist()


def tracking(key: str, *seen: tuple, given: Mapping | None = None) -> Case:
    plan = [f"segment *0/: params.segmentation.{key}", f"tune *: params.segmentation.{key}"]
    return Case(f"segmentation<flow-tracking>.{key}", f"segmentation.{key}", seen, tracked, plan,
                {**OF_FLOWS, **(given or {})})  # fmt: skip


OF_TRACKING = [
    tracking("cell_threshold", (0.5, [144, 36, 144]), (0.7, [144, 36])),
    tracking("flow_threshold", (0.4, [144, 36, 144]), (0.6, [144, 144, 36, 144])),
    tracking("iterations", (200, [144, 36, 144]), (0, [])),
    tracking("min_size", (15, [144, 36, 144]), (40, [144, 144])),
    tracking("max_size_fraction", (0.4, [144, 36, 144]), (0.05, [36])),
    tracking("cellpose_size_error", (False, [144, 144]), (True, [144]),
             given={"segmentation": {"method": "flow-tracking", "min_size": 40}}),
]  # fmt: skip


DISTANCES = "center-distance+boundary-distance+fgbg"
OF_DISTANCES = only(
    DISTANCES,
    segmentation={"method": "distance-watershed", "distance_smooth": 0},
    threshold_searches={"thresholds": {"min_size": [30]}, "distances": {"min_size": [30]}},
)
"""A study whose networks predict distances to centres and borders."""


def cells_with_distances() -> dict[str, np.ndarray]:
    """Maps of six squares: three are found by other thresholds alone, and one has two seeds."""
    to_centre, to_border = np.ones((40, 60), np.float32), np.zeros((40, 60), np.float32)
    probability = np.zeros((40, 60), np.float32)
    for row, column, size, near, far, sure in (
        *((2, 2, 12, 0.2, 0.8, 0.9), (2, 20, 10, 0.6, 0.8, 0.9), (2, 40, 10, 0.2, 0.4, 0.9)),
        *((20, 2, 11, 0.2, 0.8, 0.4), (20, 20, 5, 0.2, 0.8, 0.9)),
    ):
        cell = slice(row, row + size), slice(column, column + size)
        middle = slice(row + 1, row + size - 1), slice(column + 1, column + size - 1)
        probability[cell], to_centre[cell], to_border[cell] = sure, 0.9, 0.1
        to_centre[middle], to_border[middle] = near, far
    probability[20:30, 40:50] = 0.9  # two seeds, two pixels apart
    to_centre[22:28, 41:44], to_border[22:28, 41:44] = 0.2, 0.8
    to_centre[22:28, 46:49], to_border[22:28, 46:49] = 0.2, 0.8
    return {"center-distance/0": to_centre, "boundary-distance/0": to_border,
            "fgbg/1": probability}  # fmt: skip


def flooded(key: str, *seen: tuple) -> Case:
    plan = [f"segment *0/: params.segmentation.{key}", f"tune *: params.segmentation.{key}"]

    def cells(world: World) -> list[int]:
        return segmented(world, cells_with_distances(), f"squares/unet/{DISTANCES}/full/0")

    at = f"segmentation.{key}"
    return Case(f"segmentation<distance-watershed>.{key}", at, seen, cells, plan, OF_DISTANCES)


FLOODED = [4, 144 + 25 + 100]
OF_FLOODING = [
    flooded("center_distance_threshold", (0.5, FLOODED), (0.7, [5, FLOODED[1] + 100])),
    flooded("boundary_distance_threshold", (0.5, FLOODED), (0.3, [5, FLOODED[1] + 100])),
    flooded("foreground_threshold", (0.5, FLOODED), (0.3, [5, FLOODED[1] + 121])),
    flooded("distance_smooth", (0, FLOODED), (3, OTHER)),
    flooded("min_size", (0, FLOODED), (30, [3, FLOODED[1] - 25])),
]  # fmt: skip


OF_ANY_METHOD = [
    *("segment *0/: params.segmentation.*", "tune *: params.segmentation.*"),
    *("predict *: params.channels.*", "predict_validation *: params.channels.*"),
    *("predict_shown *: params.channels.*", "overlay *: params.method"),
]
"""What another method changes in the plan."""
EVERY_RUN = f"squares/unet/{EVERY}/full/0"
EVERY_MAPS = {**MAPS, **STAR_MAPS, **cells_with_distances(), **cells_with_flows()}
EVERY_STUDY = only(
    EVERY,
    segmentation={"method": "watershed"},
    threshold_searches={"thresholds": {"min_size": [20]}, "distances": {"min_size": [30]}},
)
"""Networks that every method can segment, and searches of what every method has."""
METHODS = (
    *(("watershed", [CELLS[0], 953]), ("threshold-components", OTHER)),
    *(("star-nms", OTHER), ("flow-tracking", OTHER), ("distance-watershed", OTHER)),
)


# --- tuning


def tuned(world: World, name: str, maps: Mapping) -> tuple[pd.DataFrame, dict]:
    """The table of what a tuning tried on a validation image, and what it chose."""
    heads = STARS if maps is STAR_MAPS else COMMON
    image = names("val")[0]
    write_maps(world.folder / "predictions.zip", {image: maps})
    truth = world.folder / "truth.npz"
    atomic.write_stack(truth, [(image, labels()[:40, :60])])
    job = f"tune squares/unet/{heads}/full/0/{name}"
    made = world.run(job, maps=str(world.folder / "predictions.zip"),
                     truths=[str(truth)])  # fmt: skip
    return pd.read_csv(made.tried), json.loads(Path(made.chosen).read_text())


def tried(axis: str, name: str = "thresholds", maps: Mapping = MAPS):
    """The values of a setting that were tried, the study's own with them."""
    return lambda world: sorted(set(tuned(world, name, maps)[0][axis]))


def tuning(axis: str, *seen: tuple, name: str = "thresholds", maps: Mapping = MAPS, **more) -> Case:
    return Case(f"threshold_searches.*.{axis}", f"threshold_searches.{name}.{axis}", seen,
                tried(axis, name, maps), [f"tune */{name}: params.tuning.{axis}"],
                **more)  # fmt: skip


def tuned_flows(world: World) -> pd.DataFrame:
    image = names("val")[0]
    path = world.folder / "predictions.zip"
    maps = cells_with_flows()
    map_store.write(path, list(maps), [(image, np.stack(list(maps.values()), axis=-1))])
    atomic.write_stack(world.folder / "truth.npz", [(image, labels()[:40, :60])])
    made = world.run(f"tune squares/unet/{FLOWS}/full/0/thresholds", maps=str(path),
                     truths=[str(world.folder / "truth.npz")])  # fmt: skip
    return pd.read_csv(made.tried)


def tried_on_distances(axis: str):
    def see(world: World) -> list[float]:
        image, path = names("val")[0], world.folder / "predictions.zip"
        write_maps(path, {image: cells_with_distances()})
        atomic.write_stack(world.folder / "truth.npz", [(image, labels()[:40, :60])])
        made = world.run(f"tune squares/unet/{DISTANCES}/full/0/thresholds", maps=str(path),
                         truths=[str(world.folder / "truth.npz")])  # fmt: skip
        return sorted(set(pd.read_csv(made.tried)[axis]))

    return see


def tuning_distances(axis: str, *seen: tuple) -> Case:
    return Case(f"threshold_searches.*.{axis}", f"threshold_searches.thresholds.{axis}", seen,
                tried_on_distances(axis), [f"tune */thresholds: params.tuning.{axis}"],
                OF_DISTANCES)  # fmt: skip


def tuning_flows(axis: str, *seen: tuple) -> Case:
    return Case(f"threshold_searches.*.{axis}", f"threshold_searches.thresholds.{axis}", seen,
                lambda world: sorted(set(tuned_flows(world)[axis])),
                [f"tune */thresholds: params.tuning.{axis}"], OF_FLOWS)  # fmt: skip


SCORES = ("msa", "sa50", "sa75", "f1_50", "f1_75", "f1", "pixel_iou")

CASES = [
    prediction("window", (None, [2, 64, 64]), ("image", [1, 64, 96]), (128, [1, 128, 128]),
               given=ONLY_UNETS),
    prediction("window_overlap", (0.25, [2, 64, 64]), (0.75, [3, 64, 64])),
    prediction("batch_size", (8, [2, 64, 64]), (1, [1, 64, 64] * 2)),
    prediction("test_time_augmentation.flips", (False, [2, 64, 64]), (True, [2, 64, 64] * 4)),
    prediction("test_time_augmentation.rotations", (False, [2, 64, 64]), (True, [2, 64, 64] * 4)),
    prediction("test_time_augmentation.scales", ([1], [2, 64, 64]),
               ([1, 2], [2, 64, 64, 8, 64, 64, 4, 64, 64])),
    Case("keep_predictions", "keep_predictions", [(False, ["maps"]), (True, [])],
         lambda world: world.plan.one(f"predict {RUN}").temporary,
         ["predict *: temporary", "predict_validation *: temporary"]),
    *OF_METHODS,
    *map(by_heads, OF_METHODS),
    Case("segmentation.method", "segmentation.method", METHODS,
         lambda world: segmented(world, EVERY_MAPS, EVERY_RUN),
         [*OF_ANY_METHOD, "overview *: params.study.segmentation.method"], EVERY_STUDY, alone=True),
    Case("segmentation_by_heads.*.method", f"segmentation_by_heads.{EVERY}.method", METHODS,
         lambda world: segmented(world, EVERY_MAPS, EVERY_RUN),
         [*OF_ANY_METHOD, f"overview *: params.study.segmentation_by_heads.{EVERY}.method"],
         {**EVERY_STUDY, "segmentation_by_heads": {EVERY: {"method": "watershed"}}}, alone=True),
    *OF_STARS,
    *(of_all_runs(case, STARS) for case in OF_STARS),
    tuning("maxima_threshold", ([0.05, 0.1], [0.05, 0.1]), ([0.2], [0.1, 0.2])),
    tuning("maxima_smooth", (ABSENT, [0]), ([0, 1], [0, 1])),
    tuning("interior_threshold", (ABSENT, [0.3]), ([0.2, 0.5], [0.2, 0.3, 0.5])),
    tuning("distance_threshold", ([0.2], [0.01, 0.2]), ([0.3], [0.01, 0.3]), name="distances",
           maps=RING),
    tuning("interior_smooth", (ABSENT, [0]), ([2], [0, 2])),
    tuning("probability_threshold", ([0.3, 0.6], [0.3, 0.5, 0.6]), ([0.4], [0.4, 0.5]),
           maps=STAR_MAPS, given=STAR_STUDY),
    tuning("nms_threshold", ([0.2], [0.2, 0.4]), ([0.3], [0.3, 0.4]), name="distances",
           maps=STAR_MAPS, given=STAR_STUDY),
    tuning("grid", (ABSENT, [2]), ([1, 4], [1, 2, 4]), maps=STAR_MAPS, given=STAR_STUDY),
    tuning("min_size", (ABSENT, [0]), ([20], [0, 20])),
    tuning("grow", ([1], [0, 1]), ([2], [0, 2]), name="distances", given=COMPONENTS),
    *OF_TRACKING,
    *(of_all_runs(case, FLOWS) for case in OF_TRACKING),
    tuning_flows("cell_threshold", (ABSENT, [0.5]), ([0.2, 0.7], [0.2, 0.5, 0.7])),
    tuning_flows("flow_threshold", (ABSENT, [0.4]), ([0, 1], [0, 0.4, 1])),
    tuning_flows("iterations", (ABSENT, [200]), ([20], [20, 200])),
    *OF_FLOODING,
    *(of_all_runs(case, DISTANCES) for case in OF_FLOODING),
    *(tuning_distances(f"{name}_threshold", (ABSENT, [0.5]), ([0.2, 0.7], [0.2, 0.5, 0.7]))
      for name in ("center_distance", "boundary_distance", "foreground")),
    tuning_distances("distance_smooth", (ABSENT, [0]), ([1], [0, 1])),
    Case("threshold_searches.*.score", "threshold_searches.thresholds.score",
         [(score, score) for score in SCORES],
         lambda world: tuned(world, "thresholds", MAPS)[1]["score"],
         ["tune */thresholds: params.tuning.score"]),
    Case("threshold_searches.*.by", "threshold_searches.thresholds.by",
         [(None, []), ("cell-type", ["A172"])],
         lambda world: list(tuned(world, "thresholds", MAPS)[1].get(by_cell_type.KEY, [])),
         ["tune */thresholds: params.tuning.by", "tune */thresholds: input.images",
          "segment */tuning-thresholds/: input.images",
          "overlay */tuning-thresholds/: params.tuned_by",
          "contact_sheet */tuned: params.tuned_by"]),
    Case("threshold_searches.*.subsample", "threshold_searches.thresholds.subsample",
         [(1, 4), (2, 2)], validation_images,
         ["predict_validation */thresholds: params.subsample",
          "tune */thresholds: params.tuning.subsample"]),
]  # fmt: skip
