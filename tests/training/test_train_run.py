"""A run: what its settings, seed and inputs decide, what it leaves behind."""

import json
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from cellseg.errors import UserError
from cellseg.io import atomic, run_format
from cellseg.training import checkpoint, provenance, pseudo_labels
from cellseg.training import run as train_run
from cellseg.training.augmentation import Augmentation
from cellseg.training.batches import TileStream
from cellseg.training.intensity import Intensity
from cellseg.training.start import Start
from recording_learner import digest
from run_inputs import write_split

TRAIN = [(f"t{number}", ("BV2", "A172")[number % 2]) for number in range(8)]
VAL = [(f"v{number}", ("BV2", "A172")[number % 2]) for number in range(4)]
EXTENSION = [(f"{image}~synthetic-1", cell_type) for image, cell_type in TRAIN]

HEADS = {
    "inner-distance": {"alpha": 0.2, "beta": 2, "squared": False, "erosion_width": 0},
    "fgbg": {},
}


def settings(**changes):
    """Settings of a run, none of which is a default."""
    made = {
        "heads": HEADS,
        "model": {"family": "fake", "ensemble": None},
        "seed": 5,
        "subset": {
            "cell_types": [], "fraction": 0.5, "selection": "seeded", "validation": "official"
        },
        "tiling": {"mode": "cut", "size": 32, "tile_overlap": 0},
        "training": {
            "epochs": 2, "batch_size": 3, "normalization": "percentile", "rotation": 30,
            "zoom": 1.2, "flips": False, "warp": "targets", "intensity": {"gamma": 1.5},
        },
    }  # fmt: skip
    for key, value in changes.items():
        made[key] = {**made[key], **value} if isinstance(value, dict) else value
    return made


class Streams(list):
    """Of each network; called with outlines, as by a family that learns cells one by one."""

    outlines = ()

    def __call__(self, outlines):
        self.outlines = outlines
        return TileStream


class Family:
    """Takes notes instead of training; `stops` as if a signal came in its first network."""

    def __init__(self, stops=False):
        self.stops, self.threads = stops, None
        self.streams = Streams()
        self.weights, self.starts, self.resumed, self.folders = [], [], [], []

    def set_threads(self, threads):
        self.threads = threads

    def train(self, settings, train, validation, folder, state, weights=None, start=None):
        self.starts.append(start)
        self.streams.append((train, validation))
        self.weights.append(weights)
        self.resumed.append(state.load() is not None)
        self.folders.append(folder)
        with state.writing("epoch-1-step-0", {"history": []}):
            pass
        (folder / "tensorboard").mkdir(exist_ok=True)
        (folder / "tensorboard" / "events").touch()
        if self.stops:
            raise UserError("SIGTERM came")
        h5py.File(folder / "weights.h5", "w").close()
        return pd.DataFrame({"epoch": [1, 2], "loss": [0.5, 0.25], "seconds": [2.0, 1.0]})

    def versions(self):
        return {"fake": "1"}

    def device(self):
        return "cpu"

    def parameters(self, settings):
        return 7


@pytest.fixture
def inputs(tmp_path):
    """All inputs of a run, as the rule gives them."""
    write_split(tmp_path, "train", TRAIN)
    write_split(tmp_path, "val", VAL)
    write_split(tmp_path, "extension", EXTENSION)
    (tmp_path / "backbone.h5").write_bytes(b"weights")
    return {
        "tiles": {split: str(tmp_path / f"{split}.npz") for split in ("train", "val")},
        "images": [str(tmp_path / f"{split}.images.parquet") for split in ("train", "val")],
        "extension": [],
        "weights": None,
        "code": "code",
    }


def train(family, folder, inputs, made=None, threads=3, **changes):
    folder.mkdir(exist_ok=True)
    made = made or settings()
    train_run.train(
        settings=made, family=family, folder=folder, threads=threads, **{**inputs, **changes}
    )
    return family


def images_of(stream):
    return stream.tiles.image[stream.index].tolist()


def test_streams_are_as_the_settings_say(inputs, tmp_path):
    family = train(Family(), tmp_path / "run", inputs)
    [(training, validation)] = family.streams
    for stream in (training, validation):
        assert stream.heads == HEADS
        assert (stream.batch_size, stream.seed, stream.workers) == (3, 5, 3)
        assert stream.normalization == "percentile"
        assert stream.targets_first
    assert training.augmentation == Augmentation(30, 1.2, False, Intensity(gamma=1.5))
    assert training.shuffle
    assert validation.augmentation is None and not validation.shuffle
    assert len(training.index) == 4 and {name[0] for name in images_of(training)} == {"t"}
    assert len(validation.index) == 2 and {name[0] for name in images_of(validation)} == {"v"}
    assert family.threads == 3
    labels_first = train(
        Family(), tmp_path / "labels", inputs, settings(training={"warp": "labels", "flips": True})
    )
    [(training, _)] = labels_first.streams
    assert not training.targets_first and training.augmentation.flips


def test_validation_tiles_come_as_they_are(inputs, tmp_path):
    """Grey values and order of the tile file, in every epoch."""
    made = settings(training={"normalization": "none"}, subset={"fraction": 1})
    [(_, validation)] = train(Family(), tmp_path / "run", inputs, made).streams
    with np.load(inputs["tiles"]["val"]) as file:
        tiles = file["X"].astype(np.float32)
    for epoch in (0, 3):
        np.testing.assert_array_equal(
            np.concatenate([images for images, _ in validation.epoch(epoch)]), tiles
        )


def test_options_of_a_head_reach_its_targets(inputs, tmp_path):
    """With settings of its heads that are all others, each map is another one."""

    def maps(heads):
        made = {**settings(subset={"fraction": 1}), "heads": heads}
        [(_, validation)] = train(Family(), tmp_path / "run", inputs, made).streams
        return next(validation.epoch(0))[1]["inner-distance"]

    before = maps(HEADS)
    for option, value in {"alpha": 0.4, "beta": 3, "squared": True, "erosion_width": 1}.items():
        changed = {**HEADS, "inner-distance": {**HEADS["inner-distance"], option: value}}
        assert np.abs(maps(changed) - before).max() > 1e-3, option


def test_two_seeds_train_on_other_images_in_other_orders_warped_otherwise(inputs, tmp_path):
    def streams(**changes):
        return train(Family(), tmp_path / "run", inputs, settings(**changes)).streams[0]

    def batches(stream):
        return [digest(batch) for epoch in (0, 1) for batch in stream.epoch(epoch)]

    first, again, other = (streams(seed=seed)[0] for seed in (1, 1, 2))
    assert images_of(first) == images_of(again) and batches(first) == batches(again)
    assert set(images_of(first)) != set(images_of(other))
    whole = {"fraction": 1}
    # With all images and without augmentation the order remains, and without an order the warp.
    for still in ({"rotation": 0, "zoom": 1}, {"batch_size": 8}):
        one, two = (streams(seed=seed, subset=whole, training=still)[0] for seed in (1, 2))
        if "batch_size" in still:
            one.shuffle = two.shuffle = False
        assert images_of(one) == images_of(two)
        assert batches(one) != batches(two)
    by_well = {"fraction": 1, "validation": "by-well"}
    drawn = {tuple(images_of(streams(seed=seed, subset=by_well)[1])) for seed in range(6)}
    assert len(drawn) > 1


def change_tiles(split):
    def change(inputs, folder):
        write_split(folder, split, TRAIN if split == "train" else VAL, noise=1)
        return {}

    return change


def change_table(number):
    def change(inputs, folder):
        path = inputs["images"][number]
        pd.read_parquet(path).assign(n_cells=3).to_parquet(path)
        return {}

    return change


def change_extension(inputs, folder):
    write_split(folder, "extension", EXTENSION, noise=1)
    return {}


def change_file(name):
    def change(inputs, folder):
        (folder / name).write_bytes(b"others")
        return {}

    return change


def change_fold(inputs, folder):
    write_split(folder, "fold", [("f0", "BV2")], noise=1)
    return {}


CHANGES = {
    "a setting": lambda inputs, folder: {"made": settings(seed=5, training={"zoom": 1.3})},
    "the code": lambda inputs, folder: {"code": "other"},
    "the training tiles": change_tiles("train"),
    "the validation tiles": change_tiles("val"),
    "the training images": change_table(0),
    "the validation images": change_table(1),
    "the weights of the backbone": change_file("backbone.h5"),
    "the weights of the start": change_file("start.h5"),
    "the outlines": change_file("outlines.npz"),
    "the tiles of folds": change_fold,
    "no weights": lambda inputs, folder: {"weights": None},
    "the synthetic images": change_extension,
    "nothing": lambda inputs, folder: {},
}


@pytest.mark.parametrize("ensemble", [None, "cell-type"])
@pytest.mark.parametrize("changed", CHANGES)
def test_a_state_is_used_with_the_same_inputs_only(changed, ensemble, inputs, tmp_path, capsys):
    inputs["weights"] = str(tmp_path / "backbone.h5")
    inputs["extension"] = [str(tmp_path / "extension.npz")]
    write_split(tmp_path, "fold", [("f0", "BV2")])
    inputs["fold_tiles"] = [str(tmp_path / "fold.npz")]
    for name in ("start.h5", "outlines.npz"):
        (tmp_path / name).write_bytes(b"first")
    inputs["start"] = Start(tmp_path / "start.h5", "all", None, 1, "other", [])
    inputs["outlines"] = [str(tmp_path / "outlines.npz")]

    def of(made):
        made["subset"] = {**made["subset"], "synthetic_per_image": 1, "fraction": 1}
        made["model"] = {**made["model"], "ensemble": ensemble}
        return made

    with pytest.raises(UserError, match="SIGTERM"):
        train(Family(stops=True), tmp_path / "run", inputs, of(settings()))
    second = Family(stops=True)
    changes = CHANGES[changed](inputs, tmp_path)
    changes["made"] = of(changes.get("made", settings()))
    capsys.readouterr()
    with pytest.raises(UserError, match="SIGTERM"):
        train(second, tmp_path / "run", inputs, **changes)
    assert second.resumed == [changed == "nothing"]
    assert capsys.readouterr().out.count("Not resuming") == (changed != "nothing")


def test_the_log_of_a_state_that_is_not_used_goes(inputs, tmp_path):
    old = tmp_path / "run/tensorboard/old"
    for changes, kept in (({}, True), ({"code": "other"}, False)):
        with pytest.raises(UserError, match="SIGTERM"):
            train(Family(stops=True), tmp_path / "run", inputs)
        old.touch()
        train(Family(), tmp_path / "run", inputs, **changes)
        assert old.exists() == kept


def test_the_state_goes_once_all_files_are_written(inputs, tmp_path, monkeypatch):
    """Were it gone before, a job that dies while it writes would have nothing to resume from."""
    run, write = tmp_path / "run", atomic.write_json
    for name in ("settings.json", "provenance.json"):

        def dying(path, content, name=name):
            if Path(path).name == name:
                raise MemoryError("killed")
            write(path, content)

        monkeypatch.setattr(atomic, "write_json", dying)
        with pytest.raises(MemoryError):
            train(Family(), run, inputs)
        assert (run / "resume/state.json").exists()
    monkeypatch.setattr(atomic, "write_json", write)
    last = train(Family(), run, inputs)
    assert last.resumed == [True]
    assert not (run / "resume").exists()


@pytest.mark.parametrize("ensemble", [None, "cell-type"])
def test_the_backbones_weights_reach_every_network(ensemble, inputs, tmp_path):
    path = tmp_path / "backbone.h5"
    made = settings(model={"ensemble": ensemble}, subset={"fraction": 1})
    for given, expected in ((str(path), path), (None, None)):
        family = train(Family(), tmp_path / f"run-{expected is None}", inputs, made, weights=given)
        assert family.weights == [expected] * (2 if ensemble else 1)


@pytest.mark.parametrize("ensemble", [None, "cell-type"])
def test_what_a_run_starts_from_reaches_every_network(ensemble, inputs, tmp_path):
    (tmp_path / "start.h5").write_bytes(b"weights")
    start = Start(tmp_path / "start.h5", "all", None, 0.1, "other", [])
    made = settings(model={"ensemble": ensemble}, subset={"fraction": 1})
    family = train(Family(), tmp_path / "run", inputs, made, start=start)
    assert family.starts == [start] * (2 if ensemble else 1)


def test_each_network_of_an_ensemble_sees_images_of_its_type_alone(inputs, tmp_path):
    types = dict([*TRAIN, *VAL, *EXTENSION])
    made = settings(
        model={"ensemble": "cell-type"}, subset={"fraction": 1, "synthetic_per_image": 1}
    )
    extension = [str(tmp_path / "extension.npz")]
    family = train(Family(), tmp_path / "run", inputs, made, extension=extension)
    assert [folder.name for folder in family.folders] == ["A172", "BV2"]
    for cell_type, (training, validation) in zip(("A172", "BV2"), family.streams, strict=True):
        for stream, count in ((training, 8), (validation, 2)):
            names = images_of(stream)
            assert len(names) == count
            assert {types[name] for name in names} == {cell_type}
        assert training.shuffle and training.augmentation and not validation.shuffle
        assert validation.augmentation is None
        assert not any("synthetic" in name for name in images_of(validation))


def test_a_finished_run_tells_what_it_was_made_of(inputs, tmp_path, capsys):
    made = settings(subset={"fraction": 1})
    train(Family(), tmp_path / "run", inputs, made, threads=2)
    assert "Training on 8 tiles of 8 images, validating on 4 tiles of 4." in capsys.readouterr().out
    run = tmp_path / "run"
    assert json.loads((run / "settings.json").read_text()) == run_format.stamped(made)
    assert pd.read_csv(run / "history.csv")["loss"].tolist() == [0.5, 0.25]
    found = json.loads((run / "provenance.json").read_text())
    assert found["settings_stamp"] == checkpoint.stamp(made) != checkpoint.stamp(settings())
    assert found["train_images"] == [name for name, _ in TRAIN]
    assert found["val_images"] == [name for name, _ in VAL]
    assert found["train_cells"] == 2 * len(TRAIN)
    assert (found["train_tiles"], found["threads"], found["parameters"]) == (8, 2, 7)
    # Two epochs of 3, 3 and 2 tiles.
    assert (found["steps"], found["tiles_seen"], found["seconds_of_epochs"]) == (6, 16, 3)
    assert found["device"] == "cpu" and found["versions"]["fake"] == "1"
    assert "synthetic_images" not in found


def test_steps_tiles_and_parameters_of_an_ensemble_add_up(inputs, tmp_path):
    made = settings(model={"ensemble": "cell-type"}, subset={"fraction": 1})
    train(Family(), tmp_path / "run", inputs, made)
    found = json.loads((tmp_path / "run/provenance.json").read_text())
    # Two networks, each of two epochs of 3 tiles and 1.
    assert (found["steps"], found["tiles_seen"], found["parameters"]) == (8, 16, 14)
    assert found["seconds_of_epochs"] == 6


def test_images_with_pseudo_labels_are_trained_on_alone(inputs, tmp_path, capsys):
    names = [(pseudo_labels.key(f"u{number}"), "cells") for number in range(3)]
    (tmp_path / "~pseudo").mkdir()
    write_split(tmp_path, "unlabelled", names)
    about = {"images": 3, "cells": 6, "run": {"model": "first"}}
    (tmp_path / "about.json").write_text(json.dumps(about))
    files = [tmp_path / name for name in ("unlabelled.npz", "cells.npz", "about.json")]
    pseudo = pseudo_labels.opened(list(map(str, files)))
    for subset in ({"fraction": 1}, {"fraction": 1, "validation": "by-well"}):
        family = train(Family(), tmp_path / "run", inputs, settings(subset=subset), pseudo=pseudo)
        [(training, validation)] = family.streams
        found = json.loads((tmp_path / "run/provenance.json").read_text())
        assert images_of(training)[-3:] == [name for name, _ in names]
        assert sorted(images_of(training)[:-3]) == sorted(found["train_images"])
        assert images_of(validation) == found["val_images"]
        assert found["pseudo_labels"] == about and found["train_tiles"] == len(training.index)
    assert "images and 3 with pseudo-labels, validating" in capsys.readouterr().out
    assert pseudo_labels.opened([]) is None
    made = settings()
    with pytest.raises(UserError, match="SIGTERM"):
        train(Family(stops=True), tmp_path / "run", inputs, made, pseudo=pseudo)
    write_split(tmp_path, "unlabelled", names, noise=1)
    with pytest.raises(UserError, match="SIGTERM"):
        train(Family(stops=True), tmp_path / "run", inputs, made, pseudo=pseudo)
    assert "Not resuming" in capsys.readouterr().out


def test_a_detector_is_given_the_cells_of_unlabelled_images(inputs, tmp_path):
    write_split(tmp_path, "unlabelled", [("u", "cells")])
    pseudo = pseudo_labels.PseudoLabels(
        str(tmp_path / "unlabelled.npz"), str(tmp_path / "unlabelled.labels.npz"),
        {"images": 1, "cells": 2},
    )  # fmt: skip
    outlines = [str(tmp_path / f"{split}.labels.npz") for split in ("train", "val")]
    family = train(Family(), tmp_path / "run", inputs, outlines=outlines, pseudo=pseudo)
    assert family.streams.outlines == [*outlines, pseudo.outlines]


def test_provenance_tells_the_state_of_the_checkout(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    def state():
        record = provenance.record({}, {}, "cpu")
        return record["commit"], record["uncommitted_changes"]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert state() == (None, False)
    git("init", "-q")
    (tmp_path / "tracked").write_text("one")
    git("add", "tracked")
    git("commit", "-qm", "first")
    commit = git("rev-parse", "HEAD")
    (tmp_path / "results").touch()  # not tracked: makes no difference to the code
    assert state() == (commit, False)
    (tmp_path / "tracked").write_text("two")
    assert state() == (commit, True)
