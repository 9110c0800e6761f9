"""Every key that a configuration may have, as its schema lists them."""

from collections.abc import Iterator, Mapping

KNOWN = {
    *("type", "description", "default", "enum", "const", "required", "partial"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("pattern", "contains"),
    *("minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "propertyNames"),
    *("$ref", "$schema", "$defs", "properties", "patternProperties", "additionalProperties"),
    *("allOf", "anyOf", "oneOf", "if", "then", "else", "items"),
}  # fmt: skip
"""Words of JSON Schema that are understood here: another one fails instead of hiding keys."""


def leaves(schema: Mapping) -> list[str]:
    """Paths of all keys that hold a value, such as ``training.schedule.name``, sorted.

    A name that the user chooses is ``*``, an entry of a list ``[]``. Keys that only some entries
    have follow the value that decides, such as ``datasets.*<download>.url``.

    Raises
    ------
    ValueError
        The schema has a word that is not understood here.
    """
    return sorted(set(_walk(schema, schema, "")))


def values(schema: Mapping, leaf: str) -> list:
    """The values among which a key chooses; empty where it is free."""
    found: list = []
    for path, node in _nodes(schema, schema, ""):
        if path == leaf:
            found += node.get("enum", [])
            found += [False, True] if node.get("type") == "boolean" else []
    return list({repr(value): value for value in found}.values())


def _walk(node: object, root: Mapping, path: str) -> Iterator[str]:
    for leaf, _ in _nodes(node, root, path):
        yield leaf


def _nodes(node: object, root: Mapping, path: str) -> Iterator[tuple[str, Mapping]]:
    node = _resolved(node, root)
    unknown = set(node) - KNOWN
    if unknown:
        raise ValueError(f"{path or 'the schema'}: {', '.join(sorted(unknown))} is not understood")
    inner = list(_children(node, root, path))
    if inner:
        for place, child in inner:
            yield from _nodes(child, root, place)
    elif len(node.get("enum", [])) == 1:
        return  # it has no other value
    elif node.get("additionalProperties") is not False:  # one without keys holds no value
        yield path, node


def _children(node: Mapping, root: Mapping, path: str) -> Iterator[tuple[str, Mapping]]:
    """The schemas of what a value holds, or of the kinds that it may be of."""
    for name, child in node.get("properties", {}).items():
        if child is not True:  # described where it decides
            yield f"{path}.{name}".lstrip("."), child
    others = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    for child in others:
        if isinstance(child, Mapping):
            yield f"{path}.*", child
    if isinstance(node.get("items"), Mapping) and _holds_keys(node["items"], root):
        yield f"{path}[]", node["items"]
    for branch in node.get("allOf", []):
        [(_, decides)] = branch["if"]["properties"].items()
        yield f"{path}<{decides['const']}>", branch["then"]
    kinds = [node[word] for word in ("then", "else") if word in node]
    for child in [*node.get("anyOf", []), *node.get("oneOf", []), *kinds]:
        if _holds_keys(child, root):
            yield path, child
        elif kinds:
            yield f"{path}[]", child


def _holds_keys(node: object, root: Mapping) -> bool:
    return any(True for _ in _children(_resolved(node, root), root, ""))


def _resolved(node: object, root: Mapping) -> dict:
    """A schema with what its ``$ref`` points to."""
    node = dict(node)
    while "$ref" in node:
        found: object = root
        for part in node.pop("$ref").removeprefix("#/").split("/"):
            found = found[part]
        node = {**found, **node}
    return node
