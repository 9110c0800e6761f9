"""Backbones: declared whole or refused in the plan; weight files of another one are refused."""

import copy
import dataclasses

import numpy as np
import pytest
import yaml

from cellseg import models
from cellseg.errors import UserError
from cellseg.images.normalization import normalize
from cellseg.models import backbone_files
from cellseg.models.panopticnet import declarations
from cellseg.models.panopticnet.declarations import BACKBONES, Backbone
from cellseg.study import validation

MINE = Backbone(
    builder="ResNet50V2",
    taps=(
        *("conv1_conv", "conv2_block3_1_relu", "conv3_block4_1_relu", "conv4_block6_1_relu"),
        "post_relu",
    ),
    preprocessing="tf",
    stride=32,
    smallest=64,
    parameters=25_000_000,
    weights=("resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",),
    in_deepcell=True,
)
"""A throw-away backbone whose name begins like ResNet50's and that is fed other values."""

FIELDS = [field.name for field in dataclasses.fields(Backbone)]


@pytest.fixture
def schema(checkout):
    """With the throw-away backbone."""
    schema = yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())
    schema["$defs"]["backbone"]["enum"].append("resnet50v2")
    return schema


@pytest.fixture
def declare(monkeypatch):
    """Declare the throw-away backbone, with changes."""

    def declare(**changes):
        entry = dataclasses.replace(MINE, **changes)
        monkeypatch.setitem(BACKBONES, "resnet50v2", entry)

    return declare


def _study(family="panopticnet", **model):
    return {
        "dataset": "cells",
        "datasets": {"cells": {"kind": "simulated"}},
        "tilings": {"cut-256": {}, "small": {"size": 64, "tile_overlap": 0}},
        "pretrained": {
            name: {"url": f"https://example.org/{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"}
            for name in ("resnet50", "resnet101", "resnet50v2", "my")
        },
        "models": {"net": {"family": family, "backbone": "resnet50v2", **model}},
        "subsets": {"full": {}},
        "experiments": {
            "first": {
                "title": "A title",
                "conditions": [{"model": "net", "heads": "fgbg", "subset": "full", "seed": 0}],
                "figures": [],
            }
        },
    }


def test_every_backbone_of_the_schema_is_declared_whole(checkout):
    schema = yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())
    assert list(BACKBONES) == schema["$defs"]["backbone"]["enum"]
    assert all(declarations.declared(name) == entry for name, entry in BACKBONES.items())
    assert (checkout / declarations.FILE).is_file()


@pytest.mark.parametrize("family", ["deepcell", "panopticnet"])
@pytest.mark.parametrize("field", FIELDS)
def test_a_backbone_that_forgets_something_is_refused_in_the_plan(field, family, schema, declare):
    declare(**{field: None})
    with pytest.raises(UserError) as refused:
        validation.resolve(_study(family, weights="resnet50v2"), schema)
    message = str(refused.value)
    assert message.startswith("models.net.backbone: ") and "'resnet50v2'" in message
    assert declarations.FILE in message and f"Declare `{field}`: " in message


def test_all_that_is_forgotten_is_named_at_once(schema, declare):
    declare(preprocessing=None, parameters=None)
    with pytest.raises(UserError, match=r"Declare `preprocessing`: .*; `parameters`: "):
        validation.resolve(_study(), schema)


@pytest.mark.parametrize(
    "wrong",
    [{"preprocessing": "imagenet"}, {"taps": MINE.taps[:4]}, {"smallest": 40}, {"stride": 0},
     {"weights": "resnet50v2.h5"}],
)  # fmt: skip
def test_what_cannot_be_right_is_refused_too(wrong, schema, declare):
    declare(**wrong)
    with pytest.raises(UserError, match=rf"Declare `{next(iter(wrong))}`|Declare .*`smallest`"):
        validation.resolve(_study(), schema)


@pytest.mark.parametrize("family", ["deepcell", "panopticnet"])
def test_a_backbone_without_a_declaration_is_refused_in_the_plan(family, schema):
    with pytest.raises(UserError, match=rf"'resnet50v2' has no declaration.*{declarations.FILE}"):
        validation.resolve(_study(family), schema)


def test_a_search_over_backbones_is_refused_too(schema, declare):
    declare(preprocessing=None)
    study = _study(backbone="resnet50")
    study["hyperparameter_searches"] = {
        "try": {
            "model": "net", "heads": "fgbg", "subset": "full", "trials": 2,
            "space": {"backbone": ["resnet50", "resnet50v2"]}, "title": "A title", "rungs": [1],
        }
    }  # fmt: skip
    with pytest.raises(UserError, match=r"backbone 'resnet50v2'.* Declare `preprocessing`"):
        validation.resolve(study, schema)


def test_a_whole_declaration_is_enough(schema, declare):
    declare()
    study = validation.resolve(_study(weights="resnet50v2"), schema)
    model = study["models"]["net"]
    assert 25e6 < models.expected_parameters(model, 1) < 25.4e6
    from cellseg.models.panopticnet import backbones
    from cellseg.models.panopticnet.preprocessing import scaling

    import keras  # isort: skip  (after the backend is chosen)

    maps = backbones.features("resnet50v2", keras.Input((64, 64, 3)))
    assert [map.shape[1] for map in maps] == [32, 16, 8, 4, 2]
    image = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 1)).astype(np.uint8)
    factor, offset = scaling(model, "percentile")
    colours = 255 * np.repeat(normalize(image, "percentile"), 3, axis=-1)
    np.testing.assert_allclose(
        normalize(image, "percentile") * factor + offset,
        keras.applications.resnet_v2.preprocess_input(colours),
        atol=1e-5,
    )


def test_a_wrong_builder_or_layer_is_named(declare):
    from cellseg.models.panopticnet import backbones

    import keras  # isort: skip

    declare(builder="ResNet50V3")
    with pytest.raises(
        UserError, match=r"'resnet50v2': keras.applications has no class ResNet50V3"
    ):
        backbones.features("resnet50v2", keras.Input((64, 64, 3)))
    declare(taps=(*MINE.taps[:4], "nowhere"))
    with pytest.raises(UserError, match=r"ResNet50V2 has no layer nowhere\. Correct `taps`"):
        backbones.features("resnet50v2", keras.Input((64, 64, 3)))


def test_tiles_that_are_too_small_are_refused(schema, declare):
    small = {"training": {"tiling": "small"}}
    declare(smallest=64)
    validation.resolve(_study(**small), schema)
    declare(smallest=96)
    with pytest.raises(UserError, match=r"models\.net\.backbone.*from 96 pixels.*tiles are of 64"):
        validation.resolve(_study(**small), schema)
    declare(smallest=384, stride=384)
    with pytest.raises(UserError, match="in steps of 384"):
        validation.resolve(_study(), schema)


def test_images_that_are_too_small_are_filled_up(declare, monkeypatch, tmp_path):
    from cellseg.models.panopticnet.family import FAMILY

    declare(smallest=96)
    settings = {"heads": {"fgbg": {}}, "model": {"backbone": "resnet50v2"}}
    predictor = FAMILY.Predictor(settings, tmp_path)
    seen = []
    monkeypatch.setattr(
        predictor, "_predictor", lambda shape: seen.append(shape) or (lambda x: {"fgbg": x})
    )
    images = np.zeros((1, 40, 97, 1), np.float32)
    assert predictor(images)["fgbg"].shape == images.shape
    assert seen == [(96, 128)]


def test_deepcell_lacks_it(schema, declare):
    declare(in_deepcell=False)
    with pytest.raises(UserError, match="deepcell package has no backbone 'resnet50v2'"):
        validation.resolve(_study("deepcell"), schema)
    validation.resolve(_study("panopticnet"), schema)


@pytest.mark.parametrize("family", ["deepcell", "panopticnet"])
@pytest.mark.parametrize(
    ("backbone", "weights", "owner"),
    [("resnet50", "resnet101", "resnet101"), ("resnet101", "resnet50", "resnet50"),
     ("featurenet", "resnet50", "resnet50"), ("resnet50", "resnet50v2", "resnet50v2")],
)  # fmt: skip
def test_published_weights_of_another_backbone_are_refused_in_the_plan(
    family, backbone, weights, owner, schema, declare
):
    declare()
    study = _study(family, backbone=backbone, weights=weights)
    message = rf"models\.net\.weights: .* weights of {owner}, and the backbone is {backbone} "
    with pytest.raises(UserError, match=message):
        validation.resolve(study, schema)
    validation.resolve(_study(family, backbone="resnet50v2", weights="resnet50v2"), schema)
    # A file that nobody published is compared with the network when it is loaded.
    validation.resolve(_study(family, backbone=backbone, weights="my"), schema)


def test_the_studies_of_the_repository_name_published_files(checkout):
    for path in [checkout / "config.yaml", *(checkout / "workflow/studies").glob("*.yaml")]:
        study = yaml.safe_load(path.read_text())
        for model in copy.deepcopy(study["models"]).values():
            if model.get("weights"):
                url = study["pretrained"][model["weights"]]["url"]
                assert url.rpartition("/")[2] in BACKBONES[model["backbone"]].weights, path


OWN = ["stem", "normalization", "a", "b", "c"]


def test_all_layers_of_a_backbone_come_from_the_file():
    def shared(found, own=OWN):
        return backbone_files.shared_layers("mine.h5", "net", own, found)

    assert shared(["stem", "a", "b", "c"]) == ["stem", "a", "b", "c"]
    assert shared(["normalization", "stem", "a", "b", "c", "top"]) == ["stem", "a", "b", "c"]
    assert shared(["stem", "a", "b", "c"], ["stem", "a"]) == ["stem", "a"]  # a shallower pyramid
    for found, why in (
        (["stem", "a", "c"], "it has no layer b"),
        (["stem", "a", "more", "b", "c"], "the backbone has no layer more"),
        (["other"], "it has no layer stem, a, b and 1 more and the backbone has no layer other"),
        ([], "it has no layer stem, a, b and 1 more"),
    ):
        with pytest.raises(UserError, match=rf"mine\.h5 does not fit the backbone net: {why}\."):
            shared(found)
