"""Sampling a space of settings: the values of each trial of a hyperparameter search.

Random trials cover the settings that matter better than a grid of the same size (Bergstra and
Bengio, Journal of Machine Learning Research 13, 281-305, 2012).
"""

import json
import math
from collections.abc import Iterator, Mapping
from itertools import product
from random import Random

from cellseg.errors import UserError
from cellseg.study.runs import merged

CANDIDATES = 1000
"""Drawn for each trial before a space counts as used up."""


def draw(space: Mapping, trials: int | str, seed: int) -> list[dict[str, object]]:
    """Values of every trial, no two of them alike.

    A value depends on the seed, the number of the draw and the name of its parameter alone: more
    trials add to the ones before, and another parameter leaves the values of the others.

    Parameters
    ----------
    space : by parameter, a list of values, ``{sets: {name: settings}}``, ``{log: [low, high]}``
        (log-uniform) or ``{uniform: [low, high]}``
    trials : how many, or ``all`` combinations of lists and sets
    seed : another one draws others

    Returns
    -------
    list of dict : a value by parameter, in the order of `space`; of ``sets``, the name

    Raises
    ------
    UserError
        There are not so many combinations, or ``all`` of a range are asked for.
    """
    lists = {name: values for name, choice in space.items() if (values := listed(choice))}
    ranges = [name for name in space if name not in lists]
    if trials == "all":
        if ranges:
            raise UserError(
                f"trials: all needs lists, and {', '.join(ranges)} is a range. Give a number."
            )
        return [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]
    combinations = math.prod(len(values) for values in lists.values())
    if not ranges and combinations < trials:
        raise UserError(
            f"the space has {combinations} combinations, fewer than the {trials} trials. Say "
            "`trials: all`, or widen the space."
        )
    found: dict[str, dict] = {}
    for candidate in _candidates(space, lists, seed, CANDIDATES * trials):
        found.setdefault(json.dumps(candidate, sort_keys=True), candidate)
        if len(found) == trials:
            return list(found.values())
    raise UserError(
        f"the space has too few different values for {trials} trials: ranges are drawn to three "
        "digits. Widen them."
    )


def changes(space: Mapping, values: Mapping[str, object]) -> dict:
    """What the values of a trial change of a model's entry: nested settings."""
    nested: dict = {}
    for name, value in values.items():
        choice = space[name]
        if isinstance(choice, Mapping) and "sets" in choice:
            nested = merged(nested, choice["sets"][value])
            continue
        for key in reversed(name.split(".")):
            value = {key: value}
        nested = merged(nested, value)
    return nested


def shown(value: object) -> object:
    """A value as tables show it: numbers stay, lists and mappings become text."""
    if isinstance(value, list):
        return " ".join(str(shown(part)) for part in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {shown(part)}" for key, part in value.items())
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return value


def listed(choice: object) -> list:
    """Values of a list or names of sets; nothing for a range."""
    if isinstance(choice, list):
        return choice
    return list(choice.get("sets", []))


def _candidates(space: Mapping, lists: Mapping, seed: int, most: int) -> Iterator[dict]:
    for number in range(most):
        # A text seeds alike in all versions of Python.
        at = {name: Random(f"{seed}/{number}/{name}").random() for name in space}
        yield {
            name: lists[name][int(at[name] * len(lists[name]))]
            if name in lists
            else _within(choice, at[name])
            for name, choice in space.items()
        }


def _within(choice: Mapping, at: float) -> float:
    """The value at a share of a range, to three digits."""
    [(kind, (low, high))] = choice.items()
    value = low * (high / low) ** at if kind == "log" else low + (high - low) * at
    return min(max(float(f"{value:.3g}"), low), high)
