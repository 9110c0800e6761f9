"""Exports of networks of torch: an archive that finds the cells of the workflow without it."""

import json
import os
import re
import subprocess
import zipfile

import numpy as np
import pandas as pd
import pytest
import tifffile
from packaging.requirements import Requirement

pytest.importorskip("torch")
pytest.importorskip("cellpose")

import torch

import installed_packages
import torch_run
from cellseg import models
from cellseg.apply import request
from cellseg.apply import run as apply_run
from cellseg.data.kinds import SOURCES
from cellseg.errors import UserError
from cellseg.export import modules
from cellseg.export import run as export_run
from cellseg.images import reading
from cellseg.io import exports
from cellseg.models import keras_files
from cellseg.models.pytorch import state_files
from cellseg.training import start

SLOW = pytest.mark.slow
ALIKE = [pytest.param(name, marks=SLOW)
         for name in ("maskrcnn", "retinamask", "cascade", "cellpose-sam")]  # fmt: skip


@pytest.fixture(scope="module", params=["centermask", "cellpose", *ALIKE])
def family(request):
    return request.param


@pytest.fixture(scope="module")
def run(family, tmp_path_factory):
    return torch_run.make(family, tmp_path_factory.mktemp("run"), torch_run.WINDOWS)


@pytest.fixture(scope="module")
def expected(run, tmp_path_factory):
    """The cells that the rules of the workflow find."""
    found = torch_run.labels(run, tmp_path_factory.mktemp("workflow"))
    assert found.shape == torch_run.SHAPE and found.max() >= 5
    return found


@pytest.fixture(scope="module")
def export(run, tmp_path_factory):
    paths = {key: str(path) for key, path in run.items() if key != "images"}
    output = tmp_path_factory.mktemp("export") / "export.zip"
    export_run.export(paths, [str(run["images"])], "download", models.load, str(output), 1)
    return output


@pytest.fixture(scope="module")
def unpacked(export):
    with zipfile.ZipFile(export) as archive:
        archive.extractall(export.parent)
    return export.parent


def test_the_example_finds_the_cells_of_the_workflow(run, expected, unpacked, tmp_path):
    """With the packages that the card names and no others, quietly, from another folder."""
    image = tifffile.imread(run["weights"].parent / "one.tif")
    (tmp_path / "image.tif").write_bytes(reading.as_tiff(image))  # compressed as LIVECell's
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    stated = re.search(r"^    pip install (.+)$", (unpacked / "README.md").read_text(), re.M)
    assert f"(pip install {stated[1]})" in (unpacked / "example.py").read_text()
    packages = tmp_path / "packages"
    installed_packages.link([Requirement(one).name for one in stated[1].split()], packages)
    command = installed_packages.command(packages)
    command[-1] = f"import sys; sys.path.insert(0, {str(unpacked)!r}); {command[-1]}"
    done = subprocess.run(
        [*command, str(unpacked / "example.py"), "image.tif"], cwd=tmp_path,
        env={**environment, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and done.stdout.count("\n") == 1
    cells = tifffile.imread(tmp_path / "cells.tif")
    np.testing.assert_array_equal(cells, expected)
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert scores["cell"].tolist() == list(range(1, expected.max() + 1))
    assert scores["score"].between(0, 1).all() and f"{len(scores)} cells" in done.stdout


def test_apply_finds_them_too(family, expected, export, run, tmp_path):
    for named in (export, run["weights"].parent):
        assert request.family({"run": str(named), "tuning": None}) == family
    outputs = {name: f"{tmp_path}/out/{name}.csv" for name in ("cells", "images", "skipped")}
    outputs["overview"] = f"{tmp_path}/out/overview.html"
    settings = {"run": str(export), "images": str(run["weights"].parent / "one.tif"),
                "output": f"{tmp_path}/out", "tuning": None, "pixel_size": None, "channel": None,
                "page": None}  # fmt: skip
    apply_run.apply(settings, models.load, outputs, 1)
    found = tifffile.imread(tmp_path / "out/labels/one_labels.tif")
    np.testing.assert_array_equal(found, expected)


def test_the_card_names_data_packages_and_paper(family, unpacked):
    card = re.sub(" +", " ", (unpacked / "README.md").read_text())  # tables are padded
    assert "| A172 | 1 | 7 | 0 |" in card  # trained on one image with seven cells
    assert "| `msa` | 0.500 |" in card and "| `ap` | 0.250 |" in card
    assert f"- The images it was trained on: {SOURCES['download'].licence}" in card
    built = {
        "cellpose": "torch (BSD 3-clause), cellpose (BSD 3-clause)",
        "cellpose-sam": "torch (BSD 3-clause), torchvision (BSD 3-clause), segment-anything",
    }
    assert f"network is built by: {built.get(family, 'torch (BSD 3-clause), torchvision')}" in card
    paper = {
        "cellpose": "s41592-020-01018-x",
        "cellpose-sam": "2025.04.28.651001",
        "centermask": "1911.06667",
    }
    assert paper.get(family, "arXiv") in card and "Mesmer" not in card
    assert "MIT License" in (unpacked / "cellseg/LICENSE").read_text()
    origin = json.loads((unpacked / "origin.json").read_text())
    assert origin["kind"] == "download" and origin["model"] == "net"


def test_a_training_starts_from_it(export, run):
    """Of networks of torch alone: Keras has other weights."""
    entry = {"file": "given/export.zip", "take": "all", "freeze": None, "rate": 1}
    heads = json.loads(run["settings"].read_text())["heads"]
    settings = {"model": {"start_from": entry, "family": "unet"}, "heads": heads,
                "training": {"normalization": "whole-image"},
                "tiling": {"mode": "crop", "size": 64}}  # fmt: skip
    with start.opened(settings, [export], {"dataset": "mine"}, {"mine": {}}) as begun:
        state = state_files.read(begun.path)
        with pytest.raises(UserError, match=r"given/export\.zip holds a network of torch"):
            keras_files.read_start(begun)
    assert begun.chain[0]["kind"] == "download" and begun.chain[0]["take"] == "all"
    trained = state_files.read(run["weights"])
    assert state.keys() == trained.keys()
    assert all(torch.equal(state[name], trained[name]) for name in state)


def test_weights_that_do_not_fit_are_named(export, run, tmp_path):
    """As where somebody has changed a file in the archive."""
    broken = tmp_path / "broken.zip"
    with zipfile.ZipFile(export) as archive, zipfile.ZipFile(broken, "w") as made:
        for name in archive.namelist():
            content = archive.read(name)
            made.writestr(name, content[:-8] if name == "weights.safetensors" else content)
    assert exports.weights_in(broken) == ["weights.safetensors"]
    settings = {"run": str(broken), "images": str(run["weights"].parent / "one.tif"),
                "output": f"{tmp_path}/out", "tuning": None, "pixel_size": None, "channel": None,
                "page": None}  # fmt: skip
    with pytest.raises(UserError, match=r"is no safetensors"):
        apply_run.apply(settings, models.load, {}, 1)


def test_modules_for_type_checkers_and_training_stay_behind():
    names = ["cellseg.models.detectors.predictor", "cellseg.segmentation.of_image"]
    found = {path.relative_to(modules.LIBRARY).as_posix() for path in modules.needed(names)}
    assert {"__init__.py", "inference/detections.py", "models/detectors/cascade.py"} <= found
    assert not [name for name in found if name.startswith(("training/", "tables/", "scoring/"))]
