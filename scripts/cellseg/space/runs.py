"""The space that a run takes on the disk, by its settings and by figures measured on others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

from cellseg import models
from cellseg.data import kinds
from cellseg.data.kinds.source import Images
from cellseg.data.livecell_names import CELL_TYPES
from cellseg.io import run_files
from cellseg.space.expected_tiles import n_shown
from cellseg.study import segmentation_methods
from cellseg.study.runs import Run, sample_of, training_of, tuning_in
from cellseg.targets import head_names
from cellseg.training.length import Length

# Bytes, measured on the thirteen real images of tests and four epochs of a small network.
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
SMALL_FILE = 3_000
CURVE = {run_files.CURVE_PNG: 180_000, run_files.CURVE_PDF: 26_000}


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
    study: Mapping, run: Run, variants: Iterable[str], images: Mapping[str, Images]
) -> RunSpace:
    """Bytes that a run takes by its settings.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.study.validation.resolve`
    run : the run
    variants : its tuning folders, "" for what is not tuned
    images : of each split of its data set
    """
    split = images[study["scoring"]["data_split"]]
    sample = sample_of(study, run.subset, run.seed)
    share = 1 if sample is None else sample["fraction"]
    scored = split.part(share / study["scoring"]["subsample"])
    shown = min(study["overlays"]["images"], split.count)
    pixel = _map_bytes(study, run)
    overlaid = pixel * split.pixels / max(split.count, 1)
    files, state = _of_training(study, run, images)
    files |= CURVE
    passing = {run_files.PREDICTIONS: scored.pixels * pixel}
    if run.heads == head_names.INSTANCES:
        files[run_files.INSTANCES] = DETECTED * DETECTION * scored.cells
        passing = {}
    for variant in variants:
        files |= {
            f"{variant}{run_files.LABELS}": LABEL_PIXEL * scored.pixels,
            f"{variant}{run_files.CELLS}": FOUND_CELL * scored.cells,
            f"{variant}{run_files.METRICS}": SCORED_IMAGE * scored.count,
            f"{variant}{run_files.COCO}": SMALL_FILE,
            f"{variant}{run_files.SIZES}": SMALL_FILE,
            f"{variant}{run_files.SEGMENTATION}": SMALL_FILE,
            f"{variant}{run_files.OVERLAY_PREDICTIONS}": overlaid * shown,
            **{f"{variant}{name}": size * shown for name, size in SHOWN_IMAGE.items()},
        }
        tuned, maps = _of_tuning(study, run, variant, images)
        files |= tuned
        passing |= maps
    return _kept(study, files, passing, state)


def expected_of_trial(
    study: Mapping, run: Run, variants: Iterable[str], images: Mapping[str, Images]
) -> RunSpace:
    """Bytes of a run of a search, which is not scored; parameters as of :func:`expected`."""
    files, state = _of_training(study, run, images)
    passing = {}
    for variant in variants:
        tuned, maps = _of_tuning(study, run, variant, images)
        files |= tuned
        passing |= maps
    return _kept(study, files, passing, state)


def _of_training(
    study: Mapping, run: Run, images: Mapping[str, Images]
) -> tuple[dict[str, float], float]:
    """Files that a training keeps, and its state while it runs."""
    model = study["models"][run.model]
    network = 4.0 * models.expected_parameters(model, len(head_names.split(run.heads)))
    # Those of an ensemble that are trained lie next to the one in training.
    networks = _cell_types(study, run) if model["ensemble"] else 1
    fraction = study["subsets"][run.subset]["fraction"]
    chosen = (images["train"].count + images["val"].count) * fraction
    files = {
        run_files.WEIGHTS: networks * network,
        run_files.HISTORY: LOGGED_EPOCH * _epochs(study, run, images),
        run_files.SETTINGS: SMALL_FILE,
        run_files.PROVENANCE: SMALL_FILE + NAMED_IMAGE * chosen,
    }
    # Adam keeps two moments a weight, so that a state is three times the weights. The one before
    # goes when the next one is whole, and the best weights so far lie next to both.
    return files, 7 * network + (networks - 1) * network


def _epochs(study: Mapping, run: Run, images: Mapping[str, Images]) -> int:
    """Epochs of a network; where the settings give steps alone, by the tiles of all images."""
    options = training_of(study, run.model)
    tiles = n_shown(study["tilings"][options["tiling"]], images["train"])
    tiles *= study["subsets"][run.subset]["fraction"]
    return Length.of(options, max(1, ceil(tiles / options["batch_size"]))).epochs


def _of_tuning(
    study: Mapping, run: Run, variant: str, images: Mapping[str, Images]
) -> tuple[dict[str, float], dict[str, float]]:
    """Files that a tuning keeps, and maps; none without a tuning."""
    tuning = tuning_in(variant)
    if tuning is None:
        return {}, {}
    fraction = study["subsets"][run.subset]["fraction"]
    validated = images["val"].part(fraction / study["threshold_searches"][tuning]["subsample"])
    files = {f"{variant}{name}": SMALL_FILE for name in (run_files.CHOSEN, run_files.TRIED)}
    pixel = _map_bytes(study, run)
    return files, {f"{variant}{run_files.VALIDATION_PREDICTIONS}": validated.pixels * pixel}


def _kept(
    study: Mapping, files: dict[str, float], maps: dict[str, float], state: float
) -> RunSpace:
    if study["keep_predictions"]:
        return RunSpace(files | maps, state, 0.0)
    return RunSpace(files, state, sum(maps.values()))


def _cell_types(study: Mapping, run: Run) -> int:
    """Cell types that a run is trained on; as many as LIVECell's where that is not known yet."""
    dataset = study["datasets"][run.dataset]
    known = kinds.of(dataset).cell_types(dataset) or CELL_TYPES
    return len(study["subsets"][run.subset]["cell_types"] or known)


def _map_bytes(study: Mapping, run: Run) -> float:
    """Bytes of a pixel of all stored channels of a run."""
    heads = head_names.split(run.heads)
    chosen = segmentation_methods.settings_for(study, run.heads)["method"]
    method = segmentation_methods.METHODS[chosen]
    precise = method.precise(heads)
    return sum(MARKER_MAP_PIXEL if n in precise else MAP_PIXEL for n in method.stored(heads))
