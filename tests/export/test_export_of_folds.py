"""Exports of runs of all folds: several networks in one file, which find the cells of the run."""

import json
import os
import re
import subprocess
import zipfile

import numpy as np
import pytest
import tifffile
from packaging.requirements import Requirement

pytest.importorskip("torch")
pytest.importorskip("cellpose")

import installed_packages
import small_training
import tiny_run
import torch_run
from cellseg import models
from cellseg.errors import UserError
from cellseg.export import run as export_run
from cellseg.images import reading
from cellseg.inference import map_run
from cellseg.io import atomic, exports, made_files, run_format
from cellseg.segmentation.segmenter import Segmenter
from cellseg.study import starts
from cellseg.training import joined_folds, start

FOLDS = {"count": 2, "images": "training", "validation": "held-out", "group": None, "seed": 0}


def _joined(run, again, folder):
    """Two runs put together as those of two folds."""
    settings = run_format.read(run["settings"])
    settings = {**settings, "subset": {"folds": FOLDS}}
    folder.mkdir()
    provenances = []
    for number, one in enumerate((run, again)):
        record = made_files.read_json(one["provenance"])
        names = ["one", "two"]
        record |= {"train_images": [names[number]], "val_images": [names[1 - number]]}
        provenances.append(folder / f"fold-{number}.json")
        atomic.write_json(provenances[-1], record)
    weights = [str(one["weights"]) for one in (run, again)]
    joined_folds.join(settings, weights, [str(path) for path in provenances], folder)
    made = {"weights": folder / "weights.h5", "settings": folder / "settings.json",
            "provenance": folder / "provenance.json"}  # fmt: skip
    return {**run, **made}


def _exported(run, load_family, output, **more):
    paths = {key: str(path) for key, path in run.items() if key not in ("images", "members")}
    export_run.export(paths, [str(run["images"])], "download", load_family, str(output), 1, **more)
    with zipfile.ZipFile(output) as archive:
        archive.extractall(output.parent / "unpacked")
    return output.parent / "unpacked"


def _example(unpacked, folder):
    """Cells that the example finds, with the packages of the card alone."""
    stated = re.search(r"^    pip install (.+)$", (unpacked / "README.md").read_text(), re.M)[1]
    packages = folder / "packages"
    installed_packages.link([Requirement(one).name for one in stated.split()], packages)
    command = installed_packages.command(packages)
    command[-1] = f"import sys; sys.path.insert(0, {str(unpacked)!r}); {command[-1]}"
    hidden = ("PYTHONPATH", "TF_USE_LEGACY_KERAS", "KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(
        [*command, str(unpacked / "example.py"), "image.tif"], cwd=folder,
        env={**environment, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return tifffile.imread(folder / "cells.tif")


def _segmented(run, image):
    return Segmenter(run, models.load, 1)(image)[0]


def _unpacked_run(unpacked):
    run = {name: unpacked / f"{name}.json" for name in ("settings", "segmentation")}
    return {**run, "weights": unpacked / "weights.h5"}


@pytest.mark.parametrize("family", ["cellpose", pytest.param("centermask", marks=pytest.mark.slow)])
def test_networks_of_torch_find_the_cells_of_the_run(family, tmp_path):
    """Of maps and of detections: together other ones than each alone, in `apply` and example."""
    both = []
    for number in (1, 2):
        (tmp_path / f"run-{number}").mkdir()
        both.append(torch_run.make(family, tmp_path / f"run-{number}", torch_run.WINDOWS, number))
    run = _joined(*both, tmp_path / "joined")
    image = tiny_run.picture(*torch_run.SHAPE)
    expected = _segmented(run, image)
    assert all((expected != _segmented(one, image)).any() for one in both)
    output = tmp_path / "export.zip"
    unpacked = _exported(run, models.load, output)
    weights = [f"members/fold-{number}/weights.safetensors" for number in (1, 2)]
    assert exports.weights_in(output) == weights and exports.members_in(output) == []
    np.testing.assert_array_equal(_segmented(_unpacked_run(unpacked), image), expected)
    (tmp_path / "image.tif").write_bytes(reading.as_tiff(image))
    np.testing.assert_array_equal(_example(unpacked, tmp_path), expected)
    card = re.sub(r"\s+", " ", (unpacked / "README.md").read_text())
    assert "2 networks that together find single cells" in card
    assert "2 networks, each trained without the images of one fold" in card
    assert "Each image validated one of the networks, and the others were trained on it." in card


def test_maps_of_a_saved_model_are_the_mean(tmp_path):
    with small_training.in_this_process("unet") as family:
        both = []
        for number in (1, 2):
            (tmp_path / f"run-{number}").mkdir()
            both.append(tiny_run.make(family, "unet", tmp_path / f"run-{number}", seed=number))
        run = _joined(*both, tmp_path / "joined")
        settings = run_format.read(run["settings"])
        image = tiny_run.picture(50, 70)
        each = [
            map_run.image_predictor(settings, family, one["weights"].parent, tiny_run.OPTIONS)(
                image
            )
            for one in both
        ]
        unpacked = _exported(run, lambda model: family, tmp_path / "export.zip")
    (unpacked / "image.tif").write_bytes(reading.as_tiff(image))
    _example(unpacked, unpacked)
    maps = np.load(unpacked / "maps.npz")
    for head in each[0]:
        first, second = (one[head] for one in each)
        assert np.abs(first - second).max() > 1e-2
        np.testing.assert_allclose(maps[head.replace("-", "_")], (first + second) / 2, atol=1e-4)


def test_nothing_starts_from_several_networks(tmp_path):
    (tmp_path / "run").mkdir()
    made = torch_run.make("centermask", tmp_path / "run", torch_run.WINDOWS)
    run = _joined(made, made, tmp_path / "joined")
    output = tmp_path / "export.zip"
    _exported(run, models.load, output)
    entry = {"file": str(output), "take": "all", "freeze": None, "rate": 1}
    settings = {"model": {"start_from": entry, "family": "centermask"},
                "heads": {"instances": {}}}  # fmt: skip
    of_folds = r"export\.zip is of a run of all folds, and holds several networks\. Start from the"
    with (
        pytest.raises(UserError, match=of_folds),
        start.opened(settings, [output], {"dataset": "mine"}, {"mine": {}}),
    ):
        pass
    with pytest.raises(UserError, match=of_folds):
        starts._check_export("models.net.start_from.file", {}, None, str(output))


@pytest.mark.slow
def test_runs_that_are_fused_may_have_networks_of_folds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = torch_run.make_fused(("centermask", "retinamask"), tmp_path)
    member = run["members"][0]
    joined = _joined(member, member, tmp_path / "joined")
    settings = json.loads(run["settings"].read_text())
    settings["model"]["members"][0]["folder"] = os.path.relpath(
        tmp_path / "joined", run["settings"].parent
    )
    run["settings"].write_text(json.dumps(settings))
    image = tiny_run.picture(*torch_run.SHAPE)
    files = {name: run[name] for name in ("settings", "segmentation")}
    expected = _segmented(files, image)
    assert expected.max() >= 3
    output = tmp_path / "export.zip"
    names = ("weights", "settings", "provenance")
    members = [{name: str(one[name]) for name in names} for one in (joined, run["members"][1])]
    unpacked = _exported(run, models.load, output, members=members)
    assert exports.members_in(output)[:2] == [
        f"members/1/members/fold-{number}/weights.safetensors" for number in (1, 2)
    ]
    moved = {name: unpacked / f"{name}.json" for name in files}
    np.testing.assert_array_equal(_segmented(moved, image), expected)
    (tmp_path / "image.tif").write_bytes(reading.as_tiff(image))
    np.testing.assert_array_equal(_example(unpacked, tmp_path), expected)
