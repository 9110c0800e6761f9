"""Values that no configuration may have, found before it is looked at more closely."""

import math
from collections.abc import Mapping
from typing import Any

from cellseg.errors import UserError

MOST_VALUES = 1_000_000
"""Of a whole configuration. YAML's aliases can make thousands of millions of a few lines."""
DEEPEST = 50


def check(config: Mapping) -> None:
    """Refuse what would end in a traceback or never: names, depth, size, infinite numbers.

    Raises
    ------
    UserError
        A name is no text, a value is infinite or no number, aliases refer to themselves, or the
        configuration has more values than anyone writes.
    """
    _count(config, (), {}, set())


def _count(value: Any, where: tuple[str, ...], known: dict[int, int], around: set[int]) -> int:
    """Number of values, those of an alias each time that it is used; each is looked at once."""
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{_place(where)}: {value} is no finite number.")
    if not isinstance(value, (Mapping, list)):
        return 1
    if id(value) in around or len(around) > DEEPEST:
        raise UserError(f"{_place(where[:5])}: an alias (*name) refers to itself, or is too deep.")
    if id(value) not in known:
        around.add(id(value))
        total = 1
        for key, inner in _items(value):
            if not isinstance(key, str):
                raise UserError(f"{_place(where)}: the name {key!r} needs quotes.")
            total += _count(inner, (*where, key), known, around)
        around.discard(id(value))
        known[id(value)] = total
    if known[id(value)] > MOST_VALUES:
        raise UserError(
            f"{_place(where)}: aliases (*name) make more than {MOST_VALUES} values of this. "
            "Write out what you need."
        )
    return known[id(value)]


def _items(value: Mapping | list) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    return [(str(place), inner) for place, inner in enumerate(value)]


def _place(where: tuple[str, ...]) -> str:
    return ".".join(where) or "the top level"
