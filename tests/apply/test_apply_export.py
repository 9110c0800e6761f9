"""Exports applied to images, and the starter network, which is one."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import tifffile

import small_training
from cellseg import starter
from cellseg.apply import doubts, request
from cellseg.apply import run as apply_run
from cellseg.errors import UserError
from cellseg.simulate.cell_types import CELL_TYPES
from cellseg.simulate.frame import simulate_frame


@pytest.fixture(scope="module")
def family():
    with small_training.in_this_process("unet") as family:
        yield family


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "images").mkdir()
    frame = simulate_frame(CELL_TYPES["SkBr3"], 40, 200, 220, np.random.default_rng(8))
    for name, size in (("fine", 0.5), ("alike", 1.0)):
        tifffile.imwrite(tmp_path / f"images/{name}.tif", frame.image, imagej=True,
                         resolution=(1 / size, 1 / size), metadata={"unit": "um"})  # fmt: skip
    return {"run": None, "images": str(tmp_path / "images"), "output": str(tmp_path / "out"),
            "tuning": None, "pixel_size": None, "channel": None, "page": None}  # fmt: skip


def _apply(settings, family):
    output = settings["output"]
    outputs = {name: f"{output}/{name}.csv" for name in ("cells", "images", "skipped")}
    outputs["overview"] = f"{output}/overview.html"
    apply_run.apply(settings, lambda model: family, outputs, 1)
    return pd.read_csv(outputs["images"])


def test_without_a_run_the_starter_finds_cells_and_is_named(family, settings, tmp_path, capsys):
    images = _apply(settings, family)
    assert (images["cells"] >= 10).all()
    printed, page = capsys.readouterr().out, (tmp_path / "out/overview.html").read_text()
    for text in (printed, page):
        assert "simulated phase-contrast images alone, never on a real one" in text
        assert "fine.tif (0.5 µm)" in text and "alike.tif (1" not in text
    record = json.loads((tmp_path / "out/applied.json").read_text())
    used = record["segmentation"]["segmentation"]
    assert record["run"] == "starter" and used["method"] == "flow-tracking"
    assert request.files_of_run({**settings, "run": "starter"}) == request.files_of_run(settings)
    # Again into the same folder, but not with another network.
    assert request.earlier(settings)
    other = {**settings, "run": str(starter.FILE)}
    with pytest.raises(UserError, match="found by starter, which would be lost"):
        request.earlier(other)
    again = _apply({**other, "output": str(tmp_path / "other")}, family)
    assert again["cells"].tolist() == images["cells"].tolist()
    assert "Segmented by the trained run" in (tmp_path / "other/overview.html").read_text()


def test_what_an_export_lacks_is_named(settings, tmp_path):
    export = tmp_path / "given.zip"
    asked = {**settings, "run": str(export)}
    with pytest.raises(UserError, match=r"given\.zip does not exist"):
        request.stamp(asked)
    export.write_bytes(b"PK broken")
    with pytest.raises(UserError, match="damaged or no zip"):
        with request.unpacked(request.files_of_run(asked)):
            pass
    with zipfile.ZipFile(export, "w") as archive:
        archive.writestr("weights.h5", b"weights")
    with pytest.raises(UserError, match=r"holds no settings\.json.*Export the run again\.$"):
        with request.unpacked(request.files_of_run(asked)):
            pass
    for form, why in ((3, "by a newer version"), ("2", "its format is '2'")):
        with zipfile.ZipFile(export, "w") as archive:
            for name in ("weights.h5", "settings.json", "origin.json", "scores.csv"):
                archive.writestr(name, b"{}")
            archive.writestr("segmentation.json", json.dumps({"format": form}))
        with pytest.raises(UserError, match=rf"given\.zip: segmentation\.json .*{why}"):
            with request.unpacked(request.files_of_run(asked)):
                pass
    content = bytearray(export.read_bytes())
    content[6] |= 1  # as of a file with a password, which the end of the file says too
    content[content.index(b"PK\x01\x02") + 8] |= 1
    export.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged or no zip .*encrypted"):
        with request.unpacked(request.files_of_run(asked)):
            pass
    with pytest.raises(UserError, match=r"apply\.tuning: grid .* Leave `tuning` out"):
        request.files_of_run({**asked, "tuning": "grid"})


def test_the_stamp_follows_the_export(settings, tmp_path):
    export = tmp_path / "given.zip"
    export.write_bytes(starter.FILE.read_bytes())
    asked = {**settings, "run": str(export)}
    first = request.stamp(asked)
    assert request.stamp(asked) == first
    with export.open("ab") as file:
        file.write(b"more")
    assert request.stamp(asked) != first


@pytest.mark.parametrize(
    ("expected", "size", "warned"),
    [(1.24, 1.0, False), (1.24, 0.65, True), (1.24, 2.2, True), (1.24, np.nan, False),
     (None, 0.1, False)],
)  # fmt: skip
def test_other_pixels_are_doubted(expected, size, warned):
    assert bool(doubts.of_pixels(expected, [("a.tif", size)])) == warned


def test_few_of_many_images_of_other_pixels_are_named():
    [text] = doubts.of_pixels(1, [(f"{number}.tif", 3) for number in range(7)])
    assert "4.tif (3 µm) and 2 more" in text and "5.tif" not in text
