"""Runs that are fused of others on images of one's own: folders and exports of them."""

import json
import os
import re
import shutil
import subprocess
import zipfile

import numpy as np
import pandas as pd
import pytest
import tifffile
from packaging.requirements import Requirement

pytest.importorskip("torch")

import installed_packages
import tiny_run
import torch_run
from cellseg import models
from cellseg.apply import request
from cellseg.apply import run as apply_run
from cellseg.data.kinds import SOURCES
from cellseg.errors import UserError
from cellseg.export import run as export_run
from cellseg.images import reading
from cellseg.inference import fusion
from cellseg.io import exports
from cellseg.segmentation.methods import painting
from cellseg.segmentation.segmenter import Segmenter
from cellseg.targets.instances import HEAD
from cellseg.training import start

FAMILIES = ("centermask", "retinamask")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return torch_run.make_fused(FAMILIES, tmp_path_factory.mktemp("fused"))


@pytest.fixture(scope="module")
def folder(run):
    return run["settings"].parent


@pytest.fixture(scope="module")
def expected(folder):
    """The cells that the rules of the workflow find."""
    return _labels(folder)


@pytest.fixture(scope="module")
def export(run, tmp_path_factory):
    output = tmp_path_factory.mktemp("export") / "export.zip"
    export_run.export(_paths(run), [str(run["images"])], "download", models.load, str(output), 1,
                      members=[_paths(one) for one in run["members"]])  # fmt: skip
    return output


@pytest.fixture(scope="module")
def unpacked(export):
    with zipfile.ZipFile(export) as archive:
        archive.extractall(export.parent)
    return export.parent


def _paths(run):
    return {key: str(path) for key, path in run.items() if key not in ("images", "members")}


def _labels(folder):
    with np.load(folder / "labels.npz") as made:
        found = made["one"]
    assert found.shape == torch_run.SHAPE and found.max() >= 5
    return found


def _apply(run, named, output, **chosen):
    outputs = {name: f"{output}/{name}.csv" for name in ("cells", "images", "skipped")}
    outputs["overview"] = f"{output}/overview.html"
    settings = {"run": str(named), "images": str(run["members"][0]["weights"].parent / "one.tif"),
                "output": str(output), "tuning": None, "pixel_size": None, "channel": None,
                "page": None, **chosen}  # fmt: skip
    apply_run.apply(settings, models.load, outputs, 1)
    return tifffile.imread(output / "labels/one_labels.tif")


def test_the_rules_say_what_a_run_is_fused_of(run, folder):
    settings = json.loads(run["settings"].read_text())
    of_members = [f"../../../../{name}/instances/full/seed-0" for name in FAMILIES]
    assert settings["model"] == {
        "family": "fusion", "iou": 0.5,
        "members": [{"folder": of_members[0], "weight": 2.0},
                    {"folder": of_members[1], "weight": 1.0}],
    }  # fmt: skip
    assert json.loads(run["segmentation"].read_text())["prediction"] == torch_run.WINDOWS
    assert request.family({"run": str(folder), "tuning": None}) == "fusion"


def test_apply_finds_the_cells_of_the_workflow(run, folder, expected, tmp_path):
    """In windows, of which the image takes several; none of the members finds these cells."""
    found = _apply(run, folder, tmp_path / "out")
    np.testing.assert_array_equal(found, expected)
    for member in run["members"]:
        alone = Segmenter(member, models.load, 1)(tiny_run.picture(*torch_run.SHAPE))[0]
        assert (alone != expected).any()
    record = json.loads((tmp_path / "out/applied.json").read_text())
    assert record["run"] == str(folder) and "torch" in record["versions"]
    cells = pd.read_csv(tmp_path / "out/cells.csv")
    assert len(cells) == expected.max() and cells["score"].between(0, 1).all()


def test_thresholds_of_a_search_and_of_a_cell_type_are_used(run, folder, expected, tmp_path):
    of_all = _apply(run, folder, tmp_path / "all", tuning="grid")
    of_type = _apply(run, folder, tmp_path / "type", tuning="grid", cell_type="A172")
    np.testing.assert_array_equal(of_all, expected)
    np.testing.assert_array_equal(of_type, _labels(folder / "tuning-grid"))
    assert (of_type != of_all).any()
    with pytest.raises(UserError, match=r"no thresholds of cell type 'BV2'\. It has those of A172"):
        _apply(run, folder, tmp_path / "other", tuning="grid", cell_type="BV2")


def test_images_of_any_size_are_fused(run):
    files = {name: run[name] for name in ("settings", "segmentation")}
    image = tiny_run.picture(50, 150)
    labels, scores = Segmenter(files, models.load, 1)(image)
    found = []
    for member in run["members"]:
        own = json.loads(member["settings"].read_text())
        detect = torch_run.detector(own, member["weights"].parent, torch_run.WINDOWS)
        found.append(detect(image))
    fused = fusion.fuse(found, [2, 1], 0.5)
    wanted, of_each = painting.segment({HEAD: fused}, torch_run.PAINTING)
    np.testing.assert_array_equal(labels, wanted)
    np.testing.assert_array_equal(scores, of_each)


def test_what_a_run_is_fused_of_may_be_moved_with_it_but_not_missing(run, tmp_path):
    copied = tmp_path / "runs"
    shutil.copytree(run["settings"].parents[4], copied)
    own = copied / "both/instances/full/seed-0"
    before = request.files_of_run({"run": str(own), "tuning": None})
    assert sum(copied in path.resolve().parents for path in before.values()) == 6
    stamp = request.stamp(_settings(run, own, tmp_path))
    weights = copied / "retinamask/instances/full/seed-0/weights.h5"
    os.utime(weights, (1, 1))
    assert request.stamp(_settings(run, own, tmp_path)) != stamp  # it would be applied again
    weights.unlink()
    with pytest.raises(UserError, match=r"is fused of other runs, and \S+retinamask\S+weights\.h5"):
        request.files_of_run({"run": str(own), "tuning": None})
    (own / "settings.json").unlink()
    with pytest.raises(UserError, match=r"lacks settings\.json\. Finish it first: .*/settings"):
        request.files_of_run({"run": str(own), "tuning": None})


def _settings(run, named, folder):
    return {"run": str(named), "images": str(run["members"][0]["weights"].parent),
            "output": str(folder / "out"), "tuning": None}  # fmt: skip


def test_an_ensemble_among_the_members_is_refused(run, tmp_path):
    copied = tmp_path / "runs"
    shutil.copytree(run["settings"].parents[4], copied)
    path = copied / "retinamask/instances/full/seed-0/settings.json"
    settings = json.loads(path.read_text())
    settings["model"]["ensemble"] = "cell-type"
    path.write_text(json.dumps(settings))
    own = copied / "both/instances/full/seed-0"
    with pytest.raises(UserError, match=r"retinamask\S+weights\.h5 holds a network for each cell"):
        _apply(run, own, tmp_path / "out")
    members = [_paths(run["members"][0]), _paths(run["members"][1]) | {"settings": str(path)}]
    with pytest.raises(UserError, match=r"only a run of one network is exported"):
        export_run.export(_paths(run), [str(run["images"])], "download", models.load,
                          str(tmp_path / "export.zip"), 1, members=members)  # fmt: skip


# --- exports


def test_an_export_is_applied(run, export, expected, tmp_path):
    assert request.family({"run": str(export), "tuning": None}) == "fusion"
    np.testing.assert_array_equal(_apply(run, export, tmp_path / "out"), expected)
    with pytest.raises(UserError, match="is of a folder of a run"):
        _apply(run, export, tmp_path / "other", cell_type="A172")


def test_the_example_fuses_too(run, expected, unpacked, tmp_path):
    """With the packages that the card names and no others, quietly, from another folder."""
    image = tifffile.imread(run["members"][0]["weights"].parent / "one.tif")
    (tmp_path / "image.tif").write_bytes(reading.as_tiff(image))  # compressed as LIVECell's
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    stated = re.search(r"^    pip install (.+)$", (unpacked / "README.md").read_text(), re.M)
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
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "cells.tif"), expected)
    assert len(pd.read_csv(tmp_path / "scores.csv")) == expected.max()


def test_the_card_lists_all_members(unpacked):
    card = re.sub(" +", " ", (unpacked / "README.md").read_text())  # tables are padded
    assert "2 networks that together find single cells" in card
    assert "| `members/1`: centermask/instances/full/seed-0 | 2 | CenterMask" in card
    assert "| `members/2`: retinamask/instances/full/seed-0 | 1 | RetinaMask" in card
    assert "1 epoch on tiles of 64 pixels; 1 image |" in card
    assert "| A172 | 1 | 7 | 0 |" in card and "| `msa` | 0.500 |" in card
    assert card.count(f"- The images it was trained on: {SOURCES['download'].licence}") == 1
    assert card.count("network is built by: torch (BSD 3-clause), torchvision (BSD 3-clause)") == 1
    for paper in ("1911.06667", "1901.03353", "j.imavis.2021.104117", "s41592-021-01249-6"):
        assert card.count(paper) == 1
    for number in (1, 2):
        names = {path.name for path in (unpacked / f"members/{number}").iterdir()}
        assert names == {"weights.safetensors", "settings.json", "provenance.json"}
    settings = json.loads((unpacked / "settings.json").read_text())
    folders = [one["folder"] for one in settings["model"]["members"]]
    assert folders == ["members/1", "members/2"]
    assert not [path for path in (unpacked / "cellseg").rglob("*.py") if "training" in path.parts]


def test_no_training_starts_from_several_networks(export):
    entry = {"file": "given/export.zip", "take": "all", "freeze": None, "rate": 1}
    settings = {"model": {"start_from": entry, "family": "centermask"}}
    with (
        pytest.raises(UserError, match=r"fused of others.*such as members/1/weights\.safetensors"),
        start.opened(settings, [export], {"dataset": "mine"}, {"mine": {}}),
    ):
        pass


def test_an_export_that_lacks_a_member_is_refused(run, export, tmp_path):
    broken = tmp_path / "broken.zip"
    with zipfile.ZipFile(export) as archive, zipfile.ZipFile(broken, "w") as made:
        for name in archive.namelist():
            if name != "members/2/settings.json":
                made.writestr(name, archive.read(name))
    assert exports.members_in(broken)[-1] == "members/2/settings.json"
    with pytest.raises(UserError, match=r"holds no members/2/settings\.json"):
        _apply(run, broken, tmp_path / "out")
