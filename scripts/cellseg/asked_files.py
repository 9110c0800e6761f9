"""Files that are asked for by name, such as those of one run: their path names the condition."""

import re
from collections.abc import Iterable, Mapping

from cellseg import head_names, names
from cellseg.errors import UserError

LARGEST_SEED = 2**32 - 1
"""Of the random generators of NumPy and TensorFlow."""


def check(arguments: Iterable[str], folder: str, study: Mapping, models: Iterable[str]) -> None:
    """Refuse files of runs, tables and figures whose path names what the study does not define.

    Parameters
    ----------
    arguments : of the command line; what is no such file is left to Snakemake
    folder : of all results, with a final slash
    study : complete configuration, with the trials of its searches among the models
    models : those of the configuration, to be named in errors

    Raises
    ------
    UserError
        Names the nearest name that is defined, or the order of the heads.
    """
    for target in arguments:
        parts = target.removeprefix(folder).split("/")
        if not target.startswith(folder) or len(parts) < 4:
            continue
        dataset, kind, *condition = parts
        if kind == "runs" and len(condition) > 4:
            names.check(f"{target}: data set", dataset, study["datasets"])
            _check_run(target, condition, study, models)
        elif kind in ("tables", "figures"):
            names.check(f"{target}: data set", dataset, study["datasets"])
            names.check(f"{target}: experiment", condition[0], study["experiments"])


def _check_run(target: str, condition: list[str], study: Mapping, models: Iterable[str]) -> None:
    model, heads, subset, seed, *inner = condition
    if model not in study["models"]:  # the trials of a search are too many to list
        names.check(f"{target}: model", model, models)
    try:
        head_names.split(heads)
    except UserError as error:
        raise UserError(f"{target}: {error}") from None
    names.check(f"{target}: subset", subset, study["subsets"])
    number = re.fullmatch("seed-([0-9]{1,10})", seed, re.ASCII)
    if not number or int(number[1]) > LARGEST_SEED:
        raise UserError(
            f"{target}: '{seed}' is no seed. Write it as seed-0, seed-1 and so on, up to "
            f"{LARGEST_SEED}."
        )
    if inner[0].startswith("tuning-"):
        tuning = inner[0].removeprefix("tuning-")
        names.check(f"{target}: tuning", tuning, study["tunings"])
