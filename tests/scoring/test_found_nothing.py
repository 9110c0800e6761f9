"""A network that finds almost nothing is said to, where its user sees it."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import small_training
from cellseg import models
from cellseg.runtime import code_fingerprint
from cellseg.scoring import found_nothing

SAID = "Warning: found almost nothing"


@pytest.mark.parametrize(
    ("n_true", "n_pred", "f1", "steps", "expected"),
    [
        (340, 2, 0.01, 18, "after 18 training steps: 2 cells are predicted where 340 are annotat"),
        (340, 0, 0.0, 18, "Train longer: raise training.epochs"),
        (340, 0, 0.0, 20_000, "after 20,000 training steps"),
        (340, 0, 0.0, 20_000, "Look at the losses in logs/train.log"),
        (340, 300, 0.02, None, "If cells are there and they do not match, tune the thresholds"),
        (340, 300, 0.05, 18, None),
        (9, 0, 0.0, 18, None),
        (0, 0, float("nan"), 18, None),
    ],
)
def test_what_is_said(n_true, n_pred, f1, steps, expected):
    shown = found_nothing.warning(n_true, n_pred, f1, "4 images", steps)
    assert shown is None if expected is None else shown.startswith(SAID) and expected in shown


def _maps(labels, found):
    """Maps of a network that finds the first cells of a label image."""
    inside = ((labels > 0) & (labels <= found)).astype(np.float32)
    pixelwise = np.stack([0 * inside, inside, 1 - inside], -1)
    return {"inner-distance": inside[None, ..., None], "pixelwise": pixelwise[None]}


@pytest.mark.parametrize(("found", "said"), [(0, True), (16, False)])
def test_validation_tiles_are_looked_at(capsys, tmp_path, found, said):
    squares = np.pad(np.arange(1, 17).reshape(4, 4), 0)
    labels = np.kron(squares, np.pad(np.ones((6, 6), np.int32), 1)).astype(np.int32)
    read = []

    def tile(number):  # only one of two has cells
        read.append(number)
        return np.zeros(labels.shape, np.uint8), labels * (number % 2)

    stream = SimpleNamespace(tiles=SimpleNamespace(tile=tile), index=np.arange(1000))
    family = SimpleNamespace(Predictor=lambda settings, folder: lambda tiles: _maps(labels, found))
    settings = {"training": {"normalization": "whole-image"}}
    found_nothing.say_after_training(family, settings, stream, tmp_path, 18)
    shown = capsys.readouterr().out
    assert len(read) <= 4 * found_nothing.TILES and max(read) > 500
    assert (SAID in shown) == said
    if said:
        assert "0 cells are predicted where 128 are annotated, on 8 validation tiles" in shown


def test_no_training_is_lost_for_it(capsys, tmp_path):
    def predictor(settings, folder):
        raise MemoryError("no room")

    family, stream = SimpleNamespace(Predictor=predictor), SimpleNamespace(
        tiles=SimpleNamespace(tile=None), index=np.arange(3)
    )  # fmt: skip
    found_nothing.say_after_training(family, {"training": {}}, stream, tmp_path, 18)
    assert "could not be checked (no room)" in capsys.readouterr().out


def test_no_training_watches_the_scores(checkout):
    library = checkout / "scripts/cellseg"
    used = code_fingerprint.used_by(
        checkout / "scripts/train.py", library, ("cellseg.models.unet.family",)
    )
    names = {path.relative_to(library).as_posix() for path in used if library in path.parents}
    assert {"scoring/found_nothing.py", "training/run.py"} <= names
    assert not names & {
        *("scoring/objects.py", "segmentation/watershed.py"),
        *("segmentation/methods/__init__.py", "study/segmentation_methods.py"),
    }


def test_each_network_of_an_ensemble_is_looked_at(tmp_path):
    from cellseg.training import ensemble

    asked = []
    settings = small_training.settings(1, family="unet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        family = models.load(settings["model"])
    streams = {name: small_training.streams(0) for name in ("A172", "BV2")}
    ensemble.train(
        family, settings, streams, tmp_path, "stamp", None, check=lambda *of: asked.append(of[-2:])
    )
    assert [(folder.name, steps) for folder, steps in asked] == [("A172", 2), ("BV2", 2)]
