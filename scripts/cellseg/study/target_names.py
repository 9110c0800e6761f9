"""Files that a command names: each one below the results must be one that a rule makes.

The rules themselves are the list of what can be made. Snakemake refuses other files as well, but
without the nearest one, and a name that fits a wildcard only after all that comes before it.
"""

import itertools
import math
import os
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from functools import lru_cache

from cellseg.errors import UserError
from cellseg.study import spelling as names
from cellseg.targets import head_names

NUMBERS = {"seed": "0", "times": "1"}
"""Wildcards that are numbers, and the one to suggest where none is given."""
CALLED = {"dataset": "data set", "tuning": "threshold search"}
"""Wildcards whose name is not the word for what they name."""
MADE_BY = {
    "report.html": "make report",
    "report.zip": "make report TO=…",
    "trials.csv": "python scripts/search.py NAME",
    "best.yaml": "python scripts/search.py NAME",
}
"""Files below the results that no rule makes, and the command that does."""
GAP = 0.45
"""What a missing or superfluous folder counts; a name that has nothing in common counts 1."""

_WILDCARD = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class Makeable:
    """A file that a rule makes.

    Attributes
    ----------
    pattern : its path with wildcards in braces, without their constraints
    match : gives the wildcards of a path, or None where the rule does not make it
    """

    pattern: str
    match: Callable[[str], Mapping[str, str] | None]


def check(
    asked: Iterable[str],
    folder: str,
    makeable: Sequence[Makeable],
    known: Mapping[str, Sequence[str]],
    belongs: Mapping[str, Mapping[str, str]],
    unlisted: Container[str] = (),
) -> None:
    """Refuse files below the results that no rule makes.

    Parameters
    ----------
    asked : files as Snakemake was given them; those elsewhere are left to it
    folder : of all results, relative to the working directory
    makeable : the outputs of all rules, the most important first
    known : names that each wildcard may have; ``variant`` is made of those of ``tuning``
    belongs : by wildcard and name, the data set that this is on
    unlisted : names among the known ones that are too many to list in an error

    Raises
    ------
    UserError
        A line for each: what is wrong with it, and the nearest file that can be made.
    """
    lines = []
    for given in asked:
        target = os.path.relpath(given)
        if target.split("/")[0] != folder:
            continue
        found = wildcards(target, makeable)
        if found is None:
            lines.append(f"{given}: {_wrong(target, _patterns(makeable), known, unlisted)}")
        elif os.path.isabs(given):
            lines.append(f"{given}: name it relative to the working directory, {target}.")
        else:
            lines += [f"{given}: {line}" for line in _elsewhere(target, found, belongs)]
    if lines:
        raise UserError("\n".join(lines))


def wildcards(target: str, makeable: Iterable[Makeable]) -> Mapping[str, str] | None:
    """Wildcards of a path by the first pattern that it fits; None where it fits none."""
    found = (one.match(target) for one in makeable)
    return next((wildcards for wildcards in found if wildcards is not None), None)


def _elsewhere(
    target: str, wildcards: Mapping[str, str], belongs: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    """A path whose experiment or search is on another data set."""
    for axis, datasets in belongs.items():
        dataset = datasets.get(wildcards.get(axis, ""), wildcards.get("dataset"))
        if dataset != wildcards.get("dataset"):
            right = target.replace(f"/{wildcards['dataset']}/", f"/{dataset}/", 1)
            yield f"{axis} '{wildcards[axis]}' is on data set '{dataset}'. Did you mean {right}?"


def _patterns(makeable: Iterable[Makeable]) -> list[str]:
    """Patterns, each tuning folder that may be there or not written out."""
    return list(
        dict.fromkeys(
            one.pattern.replace("{variant}", variant)
            for one in makeable
            for variant in ("", "tuning-{tuning}/")
        )
    )


def _wrong(
    target: str,
    patterns: Sequence[str],
    known: Mapping[str, Sequence[str]],
    unlisted: Container[str],
) -> str:
    """What is wrong with a path, and the nearest one that can be made."""
    name = target.rpartition("/")[2]
    if name in MADE_BY:
        return f"no rule makes this file, `{MADE_BY[name]}` does."
    parts = target.split("/")

    @lru_cache(None)
    def nearest(part: str, given: str) -> tuple[float, str]:
        """How far the nearest name for one part of a pattern is, and that name."""
        distances = ((_distance(part, given, name), name) for name in _names(part, given, known))
        return min(distances, default=(math.inf, part), key=lambda pair: pair[0])

    within = _file_below(parts, patterns, nearest)
    if within:
        return f"a folder cannot be asked for. Name a file in it, such as {within}."
    every = (_aligned(pattern.split("/"), parts, nearest) for pattern in patterns)
    _, aligned = min(every, key=lambda pair: pair[0])
    path = "/".join(suggested for _, suggested, _ in aligned if suggested)
    said = next((pair for pair in aligned if None not in pair and pair[1] != pair[2]), None)
    if path == target:  # each part is known, but not together
        return (
            "no rule makes this file of such a run. Runs of all folds and of families labels and "
            "fusion train nothing, those of labels have no thresholds, and heads external belong "
            "to family labels."
        )
    if said is None or os.path.exists(target):
        return f"no rule makes this file. Nearest file: {path}"
    return f"{_reason(*said, known, unlisted)} Nearest file: {path}"


def _file_below(
    parts: Sequence[str], patterns: Iterable[str], nearest: Callable[[str, str], tuple[float, str]]
) -> str | None:
    """A file that a rule makes in a folder; None where it makes none there."""
    for pattern in patterns:
        *inner, _ = places = pattern.split("/")
        if len(inner) >= len(parts):
            names = [nearest(*pair)[1] for pair in zip(places, parts, strict=False)]
            if names == list(parts):
                return "/".join([*names, *(nearest(part, "")[1] for part in places[len(parts) :])])
    return None


def _reason(
    part: str,
    suggested: str,
    given: str,
    known: Mapping[str, Sequence[str]],
    unlisted: Container[str],
) -> str:
    """Why one part of a path is wrong."""
    wildcards = _WILDCARD.findall(part)
    if len(wildcards) == 1:
        (name,) = wildcards
        pattern = re.escape(part).replace(re.escape(f"{{{name}}}"), "(.+)")
        value = re.fullmatch(pattern, given)
        if value and name == "heads":
            try:
                head_names.split(value[1])
            except UserError as error:
                return str(error)
        if value and name in known and value[1] not in known[name]:
            listed = [other for other in known[name] if other not in unlisted]
            called = CALLED.get(name, name)
            return f"{called}: '{value[1]}' is not defined. {names.nearest(value[1], listed)}"
    close = get_close_matches(given.lower(), [suggested.lower()])
    return f"there is no '{given}' here." + (f" Did you mean '{suggested}'?" if close else "")


def _names(part: str, given: str, known: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """All that one part of a pattern may be; of numbers those that are given."""
    wildcards = list(dict.fromkeys(_WILDCARD.findall(part)))
    numbers = re.findall("[0-9]+", given)
    values = [
        [*numbers, NUMBERS[name]] if name in NUMBERS else known.get(name, []) for name in wildcards
    ]
    for chosen in itertools.product(*values):
        yield part.format(**dict(zip(wildcards, chosen, strict=True)))


def _distance(part: str, given: str, name: str) -> float:
    """0 for equal names, 1 for those that have nothing in common."""
    if part == "{heads}":  # in any order
        given, name = ("+".join(sorted(text.split("+"))) for text in (given, name))
    stems, suffixes = zip(
        *(text.lower().rpartition(".")[::2] for text in (given, name)), strict=True
    )
    if not all(stems):
        return _difference(given.lower(), name.lower())
    # All tables end alike, which does not make one near another.
    return 0.75 * _difference(*stems) + 0.25 * _difference(*suffixes)


def _difference(one: str, other: str) -> float:
    return 1 - SequenceMatcher(None, one, other, autojunk=False).ratio()


def _aligned(
    pattern: Sequence[str], parts: Sequence[str], nearest: Callable[[str, str], tuple[float, str]]
) -> tuple[float, list[tuple[str | None, str | None, str | None]]]:
    """The parts of a path next to those of a pattern, with as little difference as possible.

    Returns
    -------
    float : the difference
    list of (part of the pattern, its nearest name, part of the path); None where one lacks
    """
    best: dict[tuple[int, int], tuple[float, list]] = {(0, 0): (0.0, [])}
    for row, column in itertools.product(range(len(pattern) + 1), range(len(parts) + 1)):
        ways = []
        if row and column:
            difference, name = nearest(pattern[row - 1], parts[column - 1])
            cost, before = best[row - 1, column - 1]
            ways.append((cost + difference, before, (pattern[row - 1], name, parts[column - 1])))
        if row:
            part = pattern[row - 1]
            cost, before = best[row - 1, column]
            ways.append((cost + GAP, before, (part, nearest(part, "")[1], None)))
        if column:
            cost, before = best[row, column - 1]
            ways.append((cost + GAP, before, (None, None, parts[column - 1])))
        if ways:
            cost, before, last = min(ways, key=lambda way: way[0])
            best[row, column] = cost, [*before, last]
    return best[len(pattern), len(parts)]
