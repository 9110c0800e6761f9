"""A hook of MkDocs: every key of the configuration, from its schema, in the reference page."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
SCHEMA = CHECKOUT / "workflow/schemas/config.schema.yaml"
PAGE = "reference/configuration.md"
PLACE = "<!-- every key of the schema follows here in the built site -->"
NAMED = "*name*"
"""A key that the user chooses."""


def on_page_markdown(markdown: str, page, **_) -> str:
    """Write the tables into the page that has the place for them."""
    if page.file.src_uri != PAGE:
        return markdown
    if PLACE not in markdown:
        raise ValueError(f"docs/{PAGE} has no line {PLACE}")
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    return markdown.replace(PLACE, tables(schema))


def on_serve(server, **_):
    """Build again when the schema changes."""
    server.watch(str(SCHEMA))
    return server


def tables(schema: Mapping) -> str:
    """A section of Markdown for each key at the top level of the configuration.

    Parameters
    ----------
    schema : JSON schema, with ``$defs``

    Returns
    -------
    str
        In each section a table, a row a key: its path, what it may be, its default, its meaning.
    """
    sections = []
    required = set(schema.get("required", ()))
    for name, given in schema["properties"].items():
        one = _resolved(given, schema)
        needed = " Required." if name in required else ""
        sections.append(f"## `{name}`\n\n{_sentence(one)}{needed}\n")
        rows = _rows(list(_keys(one, schema)))
        if rows:
            head = "| key | values | default | meaning |\n|---|---|---|---|"
            sections.append("\n".join([head, *rows]) + "\n")
        else:
            default = _default(one)
            sections.append(
                f"Values: {_values(one)}.{f' Default: {default}.' if default else ''}\n"
            )
    return "\n".join(sections)


def keys(schema: Mapping) -> set[str]:
    """Paths of all keys, such as ``training.epochs``, as the tables name them."""
    found = set(schema["properties"])
    for name, given in schema["properties"].items():
        one = _resolved(given, schema)
        found |= {f"{name}.{path}" for path, _, _ in _keys(one, schema)}
    return found


def _resolved(given: Mapping | bool, schema: Mapping) -> dict:
    """A part of the schema with what it refers to; what is said next to the reference wins."""
    if isinstance(given, bool):
        return {}
    if "$ref" not in given:
        return dict(given)
    there = schema
    for part in given["$ref"].removeprefix("#/").split("/"):
        there = there[part]
    here = {key: value for key, value in given.items() if key != "$ref"}
    return {**_resolved(there, schema), **here}


def _keys(one: Mapping, schema: Mapping, path: str = "") -> Iterator[tuple[str, dict, bool]]:
    """Keys below a part of the schema: path, what the schema says of it, whether it is required."""
    required = set(one.get("required", ()))
    for name, given in one.get("properties", {}).items():
        if given is True:
            continue
        inner = _resolved(given, schema)
        at = f"{path}{name}"
        yield at, inner, name in required
        if inner.get("items", {}).get("properties"):
            yield from _keys(inner["items"], schema, f"{at}[].")
        if "properties" not in inner or not _is_repeated(given):
            yield from _keys(inner, schema, f"{at}.")
    for variant in one.get("allOf", ()):
        yield from _of_variant(variant, schema, path)
    more = one.get("additionalProperties")
    if isinstance(more, Mapping) and not _is_repeated(more):
        inner = _resolved(more, schema)
        yield from _keys(inner, schema, f"{path}{NAMED}.")
        for branch in ("then", "else"):
            if branch in inner:
                yield from _keys(_resolved(inner[branch], schema), schema, f"{path}{NAMED}.")


def _is_repeated(given: Mapping) -> bool:
    """Whether these keys have a separate section: a model's `training`, a segmentation."""
    return given.get("$ref", "").endswith(("/model_training", "/segmentation"))


def _of_variant(variant: Mapping, schema: Mapping, path: str) -> Iterator[tuple[str, dict, bool]]:
    """Keys that exist for one kind of data set or one family, marked by it."""
    choice = variant.get("if", {}).get("properties", {})
    marks = [f"{key}: {said['const']}" for key, said in choice.items() if "const" in said]
    for at, inner, must in _keys(_resolved(variant["then"], schema), schema, path):
        yield at, {**inner, "only": " and ".join(marks)}, must


def _rows(found: list[tuple[str, dict, bool]]) -> list[str]:
    """Rows of a table. Keys that several kinds or families have alike share one."""
    only: dict[tuple[str, ...], list[str]] = {}
    for path, one, required in found:
        default = "required" if required else _default(one)
        row = (path.replace(NAMED, "<name>"), _values(one), default, _sentence(one))
        only.setdefault(row, []).append(one.get("only", ""))
    rows = []
    all_marks = {one["only"] for _, one, _ in found if one.get("only")}
    for (path, values, default, meaning), marks in only.items():
        alike = set(marks) == all_marks
        given = "" if alike else " or ".join(f"`{mark}`" for mark in marks if mark)
        meaning = f"With {given}. {meaning}".strip() if given else meaning
        rows.append(f"| `{path}` | {values} | {default} | {meaning} |")
    return rows


def _default(one: Mapping) -> str:
    if "default" not in one or one["default"] in ({}, []):
        return ""
    return f"`{_yaml(one['default'])}`"


def _yaml(value) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False)
    return text.removesuffix("...\n").strip().replace("|", "\\|")


def _values(one: Mapping) -> str:
    """What a key may be, in words."""
    if "anyOf" in one:
        said = [_values(option) if "$ref" not in option else "number" for option in one["anyOf"]]
        return " or ".join(dict.fromkeys(said))
    if "const" in one:
        return f"`{one['const']}`"
    if "enum" in one:
        return ", ".join(f"`{_yaml(value)}`" for value in one["enum"])
    choices = one.get("items", {}).get("enum")
    if choices:
        return "list of " + ", ".join(f"`{_yaml(value)}`" for value in choices)
    kinds = one.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    names = {"object": "mapping", "array": "list", "string": "text", "boolean": "`true`, `false`"}
    words = " or ".join("`null`" if kind == "null" else names.get(kind, kind) for kind in kinds)
    limits = [
        (one.get("exclusiveMinimum"), "> {}"),
        (one.get("minimum"), "≥ {}"),
        (one.get("exclusiveMaximum"), "< {}"),
        (one.get("maximum"), "≤ {}"),
        (one.get("multipleOf"), "a multiple of {}"),
    ]
    given = [text.format(limit) for limit, text in limits if limit is not None]
    return ", ".join([words or "mapping", *given])


def _sentence(one: Mapping) -> str:
    return " ".join(str(one.get("description", "")).split()).replace("|", "\\|")
