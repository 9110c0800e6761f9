"""Settings given by ``--config``, of which Snakemake leaves numbers and the like as text."""

from collections.abc import Iterator, Mapping

import yaml
from jsonschema import Draft202012Validator

from cellseg.errors import UserError
from cellseg.study.runs import as_list

# Dates stay text: no setting is one, and folders are named by them.
_TAGS = [f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float")]


def typed(config: Mapping, given: Mapping, schema: Mapping) -> dict:
    """The configuration, with what was given by ``--config`` read as in a config file.

    A value stays text where the schema wants text, as a folder that is named ``7``.

    Parameters
    ----------
    config : the whole configuration, with what was given on top; not changed
    given : what was given by ``--config``, as Snakemake has it; other values stay as they are
    schema : JSON schema of the configuration

    Raises
    ------
    UserError
        A value in braces or brackets is no YAML, or a part of one became a key: quotes are missing.
    """
    _refuse_missing_quotes(given, schema)
    read = _read(config, given)
    if read == config:
        return read
    for error in _innermost(Draft202012Validator(schema).iter_errors(read)):
        if error.validator == "type" and "string" in as_list(error.validator_value):
            _restore(read, config, list(error.absolute_path))
    return read


def _refuse_missing_quotes(given: Mapping, schema: Mapping) -> None:
    """Snakemake takes what it cannot read for text, and YAML a part after a comma for a key."""
    advice = (
        "Put quotes around values with commas, colons, #, @ or brackets, such as "
        '--config \'apply={run: "…", images: "/data/plate 1, day 2"}\'.'
    )
    for key, value in given.items():
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
            try:
                yaml.safe_load(value)
            except yaml.YAMLError as error:
                problem = getattr(error, "problem", None) or "it cannot be read"
                raise UserError(
                    f"--config {key}={value} is not valid YAML: {problem}. {advice}"
                ) from None
        known = schema["properties"].get(key, {}).get("properties")
        if isinstance(value, Mapping) and known:
            for inner, nothing in value.items():
                if nothing in (None, "") and inner not in known:
                    raise UserError(f"--config {key}: '{inner}' has no value. {advice}")


def _restore(read: Mapping, config: Mapping, path: list) -> None:
    """Take the text of `config` back where another value has been read from it."""
    if not path:
        return
    *parents, last = path
    for key in parents:
        read, config = read[key], config[key]
    if isinstance(config[last], str):
        read[last] = config[last]


def _read(config: object, given: object) -> object:
    """`config`, with what is text in `given` read as YAML; containers on the way are copied."""
    if isinstance(given, Mapping) and isinstance(config, Mapping):
        return {
            key: _read(value, given[key]) if key in given else value
            for key, value in config.items()
        }
    if isinstance(given, list) and isinstance(config, list):
        return [_read(value, value) for value in config]
    return _scalar(config) if isinstance(config, str) and isinstance(given, str) else config


def _scalar(text: str) -> object:
    loader = yaml.SafeLoader("")
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))
    return loader.construct_object(yaml.ScalarNode(tag, text)) if tag in _TAGS else text


def _innermost(errors: Iterator) -> Iterator:
    """Errors, and those of the alternatives that none of them fits."""
    for error in errors:
        yield error
        yield from _innermost(error.context)
