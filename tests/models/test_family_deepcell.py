"""The family `deepcell`: PanopticNet as the deepcell package builds it."""

import warnings
from itertools import combinations

import pytest

import small_training
from cellseg.errors import UserError
from cellseg.targets.channels import OF_DEEPCELL
from cellseg.targets.heads import HEADS


@pytest.fixture(scope="session")
def family():
    with warnings.catch_warnings():  # TensorFlow warns about its own deprecations
        warnings.simplefilter("ignore")
        from cellseg.models.deepcell import family as deepcell
    return deepcell


def _build(family, backbone, levels, heads=("inner-distance", "pixelwise"), size=64):
    settings = small_training.settings(
        epochs=1,
        backbone=backbone,
        backbone_levels=levels,
        pyramid_levels=["P" + c[1] for c in levels],
    )
    return family.build({**settings, "heads": {head: {} for head in heads}}, size)


@pytest.mark.parametrize(
    ("backbone", "parameters"),
    [
        ("resnet50", 25_557_008),
        ("densenet201", 20_447_440),
        ("efficientnetb7", 66_271_783),
        ("mobilenetv2", 3_009_744),
    ],
)
def test_backbones_are_deepcells(family, backbone, parameters):
    """The counts of deepcell 0.12.10 on TensorFlow 2.8, at levels C3 to C5."""
    assert _build(family, backbone, ["C3", "C4", "C5"]).count_params() == parameters


def test_every_combination_of_heads_builds(family):
    for number in range(1, len(OF_DEEPCELL) + 1):
        for names in combinations(OF_DEEPCELL, number):
            model = _build(family, "featurenet", ["C3", "C4", "C5"], names, size=32)
            outputs = model.output if isinstance(model.output, list) else [model.output]
            assert [output.shape[-1] for output in outputs] == [HEADS[n].channels for n in names]


def test_a_file_that_is_no_weight_file_is_refused(family, tmp_path):
    path = tmp_path / "weights.h5"
    path.write_text("<html>not found</html>")
    model = _build(family, "featurenet", ["C3", "C4", "C5"])
    with pytest.raises(UserError, match="is not a Keras weight file"):
        family.load_backbone(model, path)
