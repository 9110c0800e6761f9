"""Placeholders such as ``<FOLDER OF IMAGES>`` that a copied configuration still has."""

import re
from collections.abc import Iterator, Mapping

from jsonschema import Draft202012Validator

from cellseg.errors import UserError

_ANYWHERE = re.compile(r"<[A-Za-z][^<>]*>")
FREE_TEXT = ("title",)
"""Keys whose text may have angle brackets; a placeholder is all of it."""


def refuse(config: Mapping, schema: Mapping) -> None:
    """Refuse a configuration with placeholders, in keys or in values.

    Parameters
    ----------
    config : as read from YAML
    schema : JSON schema, whose descriptions say what goes in each place

    Raises
    ------
    UserError
        Names every key that has one, and what to put there.
    """
    lines = [
        f"- {'.'.join(map(str, path))}: replace {found}{_meaning(path, config, schema)}"
        for path, found in _placeholders(config, ())
    ]
    if lines:
        raise UserError("\n".join(["the configuration has placeholders to fill in:", *lines]))


def _placeholders(value: object, path: tuple) -> Iterator[tuple[tuple, str]]:
    """Path of keys and positions to each placeholder, and the placeholder."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if found := _ANYWHERE.search(str(key)):
                yield (*path, key), found[0]
            yield from _placeholders(inner, (*path, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _placeholders(inner, (*path, position))
    elif isinstance(value, str):
        whole = path[-1] in FREE_TEXT
        found = _ANYWHERE.fullmatch(value.strip()) if whole else _ANYWHERE.search(value)
        if found:
            yield path, found[0]


def _meaning(path: tuple, value: object, schema: Mapping) -> str:
    """What the schema says of a key, else of the nearest key above it."""
    described, places = "", list(_branches(schema, value, schema))
    for key in path:
        value = value[key]
        inner = (_inner(place, key) for place in places)
        places = [branch for place in inner if place for branch in _branches(place, value, schema)]
        said = [place["description"] for place in places if "description" in place]
        described = said[0].strip() if said else described
    return f" ({described})" if described else ""


def _inner(place: Mapping, key: str | int) -> Mapping | None:
    """Schema of one key of a mapping, or of an element of a list."""
    if isinstance(key, int):
        inner = place.get("items")
    else:
        inner = place.get("properties", {}).get(key, place.get("additionalProperties"))
    return inner if isinstance(inner, Mapping) else None


def _branches(schema: Mapping, value: object, root: Mapping) -> Iterator[Mapping]:
    """A schema, what it refers to, and which of its conditional parts `value` takes."""
    yield schema
    for branch in schema.get("allOf", []):
        if Draft202012Validator(branch["if"]).is_valid(value):
            yield from _branches(branch["then"], value, root)
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        yield from _branches(target, value, root)
