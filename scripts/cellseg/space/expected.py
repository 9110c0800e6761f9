"""What runs and data sets are expected to take on disk, by their settings."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from cellseg import models
from cellseg.data import kinds
from cellseg.data.expected_tiles import n_tiles
from cellseg.data.kinds.source import Images, all_of
from cellseg.data.livecell_names import CELL_TYPES
from cellseg.data.splits import SPLITS, TRAINING_SPLITS
from cellseg.models.panopticnet.declarations import declared
from cellseg.study import pseudo_labels, segmentation_methods, starts
from cellseg.study import runs as studies
from cellseg.targets import head_names

# Bytes of a pixel, measured on the 13 real images of tests; of tiles, as they are not compressed.
LABELS, SYNTHETIC, TILES, SCORED = 0.4, 1.6, 5, 0.14
CHANNEL, INSTANCES = 0.5, 1.4  # of stored predictions
# Bytes of an image in overlays, and of a run's tables and learning curve.
SHOWN_IMAGE, SMALL_FILES = 2.8e6, 0.2e6
# Networks in checkpoints: weights with Adam's two moments, last and next, and the best weights.
STATE = 7


def of_run(
    study: Mapping,
    run: studies.Run,
    variants: Sequence[str],
    images: Mapping[str, Images],
    scored: bool,
) -> tuple[float, float]:
    """Bytes that a run keeps, and those that it takes besides while it is in progress.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.study.validation.resolve`
    variants : its tuning folders, "" for what is not tuned
    images : of each split of its data set
    scored : whether it has cells, scores and pictures; trials of a search have none
    """
    model, subset = study["models"][run.model], study["subsets"][run.subset]
    heads, entry = head_names.split(run.heads), study["datasets"][run.dataset]
    network = 4.0 * _parameters(model, len(heads))
    types = subset["cell_types"] or kinds.of(entry).cell_types(entry) or CELL_TYPES
    networks = len(types) if model["ensemble"] else 1
    networks *= subset["folds"]["count"] if run.is_joined else 1
    method = segmentation_methods.settings_for(study, run.heads)["method"]
    n_channels = len(segmentation_methods.METHODS[method].stored(heads))
    detects = run.heads == head_names.INSTANCES  # detections of scored images are always kept
    kept, predicted = networks * network + SMALL_FILES, 0.0
    if scored:
        split = images[study["scoring"]["data_split"]]
        share = 1 / study["scoring"]["subsample"]
        sample = studies.sample_of(study, run.subset, run.seed) or {}
        if "folds" in sample:
            split = all_of(images[name] for name in studies.splits_of(subset))
            share /= sample["folds"]["count"]
        pixels = split.pixels * share * sample.get("fraction", 1)
        shown = min(study["overlays"]["images"], split.count)
        kept += len(variants) * (SCORED * pixels + SHOWN_IMAGE * shown)
        kept += INSTANCES * pixels if detects else 0
        predicted += 0 if detects else pixels
    for tuning in filter(None, map(studies.tuning_in, variants)):
        share = subset["fraction"] / study["threshold_searches"][tuning]["subsample"]
        predicted += images["val"].pixels * share
    predicted *= INSTANCES if detects else CHANNEL * n_channels
    state = 0.0 if run.is_joined else (STATE + networks - 1) * network
    return (kept + predicted, state) if study["keep_predictions"] else (kept, max(state, predicted))


def of_data(
    study: Mapping, runs: Iterable[studies.Run], images: Mapping[str, Mapping[str, Images]]
) -> dict[tuple[str, ...], float]:
    """Bytes of parts of data sets and of pretrained weights, by the files that complete them.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.study.validation.resolve`
    runs : what is to be trained
    images : of each split of each data set whose images are known

    Returns
    -------
    dict of paths below the folder of all data sets to bytes
    """
    parts = {}
    others = pseudo_labels.without(study["datasets"])
    unlabelled = cache(lambda folder: len(pseudo_labels.files(folder, others)))  # of many runs
    for name, splits in images.items():
        entry, labels = study["datasets"][name], [f"{name}/labels/{split}.npz" for split in SPLITS]
        parts[f"{name}/source.json",] = kinds.of(entry).space(entry, splits) or 0.0
        parts[*labels] = LABELS * all_of(splits.values()).pixels
    for run in runs:
        model, tiling = study["models"][run.model], studies.tiling_of(study, run.model)
        begun = starts.pretrained_of(study, run)
        if begun is not None:
            parts[f"pretrained/{begun}.h5",] = 4.0 * _parameters(model)
        if model.get("weights"):
            # Of a detector at most: its preset names the backbone.
            known = "backbone" in model
            size = declared(model["backbone"]).parameters if known else _parameters(model)
            parts[f"pretrained/{model['weights']}.h5",] = 4.0 * size
        if run.dataset not in images:
            continue
        cut, splits = study["tilings"][tiling], images[run.dataset]
        for split in TRAINING_SPLITS:
            parts[f"{run.dataset}/tiles/{tiling}/{split}.npz",] = _tiles(cut, splits[split])
        for times, split in studies.extensions(study["subsets"][run.subset]):
            folder, some = f"{run.dataset}/extended-{times}/{split}", splits[split].part(times)
            parts[f"{folder}/labels.npz",] = SYNTHETIC * some.pixels
            parts[f"{folder}/tiles/{tiling}.npz",] = _tiles(cut, some)
        if finder := pseudo_labels.teacher(study, run):
            folder = pseudo_labels.FOLDER.format(**vars(finder) | {"subset": run.subset})
            entry = pseudo_labels.entry_of(study, run.subset)
            count = unlabelled(entry["images"])
            some = splits["train"].part(count / max(splits["train"].count, 1))
            parts[f"{run.dataset}/{folder}/labels.npz",] = LABELS * some.pixels
            parts[f"{run.dataset}/{folder}/tiles/{tiling}.npz",] = _tiles(cut, some)
    return parts


def _parameters(model: Mapping, n_heads: int = 1) -> int:
    return models.expected_parameters(model, n_heads)


def _tiles(tiling: Mapping, images: Images) -> float:
    """Bytes of the tiles of images; where crops are drawn from them, of whole images."""
    crops = tiling["mode"] == "crop"
    return TILES * (images.pixels if crops else n_tiles(tiling, images) * tiling["size"] ** 2)
