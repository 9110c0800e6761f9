"""A study: the runs that a complete configuration asks for, and the settings of each."""

import os.path
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from cellseg.data.splits import SPLITS, TRAINING_SPLITS
from cellseg.errors import UserError
from cellseg.study import alternatives
from cellseg.study.fusion_names import is_fused
from cellseg.targets import head_names
from cellseg.training import start

AXES = ("model", "heads", "subset", "seed")

OF_RUNS = ("heads", "training")
"""Keys of a model that differ from those of the study, and stand at the top of a run's settings."""

ALL_FOLDS = "-all-folds"
"""End of the name of a subset whose runs predict with the networks of all folds."""

LARGEST_SEED = 2**32 - 1
"""Of the random generators of NumPy and TensorFlow."""

RUN_FOLDER = "{dataset}/runs/{model}/{heads}/{subset}/seed-{seed}"
"""Folder of a run within that of all results."""
_IN_RUN_FOLDER = re.compile(
    "{}/runs/{}/{}/{}/seed-([0-9]+)/[^/]+".format(*("([^/]+)" for _ in range(4)))
)


@dataclass(frozen=True, order=True)
class Run:
    """One trained network: a point on the four axes, on one data set."""

    dataset: str
    model: str
    heads: str
    subset: str
    seed: int

    @property
    def is_external(self) -> bool:
        """Whether another program found its cells: nothing is trained or predicted."""
        return self.heads == head_names.OUTSIDE

    @property
    def is_joined(self) -> bool:
        """Whether it predicts with the networks of all folds: nothing is trained."""
        return self.subset.endswith(ALL_FOLDS)

    @property
    def folder(self) -> str:
        """Where its files are, within the folder of all results."""
        return RUN_FOLDER.format(**vars(self))


def run_of_file(path: str | Path, results: str | Path) -> Run | None:
    """The run in whose folder a file is; None of other files.

    Parameters
    ----------
    results : folder of all results
    """
    inner = os.path.relpath(path, results)
    found = _IN_RUN_FOLDER.fullmatch(Path(inner).as_posix())
    return None if found is None else Run(*found.groups()[:-1], int(found[5]))


def runs_of(study: Mapping, experiment: str) -> list[Run]:
    """Runs of an experiment, in the order of the configuration, each once."""
    entry = study["experiments"][experiment]
    dataset = entry.get("dataset", study["dataset"])
    points = (
        Run(dataset, *point)
        for block in entry["conditions"]
        for point in product(*(as_list(block[axis]) for axis in AXES))
    )
    return list(dict.fromkeys(points))


def trained_runs(study: Mapping, experiment: str) -> list[Run]:
    """Those of its runs that train a network."""
    return [run for run in runs_of(study, experiment) if is_trained(study, run)]


def is_trained(study: Mapping, run: Run) -> bool:
    """Whether a run trains a network: it is neither another program's, nor fused or joined of
    others."""
    return not (run.is_external or run.is_joined or is_fused(study["models"][run.model]))


def first_runs(study: Mapping, experiment: str) -> list[Run]:
    """The first run of each condition of an experiment, whatever its seed."""
    first: dict[tuple, Run] = {}
    for run in runs_of(study, experiment):
        first.setdefault((run.model, run.heads, run.subset), run)
    return list(first.values())


def all_runs(study: Mapping) -> list[Run]:
    """Runs of all experiments, sorted, each once."""
    return sorted({run for name in study["experiments"] for run in runs_of(study, name)})


def variant_of(study: Mapping, experiment: str, run: Run | None = None) -> str:
    """Folder within a run of what an experiment's threshold search makes; empty for none.

    Parameters
    ----------
    run : the run, if it may be one without thresholds, since another program found its cells
    """
    search = study["experiments"][experiment]["threshold_search"]
    without = search is None or (run is not None and run.is_external)
    return "" if without else f"tuning-{search}/"


def tuning_in(variant: str) -> str | None:
    """Name of the threshold search that such a folder belongs to, or None."""
    return variant.removeprefix("tuning-").rstrip("/") or None


def all_variants(study: Mapping) -> list[tuple[Run, str]]:
    """Runs of all experiments with the variants that are asked for, sorted, each once."""
    names = study["experiments"]
    return sorted(
        {(run, variant_of(study, name, run)) for name in names for run in runs_of(study, name)}
    )


def variants_by_run(study: Mapping) -> dict[Run, list[str]]:
    """The same, as a list of variants for each run."""
    variants: dict[Run, list[str]] = {}
    for run, variant in all_variants(study):
        variants.setdefault(run, []).append(variant)
    return variants


def run_settings(study: Mapping, model: str, heads: str, subset: str, seed: int) -> dict:
    """Everything that decides what one training computes, with sorted keys.

    Two configurations that mean the same training give the same settings, whatever the order of
    their keys.

    Raises
    ------
    UserError
        The seed is larger than random generators take.
    """
    if seed > LARGEST_SEED:
        raise UserError(f"seed {seed} is too large: {LARGEST_SEED} is the largest. Choose another.")
    entry = {
        key: value
        for key, value in study["models"][model].items()
        if key not in OF_RUNS and not (key == start.KEY and value is None)
    }
    begun = entry.get(start.KEY)
    if begun is not None:
        # As if left out: the same run to start from.
        own = {"heads": heads, "subset": subset, "seed": seed}
        entry[start.KEY] = {k: v for k, v in begun.items() if k not in own or v != own[k]}
    of_heads = merged(study["heads"], study["models"][model]["heads"])
    training = training_of(study, model)
    synthesizes = "synthetic_per_image" in study["subsets"][subset]
    return {
        # Only where it is used: other runs stay as they are, whatever it says.
        **({"synthesis": in_order(study["synthesis"])} if synthesizes else {}),
        # The order of heads is the order of the network's outputs and stays.
        "heads": {head: in_order(of_heads.get(head, {})) for head in head_names.split(heads)},
        "model": in_order(entry),
        "seed": seed,
        "subset": in_order(_trained_on(study["subsets"][subset])),
        "tiling": in_order(study["tilings"][training["tiling"]]),
        "training": in_order(training),
    }


NOT_TRAINED_ON = ("scored", "ensemble")
"""Keys of a subset and of its folds that change no training."""


def _trained_on(subset: Mapping) -> dict:
    """Settings of a subset but for what is scored, which changes no training."""
    kept = {key: value for key, value in subset.items() if key not in NOT_TRAINED_ON}
    return {key: _trained_on(value) if key == "folds" else value for key, value in kept.items()}


OF_TRAINING = ("validation", "scored", "ensemble")
"""Keys of folds that do not say which images one of them holds out."""


def scores_its_fold(subset: Mapping) -> bool:
    """Whether runs on a subset are scored on the images that its fold holds out."""
    return "folds" in subset and subset["folds"]["scored"] == "held-out"


def sample_of(study: Mapping, subset: str, seed: int) -> dict | None:
    """How a run chooses its scored images; None where it takes all.

    ``fraction`` and ``seed``, by which it draws them, or the ``folds`` of which one is held out.
    """
    entry = study["subsets"][subset]
    if scores_its_fold(entry):
        deal = {key: value for key, value in entry["folds"].items() if key not in OF_TRAINING}
        return {"folds": in_order(deal)}
    if entry["scored"] == "all":
        return None
    return {"fraction": entry["fraction"], "seed": seed}


def is_sampled(study: Mapping, experiment: str) -> bool:
    """Whether seeds draw the scored images of some runs of an experiment."""
    subsets = {run.subset for run in runs_of(study, experiment)}
    return any(study["subsets"][subset]["scored"] != "all" for subset in subsets)


def training_of(study: Mapping, model: str) -> dict:
    """Settings of a model's training: the study's, with its own on top."""
    # A model of family `labels` trains nothing.
    return with_own_training(study, study["models"][model].get("training", {}))


def with_own_training(study: Mapping, own: Mapping) -> dict:
    """The study's settings of a training with those of a model on top."""
    return alternatives.one_only(merged(study["training"], own), own)


def extensions(subset: Mapping) -> list[tuple[int, str]]:
    """Synthetic images that a subset asks for: how many of each image of which split."""
    if "synthetic_per_image" not in subset:
        return []
    # Drawn validation wells and folds leave images of several splits to train on.
    mixed = subset["validation"] == "by-well" or "folds" in subset
    splits = splits_of(subset) if mixed else ("train",)
    return [(subset["synthetic_per_image"], split) for split in splits]


def splits_of(subset: Mapping) -> tuple[str, ...]:
    """Splits of the data set whose images a subset is of, to train and to validate on."""
    of_all = subset.get("folds", {}).get("images") == "all"
    return SPLITS if of_all else TRAINING_SPLITS


def tiling_of(study: Mapping, model: str) -> str:
    """Name of the tiling that a model is trained on."""
    return training_of(study, model)["tiling"]


def stored(tiling: Mapping) -> dict:
    """The settings of a tiling that decide what its files hold, with sorted keys.

    Crops are drawn from whole images when a network is trained: what decides on them is no setting
    of the files.
    """
    keys = ("mode",) if tiling["mode"] == "crop" else ("mode", "size", "tile_overlap")
    return {key: tiling[key] for key in sorted(keys)}


def as_list(value: object) -> list:
    """A list, or one value as a list of one."""
    return value if isinstance(value, list) else [value]


def merged(defaults: Mapping, changes: Mapping) -> dict:
    """`defaults` with `changes` on top, at every depth."""
    result = dict(defaults)
    for key, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if nested else value
    return result


def in_order(value: object) -> object:
    """The same with sorted keys, at every depth: Snakemake compares settings by their text."""
    if isinstance(value, Mapping):
        return {key: in_order(value[key]) for key in sorted(value)}
    return [in_order(one) for one in value] if isinstance(value, list) else value
