"""One network a cell type, in one run."""

import copy
import json
import shutil
import warnings
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

import small_training
from cellseg import models
from cellseg.errors import UserError
from cellseg.inference import map_store
from cellseg.inference import run as predict_run
from cellseg.io import atomic, run_format
from cellseg.training import ensemble
from cellseg.training import run as train_run
from cellseg.training.progress_writer import ProgressWriter
from run_inputs import write_split

TABLE = pd.DataFrame({"image": list("abcdef"), "cell_type": ["BV2", "A172"] * 3})
CHOSEN = {"train": ["a", "b", "c", "d"], "val": ["e", "f"]}


def test_images_go_by_cell_type():
    assert ensemble.by_cell_type(TABLE, CHOSEN) == {
        "A172": {"train": ["b", "d"], "val": ["f"]},
        "BV2": {"train": ["a", "c"], "val": ["e"]},
    }


def test_a_cell_type_without_validation_images_is_refused():
    with pytest.raises(UserError, match=r"A172 has no image in the val split.*by-well"):
        ensemble.by_cell_type(TABLE, {**CHOSEN, "val": ["e"]})


class FakeFamily:
    """Its network is the text that it was trained on; it can fail on one."""

    def __init__(self, fail_on=None):
        self.trained, self.resumed, self.fail_on = [], [], fail_on
        self.networks = []

    def train(self, settings, train, validation, folder, resume, weights):
        state = resume.load()
        self.networks.append(resume.progress.network)
        self.resumed.append(state and state["history"])
        if train == self.fail_on:
            with resume.writing("epoch-1-step-0", {"history": [train]}):
                pass
            raise UserError("SIGTERM came")
        self.trained.append(train)
        with h5py.File(folder / "weights.h5", "w") as file:
            file.attrs["layer_names"] = [b"layer"]
            file.create_group("layer")["kernel"] = np.frombuffer(train.encode(), np.uint8)
        (folder / "tensorboard").mkdir()
        (folder / "tensorboard/events").write_text(train)
        return pd.DataFrame({"epoch": [1, 2], "loss": [0.1, 1 / 3], "seconds": [2.0, 1.0]})


def _train(family, folder, stamp="stamp", check=None):
    streams = {name: (f"train {name}", f"val {name}") for name in ("A172", "BV2")}
    return ensemble.train(
        family, {"training": {"epochs": 2}}, streams, folder, stamp, None, check=check
    )


def _text(folder):
    with h5py.File(folder / "weights.h5") as file:
        assert len(file.attrs["layer_names"]) == 1
        return file["layer/kernel"][()].tobytes().decode()


def test_each_image_goes_to_the_network_of_its_type(tmp_path):
    family = FakeFamily()
    history = _train(family, tmp_path)
    assert family.trained == ["train A172", "train BV2"]
    assert history["cell_type"].tolist() == ["A172", "A172", "BV2", "BV2"]
    assert history["epoch"].tolist() == [1, 2, 1, 2]
    assert (tmp_path / "tensorboard/BV2/events").read_text() == "train BV2"
    assert ensemble.cell_types(tmp_path / "weights.h5") == ["A172", "BV2"]
    for cell_type in ("BV2", "A172"):
        with ensemble.network(tmp_path / "weights.h5", cell_type) as folder:
            assert _text(folder) == f"train {cell_type}"
        assert not folder.exists()


def test_each_network_is_checked_on_the_validation_tiles_of_its_type(tmp_path):
    checked = []

    def check(family, settings, stream, member, steps):
        checked.append((_text(member), stream))

    _train(FakeFamily(), tmp_path, check=check)
    assert checked == [("train A172", "val A172"), ("train BV2", "val BV2")]


def test_a_type_without_a_network_is_refused_by_name(tmp_path):
    _train(FakeFamily(), tmp_path)
    ensemble.check(tmp_path / "weights.h5", ["BV2", "A172"])
    with pytest.raises(UserError, match=r"weights\.h5 has no network .* MCF7, only for A172, BV2"):
        ensemble.check(tmp_path / "weights.h5", ["BV2", "MCF7"])


def test_what_needs_one_network_refuses_an_ensemble(tmp_path):
    ensemble.refuse({"model": {"ensemble": None}}, tmp_path / "weights.h5", "is exported")
    with pytest.raises(UserError, match=r"weights\.h5 holds a network for each cell type"):
        ensemble.refuse(
            {"model": {"ensemble": "cell-type"}}, tmp_path / "weights.h5", "is exported"
        )


def test_a_file_of_no_ensemble_is_refused(tmp_path):
    (tmp_path / "weights.h5").write_text("nothing")
    with pytest.raises(UserError, match="does not hold the weights of an ensemble"):
        ensemble.check(tmp_path / "weights.h5", ["BV2"])


def test_finished_networks_are_kept_and_the_one_in_training_goes_on(tmp_path):
    undisturbed = _train(FakeFamily(), tmp_path / "whole")
    with pytest.raises(UserError, match="SIGTERM"):
        _train(FakeFamily(fail_on="train BV2"), tmp_path / "stopped")
    assert not (tmp_path / "stopped/weights.h5").exists()
    again = FakeFamily()
    history = _train(again, tmp_path / "stopped")
    assert again.trained == ["train BV2"]
    assert again.resumed == [["train BV2"]]
    pd.testing.assert_frame_equal(history, undisturbed)
    assert ensemble.cell_types(tmp_path / "stopped/weights.h5") == ["A172", "BV2"]


def test_progress_says_which_network_is_trained(tmp_path):
    family = FakeFamily()
    _train(family, tmp_path)
    assert family.networks == [
        {"number": 1, "of": 2, "cell_type": "A172"}, {"number": 2, "of": 2, "cell_type": "BV2"},
    ]  # fmt: skip
    # All networks are trained already, and what follows them failed.
    writer = ProgressWriter(tmp_path, {})
    streams = {name: (f"train {name}", f"val {name}") for name in ("A172", "BV2")}
    again = FakeFamily()
    ensemble.train(again, {"training": {"epochs": 2}}, streams, tmp_path, "stamp", None, writer)
    assert again.trained == []
    said = json.loads((tmp_path / "progress.json").read_text())
    assert said["network"]["number"] == 2 and (said["epoch"], said["epochs"]) == (2, 2)


def test_other_settings_train_all_networks_anew(tmp_path):
    with pytest.raises(UserError, match="SIGTERM"):
        _train(FakeFamily(fail_on="train BV2"), tmp_path)
    again = FakeFamily()
    _train(again, tmp_path, stamp="other")
    assert again.trained == ["train A172", "train BV2"]
    assert again.resumed == [None, None]


@pytest.fixture
def eagerly():
    """Tracing takes longer than a few steps."""
    with warnings.catch_warnings():  # TensorFlow warns about its own deprecations
        warnings.simplefilter("ignore")
        import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", small_training.OF_ANY_HEADS)
def test_networks_of_every_family_come_back_out_of_one_file(name, eagerly, tmp_path):
    settings = small_training.settings(1, family=name, location=False)
    family = models.load(settings["model"])
    images = np.random.default_rng(0).normal(size=(1, 32, 32, 1)).astype(np.float32)
    members, expected = {}, {}
    for number, cell_type in enumerate(("A172", "BV2")):
        folder = tmp_path / cell_type
        folder.mkdir()
        learner = getattr(family, small_training.LEARNERS[name])(settings, 32, folder)
        for variable in learner.model.trainable_variables:
            variable.assign(variable * (1 + number))
        learner.save_weights(folder / "weights.h5")
        members[cell_type] = folder / "weights.h5"
        expected[cell_type] = family.Predictor(settings, folder)(images)
    ensemble.write(tmp_path / "weights.h5", members)
    for cell_type, maps in expected.items():
        with ensemble.network(tmp_path / "weights.h5", cell_type) as folder:
            for head, values in family.Predictor(settings, folder)(images).items():
                np.testing.assert_array_equal(values, maps[head])
    first, second = expected.values()
    assert np.abs(first["pixelwise"] - second["pixelwise"]).max() > 1e-3


def _settings() -> dict:
    settings = small_training.settings(2, family="unet", width=2, ensemble="cell-type")
    settings["heads"] = {"fgbg": {}}
    settings["subset"] = {
        "cell_types": [], "fraction": 1, "selection": "every-nth", "validation": "official",
    }  # fmt: skip
    settings["training"] |= {
        "rotation": 0,
        "zoom": 1,
        "flips": True,
        "warp": "labels",
        "intensity": {},
    }
    return settings


def test_synthetic_images_go_to_the_network_of_their_source(tmp_path):
    write_split(tmp_path, "train", [("a", "BV2"), ("b", "A172"), ("c", "BV2")])
    write_split(tmp_path, "val", [("e", "A172"), ("f", "BV2")])
    made = [(f"{image}~synthetic-1", cell_type) for image, cell_type in zip(
        "abc", ("BV2", "A172", "BV2"), strict=True)]  # fmt: skip
    write_split(tmp_path, "extension", made)
    settings = _settings()
    settings["subset"]["synthetic_per_image"] = 1
    seen = []

    class Family(FakeFamily):
        def train(self, settings, train, validation, *others):
            seen.append([sorted(stream.tiles.image[stream.index].tolist())
                         for stream in (train, validation)])  # fmt: skip
            return super().train(settings, "anything", validation, *others)

        def parameters(self, settings):
            return 1

        def set_threads(self, threads):
            pass

        def versions(self):
            return {}

        def device(self):
            return "cpu"

    (tmp_path / "run").mkdir()
    train_run.train(
        settings,
        {split: str(tmp_path / f"{split}.npz") for split in ("train", "val")},
        [str(tmp_path / f"{split}.images.parquet") for split in ("train", "val")],
        [str(tmp_path / "extension.npz")], None, "code", Family(), tmp_path / "run", threads=1,
    )  # fmt: skip
    assert seen == [
        [["b", "b~synthetic-1"], ["e"]],
        [["a", "a~synthetic-1", "c", "c~synthetic-1"], ["f"]],
    ]


@pytest.mark.filterwarnings("ignore")
def test_a_run_of_unets_is_trained_and_predicts_by_type(eagerly, tmp_path):
    """As each network does by itself, and unlike that of the other type."""
    write_split(tmp_path, "train", [("a", "BV2"), ("b", "A172"), ("c", "BV2"), ("d", "A172")])
    write_split(tmp_path, "val", [("e", "A172"), ("f", "BV2")])
    settings = _settings()
    unet = models.load(settings["model"])
    family = copy.copy(unet)
    family.set_threads = lambda threads: None  # which only comes first in a process
    run = tmp_path / "run"
    run.mkdir()
    tables = [str(tmp_path / f"{split}.images.parquet") for split in ("train", "val")]
    tile_files = {split: str(tmp_path / f"{split}.npz") for split in ("train", "val")}
    train_run.train(settings, tile_files, tables, [], None, "code", family, run, threads=1)
    history = pd.read_csv(run / "history.csv")
    assert history[["cell_type", "epoch"]].to_numpy().tolist() == [
        ["A172", 1], ["A172", 2], ["BV2", 1], ["BV2", 2]
    ]  # fmt: skip
    assert not (run / "resume").exists()
    said = json.loads((run / "progress.json").read_text())
    assert (said["state"], said["epoch"], said["epochs"]) == ("finished", 2, 2)
    assert said["network"] == {"number": 2, "of": 2, "cell_type": "BV2"}
    assert said["val_loss"] == pytest.approx(history["val_loss"].iloc[-1])
    recorded = pd.read_json(run / "provenance.json", typ="series")
    assert recorded["parameters"] == 2 * unet.parameters(settings)
    options = {"window": None, "window_overlap": 0, "batch_size": 1,
               "test_time_augmentation":
                   {"flips": False, "rotations": False, "scales": [1]}}  # fmt: skip

    def predict(folder: Path) -> dict[str, np.ndarray]:
        predict_run.predict(
            str(folder / "settings.json"), tables[1:], None, 1, options,
            {"stored": ["fgbg/1"], "precise": ["fgbg/1"]}, lambda model: family, folder,
            str(folder / "predictions.zip"), 1,
        )  # fmt: skip
        store = map_store.open(folder / "predictions.zip")
        return {image: store.read(image)["fgbg"][1] for image in store.images}

    found = predict(run)
    assert set(found) == {"e", "f"}
    for cell_type, image, other in (("A172", "e", "f"), ("BV2", "f", "e")):
        alone = tmp_path / cell_type
        alone.mkdir()
        atomic.write_json(
            alone / "settings.json",
            run_format.stamped({**settings, "model": {**settings["model"], "ensemble": None}}),
        )
        with ensemble.network(run / "weights.h5", cell_type) as folder:
            shutil.copy(folder / "weights.h5", alone)
        expected = predict(alone)
        np.testing.assert_array_equal(found[image], expected[image])
        assert np.abs(found[other] - expected[other]).max() > 1e-3

    write_split(tmp_path, "val", [("e", "A172"), ("f", "MCF7")])
    with pytest.raises(UserError, match="MCF7, only for A172, BV2"):
        predict(run)
