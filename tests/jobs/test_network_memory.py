"""Memory that networks take, against what was measured."""

import pytest

from cellseg.jobs import network_memory, resources
from cellseg.models.panopticnet import declarations, sizes

TWO = ("inner-distance", "pixelwise")
C2, C3 = ["C2", "C3", "C4", "C5"], ["C3", "C4", "C5"]


def _settings(family, size, batch, heads=TWO, levels=C3, **model):
    if family != "unet":
        model = {"backbone_levels": levels, **model}
    return {
        "model": {"family": family, **model},
        "heads": {head: {} for head in heads},
        "tiling": {"mode": "cut", "size": size},
        "training": {"batch_size": batch},
    }


def _unet(size, batch, architecture="unet", width=64):
    return _settings("unet", size, batch, architecture=architecture, width=width)


def _net(backbone, size, batch, family="panopticnet", **more):
    return _settings(family, size, batch, backbone=backbone, **more)


PREDICTION = {"window": None, "batch_size": 8, "test_time_augmentation": {"scales": [1]}}

MEASURED = [
    (_net("featurenet", 128, 4, levels=C2), 1462, 1093),
    (_net("featurenet", 128, 4, "deepcell", levels=C2), 1481, 1237),
    (_net("resnet50", 128, 2), 2112, 1286),
    (_net("resnet50", 256, 2), 2393, 1685),
    (_net("resnet50", 256, 4), 2999, 1649),
    (_net("resnet50", 256, 2, "deepcell"), 2508, 2035),
    (_net("densenet201", 256, 2), 3125, 1854),
    (_net("efficientnetb7", 128, 2), 4083, 1669),
    (_unet(256, 2, width=16), 1367, 1174),
    (_unet(128, 2), 2183, 1334),
    (_unet(128, 2, "unet-deep"), 6067, 2968),
]
"""Settings, and largest resident memory of training and of prediction on a CPU, MB."""


@pytest.mark.parametrize(("settings", "training", "prediction"), MEASURED)
def test_what_was_measured_fits_into_what_is_asked_for(settings, training, prediction):
    """And not into much less: a job that asks for too much waits long, or for ever."""
    expected = {
        training: (network_memory.training_mb(settings, gpu=False), 0.15),
        prediction: (
            network_memory.prediction_mb(settings, PREDICTION, 520 * 704, gpu=False),
            0.3,
        ),
    }
    for measured, (found, tolerance) in expected.items():
        assert found == pytest.approx(measured, rel=tolerance)
        assert resources.with_spare(found) >= 1.1 * measured + resources.OWN_MB


def test_all_that_decides_counts():
    small = network_memory.training_mb(_net("resnet50", 128, 2), gpu=False)
    for larger in (
        _net("resnet50", 256, 2),
        _net("resnet50", 128, 8),
        _net("resnet152", 128, 2),
        _net("resnet50", 128, 2, heads=("inner-distance", "outer-distance", "pixelwise")),
        _net("resnet50", 128, 2, levels=C2),
    ):
        assert network_memory.training_mb(larger, gpu=False) > small
    assert network_memory.training_mb(_net("resnet50", 128, 2), gpu=True) > small
    assert network_memory.training_mb(_unet(128, 2, width=16), gpu=False) < (
        network_memory.training_mb(_unet(128, 2), gpu=False)
    )


@pytest.mark.parametrize(
    "larger",
    [
        {"window": 1024},
        {"batch_size": 64},
        {"window": "image"},
        {"window": "image", "test_time_augmentation": {"scales": [1, 2]}},
    ],
)
def test_larger_windows_take_more(larger):
    settings = _net("resnet50", 64, 2)
    one, more = (
        network_memory.prediction_mb(settings, options, 520 * 704, gpu=False)
        for options in (PREDICTION, {**PREDICTION, **larger})
    )
    assert more > one


def test_every_backbone_has_its_figures():
    assert sizes.VALUES.keys() == declarations.BACKBONES.keys()
