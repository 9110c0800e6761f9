"""The space that a run takes on the disk, by its settings and by figures measured on others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cellseg import head_names
from cellseg.channels import marker_head, stored
from cellseg.image_counts import Images
from cellseg.study import Run, training_of, tuning_in

PARAMETERS = {
    "featurenet": 701_102,
    "resnet50": 25_096_334,
    "resnet101": 44_166_798,
    "resnet152": 59_879_566,
    "densenet121": 8_279_886,
    "densenet169": 14_112_078,
    "densenet201": 19_986_766,
    "efficientnetb0": 5_201_841,
    "efficientnetb1": 7_727_509,
    "efficientnetb2": 8_978_183,
    "efficientnetb3": 12_050_493,
    "efficientnetb4": 19_055_469,
    "efficientnetb5": 29_997_573,
    "efficientnetb6": 42_558_877,
    "efficientnetb7": 65_811_109,
    "mobilenet": 4_278_734,
    "mobilenetv2": 2_549_070,
    "vgg16": 15_633_486,
    "vgg19": 20_943_182,
}
"""Weights of each backbone with its pyramid, from C3 to C5: to build a network takes seconds."""
HEAD_PARAMETERS, LEVEL_PARAMETERS = 119_745, 36_864
"""Of a head, and of each doubling between the level that feeds it and the image."""

# Bytes, measured on the thirteen real images of tests and four epochs of a small network.
MARKER_MAP_PIXEL, MAP_PIXEL = 0.8, 0.35  # 16 and 8 bits, compressed
LABEL_PIXEL = 0.12
FOUND_CELL = 16  # a row of cells.parquet
SCORED_IMAGE = 1_700  # two rows of metrics.csv
SHOWN_IMAGE = {"overlay.png": 1.4e6, "overlay.pdf": 0.85e6, "overlay.jpg": 0.18e6}
NAMED_IMAGE = 45  # in provenance.json
LOGGED_EPOCH = 350  # a row of history.csv
SMALL_FILE = 3_000
CURVE = {"learning_curve.png": 180_000, "learning_curve.pdf": 26_000}


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


def parameters(backbone: str, levels: Iterable[str], n_heads: int) -> int:
    """Number of weights of PanopticNet, within some three per cent for any levels and heads."""
    finest = min(int(level[1]) for level in levels)
    return PARAMETERS[backbone] + n_heads * (HEAD_PARAMETERS + finest * LEVEL_PARAMETERS)


def expected(
    study: Mapping, run: Run, variants: Iterable[str], images: Mapping[str, Images]
) -> RunSpace:
    """Bytes that a run takes by its settings.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.config.resolve`
    run : the run
    variants : its tuning folders, "" for what is not tuned
    images : of each split of its data set
    """
    model = study["models"][run.model]
    subset = study["subsets"][run.subset]
    heads = head_names.split(run.heads)
    weights = 4.0 * parameters(model["backbone"], model["backbone_levels"], len(heads))
    split = images[study["scoring"]["data_split"]]
    scored = split.part(1 / study["scoring"]["every"])
    shown = min(study["overlays"]["images"], split.count)
    chosen = (images["train"].count + images["val"].count) * subset["fraction"]
    epochs = training_of(study, run.model)["epochs"]
    pixel = _map_bytes(heads)
    files = {
        "weights.h5": weights,
        "history.csv": LOGGED_EPOCH * epochs,
        "settings.json": SMALL_FILE,
        "provenance.json": SMALL_FILE + NAMED_IMAGE * chosen,
        **CURVE,
    }
    passing = {"maps.zip": scored.pixels * pixel}
    for variant in variants:
        files |= {
            f"{variant}labels.npz": LABEL_PIXEL * scored.pixels,
            f"{variant}cells.parquet": FOUND_CELL * scored.cells,
            f"{variant}metrics.csv": SCORED_IMAGE * scored.count,
            f"{variant}coco.csv": SMALL_FILE,
            f"{variant}sizes.csv": SMALL_FILE,
            f"{variant}watershed.json": SMALL_FILE,
            f"{variant}overlay-maps.zip": pixel * split.pixels / max(split.count, 1) * shown,
            **{f"{variant}{name}": size * shown for name, size in SHOWN_IMAGE.items()},
        }
        tuning = tuning_in(variant)
        if tuning is not None:
            every = study["tunings"][tuning]["every"]
            validated = images["val"].part(subset["fraction"] / every)
            passing[f"{variant}validation-maps.zip"] = validated.pixels * pixel
            files |= {f"{variant}chosen.json": SMALL_FILE, f"{variant}tried.csv": SMALL_FILE}
    # Adam keeps two moments a weight, so that a state is three times the weights. The one before
    # goes when the next one is whole, and the best weights so far lie beside both.
    state = 7 * weights
    if study["keep_maps"]:
        return RunSpace(files | passing, state, 0.0)
    return RunSpace(files, state, sum(passing.values()))


def _map_bytes(heads: list[str]) -> float:
    """Bytes of a pixel of all stored channels of a run."""
    marker = marker_head(heads)
    return sum(
        MARKER_MAP_PIXEL if name.split("/")[0] == marker else MAP_PIXEL for name in stored(heads)
    )
