"""The configuration: defaults, errors a user can act on, runs."""

import copy
import re

import pytest
import yaml

from cellseg.errors import UserError
from cellseg.figures.registry import DRAWN_ELSEWHERE, FIGURES
from cellseg.images.normalization import METHODS
from cellseg.models import FAMILIES
from cellseg.study import outside, validation
from cellseg.study import runs as studies
from cellseg.study.fusion_names import FUSION
from cellseg.study.runs import Run
from cellseg.targets import channels
from cellseg.targets.heads import HEADS


@pytest.fixture(scope="session")
def schema(checkout):
    return yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())


@pytest.fixture
def small():
    """A configuration that names only what has no default."""
    return {
        "dataset": "cells",
        "datasets": {"cells": {"kind": "simulated"}},
        "models": {"net": {"family": "deepcell", "backbone": "featurenet"}},
        "subsets": {"full": {}},
        "experiments": {
            "first": {
                "title": "A title",
                "conditions": [
                    {
                        "model": "net",
                        "heads": "inner-distance+pixelwise",
                        "subset": "full",
                        "seed": 0,
                    }
                ],
                "figures": [],
            }
        },
    }


def test_defaults_are_those_of_the_report(small, schema):
    study = validation.resolve(small, schema)
    training = study["training"]
    assert (training["learning_rate"], training["clipnorm"]) == (5e-4, 1e-3)
    assert (training["batch_size"], training["epochs"]) == (2, 50)
    assert training["softmax_loss_scale"] == 0.01
    assert training["schedule"]["name"] == "constant"
    watershed = study["segmentation"]
    assert (watershed["maxima_threshold"], watershed["interior_threshold"]) == (0.1, 0.3)
    assert study["scoring"]["min_size"] == 15
    assert study["datasets"]["cells"]["images"] == {"train": 4, "val": 1, "test": 1}
    assert study["heads"]["inner-distance"]["alpha"] == "auto"


def test_the_given_configuration_is_not_changed(small, schema):
    before = copy.deepcopy(small)
    validation.resolve(small, schema)
    assert small == before


def _changed(path, value):
    def change(study):
        *parents, last = path
        for key in parents:
            study = study[key]
        study[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (["trainng"], {}, "no key 'trainng'. Did you mean 'training'?"),
        (["training"], {"epoch": 3}, "training: there is no key 'epoch'. Did you mean 'epochs'?"),
        (["training"], {"tiling": "cut-265"}, "'cut-265' is not defined. Did you mean 'cut-256'?"),
        (
            ["models", "net", "backbone"],
            "resnet5O",
            "models.net.backbone: 'resnet5O' is not possible",
        ),
        (["models", "net", "weights"], "imagenet", "models.net.weights: 'imagenet' is not defined"),
        (["dataset"], "Cells", "dataset: 'Cells' is not defined. Did you mean 'cells'?"),
        (["experiments", "first", "conditions", 0, "model"], "nte", "Did you mean 'net'?"),
        (
            ["experiments", "first", "conditions", 0, "subset"],
            ["full", "ful"],
            "'ful' is not defined",
        ),
        (
            ["experiments", "first", "conditions", 0, "heads"],
            "pixelwise+inner-distance",
            "write it as 'inner-distance+pixelwise'",
        ),
        (["experiments", "first", "conditions", 0, "heads"], "inner", "'inner' is not one of"),
        (
            ["experiments", "first", "conditions", 0, "seed"],
            "1",
            "experiments.first.conditions.0.seed",
        ),
        (["experiments", "first", "figures"], ["f1-by-head"], "Did you mean 'f1-by-heads'?"),
        (["datasets", "cells", "image"], {}, "datasets.cells: there is no key 'image'"),
        (["datasets", "cells", "kind"], "simulate", "Did you mean 'simulated'?"),
        (["datasets", "cells"], {"kind": "download"}, "the key url is missing"),
        (["datasets", "cells"], {"kind": "local", "images": "x"}, "give either `path`"),
        (
            ["datasets", "cells"],
            {"kind": "local", "images": "x", "labels": {"train": "a", "test": "b"}},
            "for each of the three splits. To make one, move some of train into another folder",
        ),
        (
            ["tilings"],
            {"cut-256": {"tile_overlap": 300}},
            "tilings.cut-256.tile_overlap: must be less",
        ),
        (["datasets", "cells"], {"images": {}}, "datasets.cells: the key kind is missing"),
        (["subsets"], {5: {}}, "subsets: the name 5 needs quotes"),
        (["subsets", "full"], {"cell_types": ["A127"]}, "Did you mean 'A172'?"),
        (["subsets", "full"], {"fraction": 0.7}, "Use `selection: seeded`"),
        (
            ["subsets", "full"],
            {"synthetic_per_image": 0},
            "subsets.full.synthetic_per_image: 0 is less than the minimum",
        ),
        (["synthesis"], {"confluence": [0.5, 0.1]}, "synthesis.confluence: 0.5 to 0.1 is no range"),
        (["prediction"], {"window": 512}, "set models.net.location to false"),
        (["segmentation"], {"maxima_threshold": 0}, "segmentation.maxima_threshold"),
        (["training"], {"epochs": 0}, "training.epochs: 0 is less than the minimum of 1"),
        (["training"], {"learning_rate": "1e-4"}, "'1e-4' is not of type 'number': write 1.0e-4 ("),
        (["training"], {"learning_rate": "2.5E4"}, "write 2.5e+4"),
        (["training"], {"clipnorm": ".5e-3"}, "write 0.5e-3"),
        (
            ["training"],
            {"batch_size": "20"},
            "'20' is not of type 'integer': write 20 without quotes",
        ),
        (["training"], {"batch_size": "many"}, "'many' is not of type 'integer' ("),
    ],
)
def test_errors_name_key_value_and_nearest_name(small, schema, path, value, expected):
    _changed(path, value)(small)
    with pytest.raises(UserError) as error:
        validation.resolve(small, schema)
    assert expected in str(error.value)


def test_scored_images_cannot_be_trained_on(small, schema):
    small["subsets"]["full"] = {"validation": "by-well"}
    validation.resolve(small, schema)
    small["scoring"] = {"data_split": "val"}
    with pytest.raises(UserError, match="by-well trains on images of the val split"):
        validation.resolve(small, schema)


def test_runs_are_products_and_each_is_there_once(small, schema):
    small["experiments"]["first"]["conditions"] = [
        {"model": "net", "heads": ["fgbg", "pixelwise"], "subset": "full", "seed": [1, 0]},
        {"model": "net", "heads": "fgbg", "subset": "full", "seed": 1},
    ]
    study = validation.resolve(small, schema)
    assert studies.runs_of(study, "first") == [
        Run("cells", "net", "fgbg", "full", 1),
        Run("cells", "net", "fgbg", "full", 0),
        Run("cells", "net", "pixelwise", "full", 1),
        Run("cells", "net", "pixelwise", "full", 0),
    ]
    assert len(studies.all_runs(study)) == 4


def test_settings_do_not_depend_on_the_order_of_keys(small, schema):
    small["models"]["net"]["training"] = {"schedule": {"name": "cosine"}, "epochs": 3}
    small["training"] = {"batch_size": 4, "learning_rate": 0.001}
    turned = copy.deepcopy(small)
    turned["training"] = dict(reversed(turned["training"].items()))
    small["heads"] = {"inner-distance": {"alpha": "auto", "beta": 1}}
    turned["heads"] = {"inner-distance": {"beta": 1, "alpha": "auto"}}
    turned["models"]["net"] = dict(reversed(turned["models"]["net"].items()))
    first, second = (
        studies.run_settings(
            validation.resolve(c, schema), "net", "inner-distance+pixelwise", "full", 0
        )
        for c in (small, turned)
    )
    assert repr(first) == repr(second)
    assert first["training"]["epochs"] == 3
    assert first["training"]["schedule"] == {
        "decay": 0.99, "factor": 0.1, "name": "cosine", "patience": 5, "warmup": 0.1
    }  # fmt: skip


def test_extending_changes_the_settings_of_no_other_run(small, schema):
    study = validation.resolve(small, schema)
    settings = studies.run_settings(study, "net", "fgbg", "full", 0)
    assert sorted(settings) == ["heads", "model", "seed", "subset", "tiling", "training"]
    assert sorted(settings["subset"]) == ["cell_types", "fraction", "selection", "validation"]
    small["subsets"]["more"] = {"synthetic_per_image": 5}
    small["synthesis"] = {"doublings": 1}
    extended = validation.resolve(small, schema)
    assert repr(studies.run_settings(extended, "net", "fgbg", "full", 0)) == repr(settings)
    more = studies.run_settings(extended, "net", "fgbg", "more", 0)
    assert more["subset"]["synthetic_per_image"] == 5
    assert more["synthesis"] == {"confluence": [0.02, 0.7], "doublings": 1, "seed": 0}


@pytest.mark.parametrize(
    ("subset", "expected"),
    [
        ({"validation": "official"}, []),
        ({"validation": "official", "synthetic_per_image": 2}, [(2, "train")]),
        ({"validation": "by-well", "synthetic_per_image": 2}, [(2, "train"), (2, "val")]),
        (
            {"validation": "official", "synthetic_per_image": 2, "folds": {"images": "training"}},
            [(2, "train"), (2, "val")],
        ),
        (
            {"validation": "official", "synthetic_per_image": 2, "folds": {"images": "all"}},
            [(2, "train"), (2, "val"), (2, "test")],
        ),
    ],
)
def test_extensions_of_a_subset(subset, expected):
    assert studies.extensions(subset) == expected


def test_schema_describes_every_key_and_agrees_with_the_registries(schema):
    def properties(node, path=""):
        if isinstance(node, dict):
            for name, entry in node.get("properties", {}).items():
                yield f"{path}.{name}", entry
            for key, value in node.items():
                yield from properties(value, f"{path}.{key}")
        elif isinstance(node, list):
            for value in node:
                yield from properties(value, path)

    definitions = schema["$defs"]
    for path, entry in properties(schema):
        if not isinstance(entry, dict) or ".if." in path:
            continue  # `kind`, described where the kinds are
        target = definitions.get(entry.get("$ref", "").rpartition("/")[2], {})
        per_split = path.rpartition(".")[2] in ("train", "val", "test")
        assert per_split or "description" in {**target, **entry}, path
    families = [*FAMILIES, FUSION, outside.FAMILY]
    assert definitions["model"]["properties"]["family"]["enum"] == families
    assert list(schema["$defs"]["heads"]["properties"]) == list(HEADS)
    assert list(channels.USED) == list(HEADS)
    experiment = schema["properties"]["experiments"]["additionalProperties"]["properties"]
    assert experiment["figures"]["items"]["enum"] == [*FIGURES, *DRAWN_ELSEWHERE]
    assert definitions["training"]["properties"]["normalization"]["enum"] == list(METHODS)


def test_whole_images_need_a_network_that_takes_them(small, schema):
    small["prediction"] = {"window": "image"}
    small["models"]["net"]["location"] = False
    with pytest.raises(UserError, match="family deepcell, which takes squares"):
        validation.resolve(small, schema)
    small["models"]["net"]["family"] = "panopticnet"
    assert validation.resolve(small, schema)["prediction"]["window"] == "image"
    small["models"]["net"]["location"] = True
    with pytest.raises(UserError, match="location to false"):
        validation.resolve(small, schema)


def test_settings_of_the_other_family_are_refused(small, schema):
    assert "preprocessing" not in validation.resolve(small, schema)["models"]["net"]
    small["models"]["net"]["preprocessing"] = "imagenet"
    with pytest.raises(UserError, match="there is no key 'preprocessing'"):
        validation.resolve(small, schema)
    small["models"]["net"]["family"] = "panopticnet"
    net = validation.resolve(small, schema)["models"]["net"]
    assert (net["backend"], net["rescaling"]) == ("tensorflow", "none")


def test_a_unet_has_settings_of_its_own(small, schema):
    small["models"]["net"] = {"family": "unet", "ensemble": "cell-type"}
    net = validation.resolve(small, schema)["models"]["net"]
    assert (net["architecture"], net["width"], net["ensemble"]) == ("unet", 64, "cell-type")
    assert "backbone_levels" not in net and "location" not in net
    small["prediction"] = {"window": "image"}
    validation.resolve(small, schema)
    small["models"]["net"]["backbone"] = "resnet50"
    with pytest.raises(UserError, match="there is no key 'backbone'"):
        validation.resolve(small, schema)
    small["models"]["net"] = {"family": "unet", "architecture": "unet-deeper"}
    with pytest.raises(UserError, match="Did you mean 'unet-deep'"):
        validation.resolve(small, schema)


def test_all_studies_of_the_repository_are_valid(checkout, schema):
    paths = [checkout / "config.yaml", *sorted((checkout / "workflow/studies").glob("*.yaml"))]
    assert len(paths) > 1
    for path in paths:
        text = path.read_text()
        if path.name == "own.yaml":  # to be filled in
            text = re.sub("<[A-Z ]+>", "filled-in", text)
        assert studies.all_runs(validation.resolve(yaml.safe_load(text), schema)), path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"threshold_searches": {"grid": {"maxima_threshold": [0.1]}}, "use": "gird"},
            "Did you mean 'grid'",
        ),
        ({"threshold_searches": {"grid": {"score": "msa"}}, "use": "grid"}, "lists no values"),
        (
            {
                "threshold_searches": {"grid": {"maxima_threshold": [0.1]}},
                "scoring": {"data_split": "val"},
                "use": "grid",
            },
            "chosen on validation images",
        ),
    ],
)
def test_threshold_searches_are_checked(small, schema, changes, message):
    used = changes.pop("use")
    small.update(changes)
    small["experiments"]["first"]["threshold_search"] = used
    with pytest.raises(UserError, match=message):
        validation.resolve(small, schema)


def _bomb():
    values: dict = {"a": 1}
    for _ in range(9):
        values = {f"k{number}": values for number in range(10)}
    return values


def _endless():
    values: dict = {}
    values["again"] = [values]
    return values


def _deep():
    values: list = []
    for _ in range(2000):
        values = [values]
    return values


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (_bomb(), "aliases .* more than 1000000 values"),
        (_endless(), "refers to itself"),
        (_deep(), "refers to itself, or is too deep"),
        (float("inf"), "training: inf is no finite number"),
        (float("nan"), "training: nan is no finite number"),
        ([0.1, float("-inf")], r"training.1: -inf is no finite number"),
    ],
)
def test_values_that_no_configuration_has(small, schema, value, message):
    with pytest.raises(UserError, match=message):
        validation.resolve({**small, "training": value}, schema)


def test_aliases_that_are_no_bomb(small, schema):
    shared = {"cell_types": ["BV2"]}
    study = validation.resolve({**small, "subsets": {"full": {}, "a": shared, "b": shared}}, schema)
    assert study["subsets"]["a"] == study["subsets"]["b"]


@pytest.mark.parametrize("seed", [2**32, -1, 1.5])
def test_seeds_that_no_generator_takes(small, schema, seed):
    small["experiments"]["first"]["conditions"][0]["seed"] = [0, seed]
    with pytest.raises(UserError, match="seed"):
        validation.resolve(small, schema)


def test_a_tilde_is_the_home_folder(small, schema, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    folders = {split: f"~/labels/{split}" for split in ("train", "val", "test")}
    small["datasets"]["own"] = {"kind": "local", "images": "~/images", "labels": folders}
    small["datasets"]["layout"] = {"kind": "local", "path": "~"}
    small["apply"] = {"run": "~/run/seed-0", "images": "a~b", "output": "~/out"}
    study = validation.resolve(small, schema)
    own = study["datasets"]["own"]
    assert own["images"] == "/home/me/images" and own["labels"]["val"] == "/home/me/labels/val"
    assert study["datasets"]["layout"]["path"] == "/home/me"
    apply = study["apply"]
    assert (apply["run"], apply["images"]) == ("/home/me/run/seed-0", "a~b")
    assert apply["output"] == "/home/me/out"


@pytest.mark.parametrize("name", ["full\n", "a b", "../x", "a/b", ".hidden", "", "a{b}", "a\nb"])
def test_names_that_are_no_folders(small, schema, name):
    with pytest.raises(UserError, match="subsets"):
        validation.resolve({**small, "subsets": {"full": {}, name: {}}}, schema)


def test_crops_are_not_trained_on_with_targets_of_whole_tiles(small, schema):
    small["tilings"] = {"crops": {"mode": "crop"}}
    small["training"] = {"tiling": "crops", "warp": "targets"}
    with pytest.raises(UserError, match=r"models\.net\.training\.warp: .*`warp: labels`"):
        validation.resolve(small, schema)
    small["training"]["warp"] = "labels"
    assert validation.resolve(small, schema)["tilings"]["crops"]["scales"] == [1]
