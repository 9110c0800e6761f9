"""A study: the runs that a complete configuration asks for, and the settings of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from cellseg import head_names

AXES = ("model", "heads", "subset", "seed")


@dataclass(frozen=True, order=True)
class Run:
    """One trained network: a point on the four axes, on one data set."""

    dataset: str
    model: str
    heads: str
    subset: str
    seed: int


def runs_of(study: Mapping, experiment: str) -> list[Run]:
    """Runs of an experiment, in the order of the configuration, each once."""
    entry = study["experiments"][experiment]
    dataset = entry.get("dataset", study["dataset"])
    points = (
        Run(dataset, *point)
        for block in entry["runs"]
        for point in product(*(as_list(block[axis]) for axis in AXES))
    )
    return list(dict.fromkeys(points))


def first_runs(study: Mapping, experiment: str) -> list[Run]:
    """The first run of each condition of an experiment, whatever its seed."""
    first: dict[tuple, Run] = {}
    for run in runs_of(study, experiment):
        first.setdefault((run.model, run.heads, run.subset), run)
    return list(first.values())


def all_runs(study: Mapping) -> list[Run]:
    """Runs of all experiments, sorted, each once."""
    return sorted({run for name in study["experiments"] for run in runs_of(study, name)})


def variant_of(study: Mapping, experiment: str) -> str:
    """Folder within a run of what an experiment's tuning of the watershed makes; empty for none."""
    tuning = study["experiments"][experiment]["tuning"]
    return "" if tuning is None else f"tuning-{tuning}/"


def all_variants(study: Mapping) -> list[tuple[Run, str]]:
    """Runs of all experiments with the variants that are asked for, sorted, each once."""
    names = study["experiments"]
    return sorted(
        {(run, variant_of(study, name)) for name in names for run in runs_of(study, name)}
    )


def run_settings(study: Mapping, model: str, heads: str, subset: str, seed: int) -> dict:
    """Everything that decides what one training computes, with sorted keys.

    Two configurations that mean the same training give the same settings, whatever the order of
    their keys.
    """
    entry = dict(study["models"][model])
    training = merged(study["training"], entry.pop("training"))
    return {
        # The order of heads is the order of the network's outputs and stays.
        "heads": {head: in_order(study["heads"][head]) for head in head_names.split(heads)},
        "model": in_order(entry),
        "seed": seed,
        "subset": in_order(study["subsets"][subset]),
        "tiling": in_order(study["tilings"][training["tiling"]]),
        "training": in_order(training),
    }


def tiling_of(study: Mapping, model: str) -> str:
    """Name of the tiling that a model is trained on."""
    return merged(study["training"], study["models"][model]["training"])["tiling"]


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
    return value
