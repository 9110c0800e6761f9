"""A study's configuration: checked against its schema, defaults filled in, runs expanded."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from jsonschema import Draft202012Validator

from cellseg import heads as head_registry
from cellseg.errors import UserError


@dataclass(frozen=True, order=True)
class Run:
    """One trained network: a point on the four axes, on one data set."""

    dataset: str
    model: str
    heads: str
    subset: str
    seed: int


def resolve(config: Mapping, schema: Mapping) -> dict:
    """Check a configuration and fill in the defaults.

    Parameters
    ----------
    config : as read from YAML; not changed
    schema : JSON schema with ``default`` values

    Returns
    -------
    dict : the complete configuration

    Raises
    ------
    UserError
        For a key, value or name that does not exist; names the nearest one that does.
    """
    errors = sorted(Draft202012Validator(schema).iter_errors(config), key=lambda e: list(e.path))
    if errors:
        raise UserError("\n".join(["the configuration is not valid."] + _explain_all(errors)))
    study = _filled(config, schema, schema)
    _check_names(study)
    return study


def runs_of(study: Mapping, experiment: str) -> list[Run]:
    """Runs of an experiment, in the order of the configuration, each once."""
    entry = study["experiments"][experiment]
    dataset = entry.get("dataset", study["dataset"])
    points = (
        Run(dataset, *point)
        for block in entry["runs"]
        for point in product(*(_list(block[axis]) for axis in ("model", "heads", "subset", "seed")))
    )
    return list(dict.fromkeys(points))


def all_runs(study: Mapping) -> list[Run]:
    """Runs of all experiments, sorted, each once."""
    return sorted({run for name in study["experiments"] for run in runs_of(study, name)})


def run_settings(study: Mapping, model: str, heads: str, subset: str, seed: int) -> dict:
    """Everything that decides what one training computes, with sorted keys.

    Two configurations that mean the same training give the same settings, whatever the order of
    their keys; names of entries are not among them, what the entries hold is.
    """
    entry = dict(study["models"][model])
    training = _merged(study["training"], entry.pop("training"))
    settings = {
        "heads": {head: study["heads"][head] for head in head_registry.split(heads)},
        "model": entry,
        "seed": seed,
        "subset": study["subsets"][subset],
        "tiling": study["tilings"][training["tiling"]],
        "training": training,
    }
    # The order of heads is the order of the network's outputs and stays.
    return {key: value if key == "heads" else _sorted(value) for key, value in settings.items()}


def tiling_of(study: Mapping, model: str) -> str:
    """Name of the tiling that a model is trained on."""
    return _merged(study["training"], study["models"][model]["training"])["tiling"]


def _list(value: object) -> list:
    return value if isinstance(value, list) else [value]


def _merged(defaults: Mapping, changes: Mapping) -> dict:
    merged = dict(defaults)
    for key, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if nested else value
    return merged


def _sorted(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return value


def _target(schema: Mapping, root: Mapping) -> Mapping:
    """The schema that ``$ref`` points to, with the keys beside it on top."""
    if "$ref" not in schema:
        return schema
    found: Mapping = root
    for part in schema["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return {**_target(found, root), **{k: v for k, v in schema.items() if k != "$ref"}}


def _filled(value: object, schema: Mapping, root: Mapping) -> object:
    schema = _target(schema, root)
    if not isinstance(value, Mapping) or schema.get("partial"):
        return value
    for branch in schema.get("allOf", []):
        if Draft202012Validator(branch["if"]).is_valid(value):
            schema = {**schema, **_target(branch["then"], root)}
    filled = dict(value)
    properties = schema.get("properties", {})
    for key, inner in properties.items():
        inner = _target(inner, root) if inner is not True else {}
        if key not in filled and "default" in inner:
            filled[key] = inner["default"]
    others = schema.get("additionalProperties")
    for key in filled:
        inner = properties.get(key, others)
        if isinstance(inner, Mapping):
            filled[key] = _filled(filled[key], inner, root)
    return filled


def _explain_all(errors: Iterable) -> list[str]:
    return list(dict.fromkeys(f"- {line}" for error in errors for line in _explain(error)))


def _explain(error) -> Iterator[str]:
    where = ".".join(str(part) for part in error.absolute_path) or "the top level"
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        for key in error.instance:
            if key not in known:
                yield f"{where}: there is no key '{key}'. {_nearest(str(key), known)}"
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        yield f"{where}: the key {', '.join(missing)} is missing."
    elif error.validator == "enum":
        known = [str(value) for value in error.validator_value]
        yield f"{where}: '{error.instance}' is not possible. {_nearest(str(error.instance), known)}"
    else:
        description = error.schema.get("description") if isinstance(error.schema, dict) else None
        meaning = f" ({description.strip()})" if description else ""
        yield f"{where}: {error.message}{meaning}"


def _nearest(name: str, known: list[str]) -> str:
    folded = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), list(folded), n=1)
    hint = f"Did you mean '{folded[close[0]]}'? " if close else ""
    return f"{hint}Possible: {', '.join(known)}."


def _check_name(where: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise UserError(f"{where}: '{name}' is not defined. {_nearest(name, list(known))}")


def _check_names(study: Mapping) -> None:
    """Cross-check every name that one part of the configuration uses of another.

    A misspelt name would otherwise leave an old table in place: "Nothing to be done".
    """
    _check_name("dataset", study["dataset"], study["datasets"])
    for name, dataset in study["datasets"].items():
        if dataset["kind"] == "local":
            _check_local(f"datasets.{name}", dataset)
    _check_name("training.tiling", study["training"]["tiling"], study["tilings"])
    for name, tiling in study["tilings"].items():
        if tiling["overlap"] >= tiling["size"]:
            raise UserError(f"tilings.{name}.overlap: must be less than size ({tiling['size']}).")
    for name, model in study["models"].items():
        where = f"models.{name}"
        if "tiling" in model["training"]:
            _check_name(f"{where}.training.tiling", model["training"]["tiling"], study["tilings"])
        if model["weights"] is not None:
            _check_name(f"{where}.weights", model["weights"], study["pretrained"])
    for name, experiment in study["experiments"].items():
        where = f"experiments.{name}"
        if "dataset" in experiment:
            _check_name(f"{where}.dataset", experiment["dataset"], study["datasets"])
        for block in experiment["runs"]:
            for axis in ("model", "subset"):
                for value in _list(block[axis]):
                    _check_name(f"{where}.runs.{axis}", value, study[f"{axis}s"])
            for value in _list(block["heads"]):
                try:
                    head_registry.split(value)
                except UserError as error:
                    raise UserError(f"{where}.runs.{error}") from None


def _check_local(where: str, dataset: Mapping) -> None:
    given = {key for key in ("path", "images", "annotations", "labels") if key in dataset}
    if given not in ({"path"}, {"images", "annotations"}, {"images", "labels"}):
        raise UserError(
            f"{where}: give either `path` (a folder in the official LIVECell layout), or `images` "
            f"with `annotations`, or `images` with `labels`; given: {', '.join(sorted(given))}."
        )
