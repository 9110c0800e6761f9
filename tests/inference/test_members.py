"""One network or those of all folds together: maps averaged, detections fused."""

import json
from types import SimpleNamespace

import cv2
import h5py
import numpy as np
import pandas as pd
import pytest

from cellseg.errors import UserError
from cellseg.inference import map_run, map_store, members
from cellseg.inference import run as predict_run
from cellseg.inference.instance_run import image_detector
from cellseg.training import joined_folds

FOLDS = {"count": 3, "images": "training", "validation": "held-out", "group": None, "seed": 0}
VIEWS = {"flips": False, "rotations": False, "scales": [1]}
OPTIONS = {"window": "image", "window_overlap": 0, "batch_size": 1, "test_time_augmentation": VIEWS}
VALUES = (1.0, 2.0, 6.0)
"""Weight of the network of each fold."""


def settings(**folds):
    return {
        "heads": {"fgbg": {}},
        "model": {"family": "unet"},
        "seed": 0,
        "subset": {"folds": {**FOLDS, **folds}},
        "tiling": {"mode": "cut", "size": 16},
        "training": {"normalization": "none"},
    }


class MapsOfWeight:
    """A network whose map is its weight."""

    def __init__(self, run, folder):
        with h5py.File(folder / "weights.h5") as file:
            self.weight = file["weight"][()]

    def __call__(self, images):
        return {"fgbg": np.full((*images.shape[:3], 2), self.weight, np.float32)}


class BoxesOfWeight(MapsOfWeight):
    """A detector that finds one cell, at a tenth of its weight."""

    def boxes(self, image):
        return np.float32([[1, 1, 9, 9]]), np.float32([self.weight / 10])

    def masks(self, image, boxes):
        return np.ones((1, 28, 28), np.float32), np.ones(1, np.float32)


def family(predictor):
    return SimpleNamespace(Predictor=predictor, set_threads=lambda threads: None)


@pytest.fixture
def joined(tmp_path):
    """A folder of a run of three folds, put together of those of each."""
    weights, records = [], []
    for number, value in enumerate(VALUES, start=1):
        folder = tmp_path / f"fold-{number}"
        folder.mkdir()
        with h5py.File(folder / "weights.h5", "w") as file:
            file["weight"] = value
            file.attrs["format"] = "mine"
        trained = [f"image-{one}" for one in (1, 2, 3) if one != number]
        record = {"train_images": trained, "val_images": [f"image-{number}"], "steps": 10,
                  "parameters": 5, "versions": {"keras": "3"}, "device": "cpu",
                  "started_from": [{"file": "first.h5"}]}  # fmt: skip
        (folder / "provenance.json").write_text(json.dumps(record))
        weights.append(str(folder / "weights.h5"))
        records.append(str(folder / "provenance.json"))
    folder = tmp_path / "all-folds"
    folder.mkdir()
    joined_folds.join(settings(), weights, records, folder)
    return folder


def test_a_run_of_all_folds_says_what_it_is_of(joined):
    record = json.loads((joined / "provenance.json").read_text())
    every = [f"image-{number}" for number in (1, 2, 3)]
    assert record["train_images"] == record["val_images"] == every
    assert record["members"] == {f"fold-{number}": [f"image-{number}"] for number in (1, 2, 3)}
    assert (record["steps"], record["parameters"]) == (30, 15)
    assert record["started_from"] == [{"file": "first.h5"}]
    written = json.loads((joined / "settings.json").read_text())
    assert "fold" not in written["subset"]["folds"]
    with h5py.File(joined / "weights.h5") as file:
        assert [file[f"fold-{number}/weight"][()] for number in (1, 2, 3)] == list(VALUES)
        assert file["fold-1"].attrs["format"] == "mine"


def test_maps_are_averaged(joined):
    image = np.zeros((20, 24), np.uint8)
    make = map_run.image_predictor
    with members.predictor(make, settings(), family(MapsOfWeight), joined, OPTIONS) as predict:
        maps = predict(image)
    np.testing.assert_array_equal(maps["fgbg"], np.full((20, 24, 2), 3, np.float32))


def test_detections_are_fused(joined):
    image = np.zeros((20, 24), np.uint8)
    of_family = family(BoxesOfWeight)
    with members.predictor(image_detector, settings(), of_family, joined, OPTIONS) as predict:
        found = predict(image)
    np.testing.assert_allclose(found.scores, [0.3], rtol=1e-6)
    np.testing.assert_allclose(found.boxes, [[1, 1, 9, 9]], rtol=1e-6)


def test_the_run_of_one_fold_predicts_by_itself(joined):
    folder = joined.parent / "fold-2"
    make, of_family = map_run.image_predictor, family(MapsOfWeight)
    with members.predictor(make, settings(fold=2), of_family, folder, OPTIONS) as predict:
        assert (predict(np.zeros((16, 16), np.uint8))["fgbg"] == 2).all()


def test_weights_that_lack_a_fold_are_refused(joined):
    four, make = settings(count=4), map_run.image_predictor
    with (
        pytest.raises(UserError, match=r"weights\.h5 does not hold the network fold-4"),
        members.predictor(make, four, family(MapsOfWeight), joined, OPTIONS),
    ):
        pass


@pytest.mark.parametrize(
    ("validation", "expected"), [(False, [3, 3, 3]), (True, [1, 2, 6])], ids=["test", "validation"]
)
def test_validation_images_are_predicted_by_who_did_not_learn_them(
    joined, tmp_path, validation, expected
):
    """Thresholds are chosen on maps that are as those of new images."""
    rows = []
    for number in (1, 2, 3):
        path = tmp_path / f"image-{number}.png"
        cv2.imwrite(str(path), np.zeros((16, 16), np.uint8))
        rows.append((f"image-{number}", str(path), 16, 16, "A172"))
    columns = ["image", "path", "height", "width", "cell_type"]
    pd.DataFrame(rows, columns=columns).to_parquet(tmp_path / "images.parquet")
    record = json.loads((joined / "provenance.json").read_text())
    predict_run.predict(
        settings=str(joined / "settings.json"),
        images=[str(tmp_path / "images.parquet")],
        only=record["val_images"] if validation else None,
        subsample=1,
        options=OPTIONS,
        channels={"stored": ["fgbg/1"], "precise": ["fgbg/1"]},
        load_family=lambda model: family(_Small),
        folder=joined,
        output=str(tmp_path / "maps.zip"),
        threads=1,
        by_member=record["members"] if validation else None,
    )
    store = map_store.open(str(tmp_path / "maps.zip"))
    found = [store.read(f"image-{n}")["fgbg"][1].mean() * 10 for n in (1, 2, 3)]
    np.testing.assert_allclose(found, expected, rtol=1e-3)


class _Small(MapsOfWeight):
    """Within what maps hold."""

    def __call__(self, images):
        return {"fgbg": super().__call__(images)["fgbg"] / 10}
