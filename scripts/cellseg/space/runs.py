"""The files that a run keeps and their bytes, by its settings and by figures measured on others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

from cellseg import models
from cellseg.data import kinds
from cellseg.data.kinds.source import Images, all_of
from cellseg.data.livecell_names import CELL_TYPES
from cellseg.io import run_files
from cellseg.space.expected_tiles import n_shown
from cellseg.study import segmentation_methods
from cellseg.study.runs import Run, sample_of, splits_of, training_of, tuning_in
from cellseg.targets import head_names
from cellseg.training.length import Length

# Bytes, measured on the thirteen real images of tests and four epochs of a small network.
SMALL_FILE = 3_000
MARKER_MAP_PIXEL, MAP_PIXEL = 0.8, 0.35  # 16 and 8 bits, compressed
LABEL_PIXEL = 0.12
DETECTION, DETECTED = 804, 2  # uncompressed; detections for each true cell, a guess
FOUND_CELL = 16  # a row of cells.parquet
SCORED_IMAGE = 1_700  # two rows of metrics.csv
SHOWN_IMAGE = {
    run_files.OVERLAY_PNG: 1.4e6,
    run_files.OVERLAY_PDF: 0.85e6,
    run_files.OVERLAY_PREVIEW: 0.18e6,
}
NAMED_IMAGE = 45  # in provenance.json
LOGGED_EPOCH = 350  # a row of history.csv
CURVE = {run_files.CURVE_PNG: 180_000, run_files.CURVE_PDF: 26_000}
# Adam keeps two moments a weight, so that a state is three times the weights. The one before goes
# when the next one is whole, and the best weights so far lie next to both.
STATE_WEIGHTS = 7


@dataclass(frozen=True)
class RunSpace:
    """Bytes that a run takes.

    Attributes
    ----------
    files : what it keeps, by name within its folder
    state : of its training, while that runs
    maps : of its images, while its cells are found; none where the study keeps maps
    """

    files: dict[str, float]
    state: float
    maps: float


def expected(
    study: Mapping,
    run: Run,
    variants: Iterable[str],
    images: Mapping[str, Images],
    scored: bool = True,
) -> RunSpace:
    """Bytes that a run takes by its settings.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.study.validation.resolve`
    run : the run
    variants : its tuning folders, "" for what is not tuned
    images : of each split of its data set
    scored : whether it has cells, scores and pictures; trials of a search have none
    """
    split = images[study["scoring"]["data_split"]]
    sample = sample_of(study, run.subset, run.seed) or {}
    share = sample.get("fraction", 1)
    if "folds" in sample:
        split = all_of(images[name] for name in splits_of(study["subsets"][run.subset]))
        share = 1 / sample["folds"]["count"]
    part = split.part(share / study["scoring"]["subsample"])
    shown = min(study["overlays"]["images"], split.count)
    pixel = _map_bytes(study, run)
    files, state = _of_training(study, run, images)
    maps = {}
    if scored:
        found = {
            run_files.LABELS: LABEL_PIXEL * part.pixels,
            run_files.CELLS: FOUND_CELL * part.cells,
            run_files.METRICS: SCORED_IMAGE * part.count,
            **dict.fromkeys((run_files.COCO, run_files.SIZES, run_files.SEGMENTATION), SMALL_FILE),
            run_files.OVERLAY_PREDICTIONS: pixel * split.pixels / max(split.count, 1) * shown,
            **{name: size * shown for name, size in SHOWN_IMAGE.items()},
        }
        files |= {f"{variant}{name}": size for variant in variants for name, size in found.items()}
        files |= CURVE
        if run.heads == head_names.INSTANCES:
            files[run_files.INSTANCES] = DETECTED * DETECTION * part.cells
        else:
            maps[run_files.PREDICTIONS] = pixel * part.pixels
    for variant in variants:
        if tuning := tuning_in(variant):
            every = study["threshold_searches"][tuning]["subsample"]
            tried = images["val"].part(study["subsets"][run.subset]["fraction"] / every)
            maps[f"{variant}{run_files.VALIDATION_PREDICTIONS}"] = pixel * tried.pixels
            files |= {
                f"{variant}{name}": SMALL_FILE for name in (run_files.CHOSEN, run_files.TRIED)
            }
    if study["keep_predictions"]:
        return RunSpace(files | maps, state, 0.0)
    return RunSpace(files, state, sum(maps.values()))


def _of_training(
    study: Mapping, run: Run, images: Mapping[str, Images]
) -> tuple[dict[str, float], float]:
    """Files that a training keeps, and its state while it runs."""
    model, subset = study["models"][run.model], study["subsets"][run.subset]
    options, fraction = training_of(study, run.model), subset["fraction"]
    tiles = n_shown(study["tilings"][options["tiling"]], images["train"]) * fraction
    epochs = Length.of(options, max(1, ceil(tiles / options["batch_size"]))).epochs
    network = 4.0 * models.expected_parameters(model, len(head_names.split(run.heads)))
    # Those of an ensemble that are trained lie next to the one in training. As many cell types as
    # LIVECell's where that is not known yet.
    dataset = study["datasets"][run.dataset]
    types = subset["cell_types"] or kinds.of(dataset).cell_types(dataset) or CELL_TYPES
    networks = len(types) if model["ensemble"] else 1
    chosen = (images["train"].count + images["val"].count) * fraction
    files = {
        run_files.WEIGHTS: networks * network,
        run_files.HISTORY: LOGGED_EPOCH * epochs,
        run_files.SETTINGS: SMALL_FILE,
        run_files.PROVENANCE: SMALL_FILE + NAMED_IMAGE * chosen,
    }
    return files, (STATE_WEIGHTS + networks - 1) * network


def _map_bytes(study: Mapping, run: Run) -> float:
    """Bytes of a pixel of all stored channels of a run."""
    heads = head_names.split(run.heads)
    chosen = segmentation_methods.settings_for(study, run.heads)["method"]
    method = segmentation_methods.METHODS[chosen]
    precise = method.precise(heads)
    return sum(MARKER_MAP_PIXEL if n in precise else MAP_PIXEL for n in method.stored(heads))
