"""A configuration: checked against its schema, defaults filled in, names cross-checked."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from jsonschema import Draft202012Validator

from cellseg.data import kinds
from cellseg.errors import UserError
from cellseg.models.panopticnet import checks as backbone_checks
from cellseg.study import (
    alternatives,
    config_values,
    ensembles,
    folds,
    fusion_checks,
    head_checks,
    home_folder,
    outside,
    placeholders,
    pseudo_label_checks,
    pseudo_labels,
    renamed_keys,
    searches,
    segmentation_methods,
    spelling,
    star_grids,
    starts,
    windows,
)
from cellseg.study.fusion_names import is_fused
from cellseg.study.runs import as_list, with_own_training
from cellseg.targets import head_names

_NUMBER = re.compile(r"(?=[-+.]*\d)([-+]?\d*)(?:\.(\d*))?(?:[eE]([-+]?\d+))?")


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
        For a placeholder that is not filled in, or a key, value or name that does not exist; names
        the nearest one that does.
    """
    config_values.check(config)
    renamed_keys.refuse(config)
    placeholders.refuse(config, schema)
    errors = sorted(Draft202012Validator(schema).iter_errors(config), key=lambda e: list(e.path))
    if errors:
        raise UserError("\n".join(["the configuration is not valid."] + _explain_all(errors)))
    config = _with_painting(alternatives.without_default(config))
    study = home_folder.expanded(_filled(config, schema, schema))
    alternatives.check("training", study["training"])
    alternatives.check_complete("training", study["training"])
    study = folds.expanded(study)
    _check_names(study)
    outside.check(study)
    fusion_checks.check(study)
    ensembles.check_study(study)
    pseudo_label_checks.check(study)
    starts.check(study)
    for name in study["hyperparameter_searches"]:
        _check_search(name, study)
    study = searches.with_trials(study, config["models"], partial(_complete, study, schema))
    star_grids.check(study)
    return study


def _with_painting(config: Mapping) -> dict:
    """A configuration in which runs of instance detectors have a segmentation of their own."""
    if not any(head_checks.finds_instances(model) for model in config["models"].values()):
        return dict(config)
    if config.get("segmentation", {}).get("method") == segmentation_methods.OF_INSTANCES:
        return dict(config)
    own = {head_names.INSTANCES: {"method": segmentation_methods.OF_INSTANCES}}
    return {**config, "segmentation_by_heads": own | config.get("segmentation_by_heads", {})}


def _complete(study: Mapping, schema: Mapping, model: Mapping, where: str) -> dict:
    """Check an entry of `models` that a search made, and fill in its defaults."""
    of_models = {"$ref": "#/$defs/model", "$defs": schema["$defs"]}
    errors = sorted(Draft202012Validator(of_models).iter_errors(model), key=lambda e: list(e.path))
    if errors:
        raise UserError("\n".join([f"{where} is not a valid model.", *_explain_all(errors)]))
    filled = _filled(model, of_models, schema)
    _check_model(where, filled, study)
    return filled


def _target(schema: Mapping, root: Mapping) -> Mapping:
    """The schema that ``$ref`` points to, with the keys next to it on top."""
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
            then = _target(branch["then"], root)
            known = {k: v for k, v in then.get("properties", {}).items() if v is not True}
            schema = {**schema, **then, "properties": {**schema.get("properties", {}), **known}}
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
                of = _method_of(error.instance, known)
                yield f"{where}: there is no key '{key}'{of}. {spelling.nearest(str(key), known)}"
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        yield f"{where}: the key {', '.join(missing)} is missing.{_meaning(error)}"
    elif error.validator == "enum":
        known = ["null" if value is None else str(value) for value in error.validator_value]
        given = str(error.instance)
        yield f"{where}: '{given}' is not possible. {spelling.nearest(given, known)}"
    else:
        yield f"{where}: {error.message}{_as_number(error.instance)}{_meaning(error)}"


def _method_of(settings: Mapping, known: Iterable[str]) -> str:
    """For which method there is no such key, where keys depend on one."""
    method = settings.get("method", segmentation_methods.DEFAULT)
    return f" for method {method}" if "method" in known else ""


def _meaning(error) -> str:
    description = error.schema.get("description") if isinstance(error.schema, dict) else None
    return f" ({description.strip()})" if description else ""


def _as_number(value: object) -> str:
    """How to write a text that looks like a number, for it to be one: YAML 1.1 has narrow rules."""
    number = _NUMBER.fullmatch(value) if isinstance(value, str) else None
    if number is None:
        return ""
    whole, fraction, exponent = number.groups()
    if exponent is None:
        return f": write {value} without quotes"
    sign = "" if exponent[0] in "+-" else "+"
    return f": write {whole or 0}.{fraction or 0}e{sign}{exponent}"


def _check_names(study: Mapping) -> None:
    """Cross-check every name that one part of the configuration uses of another.

    A misspelt name would otherwise leave an old table in place: "Nothing to be done".
    """
    spelling.check("dataset", study["dataset"], study["datasets"])
    for name, dataset in study["datasets"].items():
        kinds.of(dataset).check(f"datasets.{name}", dataset)
    spelling.check("training.tiling", study["training"]["tiling"], study["tilings"])
    for name, tiling in study["tilings"].items():
        if tiling["tile_overlap"] >= tiling["size"]:
            raise UserError(
                f"tilings.{name}.tile_overlap: must be less than size ({tiling['size']})."
            )
    used = {
        name
        for experiment in study["experiments"].values()
        for block in experiment["conditions"]
        for name in as_list(block["model"])
    }
    used |= {entry["model"] for subset in study["subsets"].values()
             if (entry := subset.get(pseudo_labels.KEY))}  # fmt: skip
    for name, model in study["models"].items():
        _check_model(f"models.{name}", model, study)
        if name in used and not (outside.is_outside(model) or is_fused(model)):
            windows.check(f"models.{name}", model, study)
    for name in study["step_ms"]:
        spelling.check("step_ms", name, study["models"])
    low, high = study["synthesis"]["confluence"]
    if low >= high:
        raise UserError(
            f"synthesis.confluence: {low} to {high} is no range. Give the least share of an image "
            "that cells cover before the largest, such as [0.02, 0.7]."
        )
    for name, subset in study["subsets"].items():
        _check_subset(f"subsets.{name}", subset, study)
    methods = [study["segmentation"]["method"]]
    for name, segmentation in study["segmentation_by_heads"].items():
        try:
            heads = head_names.split(name)
        except UserError as error:
            raise UserError(f"segmentation_by_heads: {error}") from None
        segmentation_methods.check(segmentation["method"], heads, f"segmentation_by_heads.{name}")
        methods.append(segmentation["method"])
    for name, search in study["threshold_searches"].items():
        if not any(isinstance(values, list) for values in search.values()):
            raise UserError(
                f"threshold_searches.{name}: lists no values to try, such as maxima_threshold."
            )
        listed = [setting for setting, values in search.items() if isinstance(values, list)]
        segmentation_methods.check_search(methods, listed, f"threshold_searches.{name}")
    for name, experiment in study["experiments"].items():
        where = f"experiments.{name}"
        if "dataset" in experiment:
            spelling.check(f"{where}.dataset", experiment["dataset"], study["datasets"])
        if experiment["threshold_search"] is not None:
            chosen = experiment["threshold_search"]
            spelling.check(f"{where}.threshold_search", chosen, study["threshold_searches"])
            if study["scoring"]["data_split"] == "val":
                raise UserError(
                    f"{where}.threshold_search: thresholds are chosen on validation images, which "
                    "scoring.data_split scores. Score the test split, or name no threshold search."
                )
        for block in experiment["conditions"]:
            for axis in ("model", "subset"):
                for value in as_list(block[axis]):
                    spelling.check(f"{where}.conditions.{axis}", value, study[f"{axis}s"])
            for value in as_list(block["heads"]):
                if value == head_names.OUTSIDE:
                    continue
                try:
                    heads = head_names.split(value)
                except UserError as error:
                    raise UserError(f"{where}.conditions.{error}") from None
                for model in as_list(block["model"]):
                    if is_fused(study["models"][model]):
                        continue
                    head_checks.check(f"{where}.conditions.heads", study, model, heads)
                    for subset in as_list(block["subset"]):
                        head_checks.check_subset(f"{where}.conditions.subset", study, model, subset)
                segmentation_methods.check_heads(study, heads, f"{where}.conditions.heads")


def _check_search(name: str, study: Mapping) -> None:
    search, where = study["hyperparameter_searches"][name], f"hyperparameter_searches.{name}"
    for axis in ("model", "subset"):
        spelling.check(f"{where}.{axis}", search[axis], study[f"{axis}s"])
    if "dataset" in search:
        spelling.check(f"{where}.dataset", search["dataset"], study["datasets"])
    if search["threshold_search"] is not None:
        chosen = search["threshold_search"]
        spelling.check(f"{where}.threshold_search", chosen, study["threshold_searches"])
        windows.check(f"models.{search['model']}", study["models"][search["model"]], study)
    try:
        heads = head_names.split(search["heads"])
    except UserError as error:
        raise UserError(f"{where}.{error}") from None
    head_checks.check(f"{where}.heads", study, search["model"], heads)
    head_checks.check_subset(f"{where}.subset", study, search["model"], search["subset"])
    segmentation_methods.check_heads(study, heads, f"{where}.heads")
    searches.check(study, name)


def _check_model(where: str, model: Mapping, study: Mapping) -> None:
    if outside.is_outside(model):
        return
    if is_fused(model):
        fusion_checks.check_model(where, model, study)
        return
    head_checks.check_model(where, model)
    alternatives.check(f"{where}.training", model["training"])
    training = with_own_training(study, model["training"])
    alternatives.check_complete(f"{where}.training", training)
    spelling.check(f"{where}.training.tiling", training["tiling"], study["tilings"])
    tiling = study["tilings"][training["tiling"]]
    if tiling["mode"] == "crop" and training["warp"] == "targets":
        raise UserError(
            f"{where}.training.warp: targets are those of whole tiles, and the tiling "
            f"{training['tiling']} has mode crop. Use `warp: labels`, or a tiling of mode cut."
        )
    if model["family"] == windows.OF_ONE_SIZE:
        windows.check_tiles(where, model, tiling)
    if model.get("start_from") is not None:
        starts.check_entry(f"{where}.start_from", model, study)
    if model.get("weights") is not None:
        spelling.check(f"{where}.weights", model["weights"], study["pretrained"])
    if "backbone" in model:  # of a detector the preset names it
        weights = model.get("weights")
        address = None if weights is None else study["pretrained"][weights]["url"]
        backbone_checks.check_model(where, model, tiling["size"], address)
        _check_levels(where, model)


def _check_levels(where: str, model: Mapping) -> None:
    """Refuse levels of a feature pyramid that do not fit together."""
    levels = [int(level[1]) for level in model["backbone_levels"]]
    if levels and sorted(levels) != list(range(min(levels), max(levels) + 1)):
        raise UserError(
            f"{where}.backbone_levels: {', '.join(model['backbone_levels'])} leave one out between "
            "them, and each level is added to the next. Name all from the finest to the coarsest."
        )


def _check_subset(where: str, subset: Mapping, study: Mapping) -> None:
    inverse = 1 / subset["fraction"]
    if subset["selection"] == "every-nth" and abs(inverse - round(inverse)) > 1e-6:
        raise UserError(
            f"{where}.fraction: every-nth takes one half, one third and so on, not "
            f"{subset['fraction']}. Use `selection: seeded` for other fractions."
        )
    if subset["validation"] == "by-well" and study["scoring"]["data_split"] == "val":
        raise UserError(
            f"{where}.validation: by-well trains on images of the val split, which "
            "scoring.data_split scores. Score the test split, or keep the official validation."
        )
    known = [kinds.of(dataset).cell_types(dataset) for dataset in study["datasets"].values()]
    if all(known):  # else the images decide
        for cell_type in subset["cell_types"]:
            spelling.check(f"{where}.cell_types", cell_type, dict.fromkeys(itertools.chain(*known)))
