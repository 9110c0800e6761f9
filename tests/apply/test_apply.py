"""A trained run on images of one's own."""

import json
import os
import re
import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml
from PIL import Image

import small_training
import tiny_run
from cellseg.apply import doubts, geojson, pictures, request
from cellseg.apply import page as overview_page
from cellseg.apply import run as apply_run
from cellseg.errors import UserError
from cellseg.images import reading as image_files
from cellseg.inference import record as prediction_record
from cellseg.io import atomic
from cellseg.segmentation import by_cell_type


@pytest.fixture(scope="module")
def family():
    with small_training.in_this_process("panopticnet") as family:
        yield family


@pytest.fixture(scope="module")
def run(family, tmp_path_factory):
    return tiny_run.make(family, "panopticnet", tmp_path_factory.mktemp("run"))


@pytest.fixture
def settings(run, tmp_path):
    return {
        "run": str(run["weights"].parent),
        "images": str(tmp_path / "images"),
        "output": str(tmp_path / "out"),
        "tuning": None,
        "pixel_size": None,
        "channel": None,
        "page": None,
    }


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "images"
    path.mkdir()
    return path


def _apply(settings, family):
    output = settings["output"]
    tables = {name: f"{output}/{name}.csv" for name in ("cells", "images", "skipped")}
    outputs = {**tables, "overview": f"{output}/overview.html"}
    apply_run.apply(settings, lambda model: family, outputs, 1)
    return {name: pd.read_csv(path) for name, path in tables.items()}


def _labels(settings, name):
    return tifffile.imread(f"{settings['output']}/labels/{name}_labels.tif")


def test_the_images_of_the_data_set_give_the_labels_of_the_run(run, family, settings, tmp_path):
    expected = np.load(tiny_run.labels(run, family, tmp_path))
    tables = _apply({**settings, "images": str(run["weights"].parent)}, family)
    cells = pd.read_parquet(tmp_path / "cells.parquet")
    assert expected.files == ["one", "two"] and len(cells) > 10
    for name in expected.files:
        np.testing.assert_array_equal(_labels(settings, name), expected[name])
    found = tables["cells"]
    assert found["image"].tolist() == [f"{name}.tif" for name in cells["image"]]
    assert found["label"].tolist() == cells["cell"].tolist()
    assert found["area_px"].tolist() == cells["pixels"].tolist()
    np.testing.assert_allclose(found["score"], cells["score"], rtol=1e-5)


def test_every_kind_of_file(run, family, settings, folder, tmp_path):
    grey = tiny_run.picture(50, 70)
    pages = np.stack([grey[:40], grey[10:]])
    tifffile.imwrite(folder / "stack.tif", pages, imagej=True, resolution=(2, 2),
                     metadata={"axes": "TYX", "unit": "um"})  # fmt: skip
    deep = 30_000 + 100 * grey.astype(np.uint16)
    tifffile.imwrite(folder / "deep.tif", deep)
    Image.fromarray(np.dstack([grey] * 3)).save(folder / "a <b> & #1.png")
    (folder / "sub").mkdir()
    Image.fromarray(np.dstack([grey] * 3 + [grey * 0])).save(folder / "sub/alpha.png")
    tifffile.imwrite(folder / "large.tif", np.tile(grey, (3, 3)))
    tifffile.imwrite(folder / "tiny.tif", grey[:5, :9])
    tifffile.imwrite(folder / "dot.tif", grey[:1, :1])
    tifffile.imwrite(folder / "flat.tif", np.full((40, 40), 9, np.uint8))
    tifffile.imwrite(folder / "nan.tif", np.full((9, 9), np.nan, np.float32))
    (folder / "broken.tif").write_bytes(b"no picture")
    tables = _apply(settings, family)

    assert tables["skipped"]["file"].tolist() == ["broken.tif", "nan.tif"]
    assert "cannot be read as an image" in tables["skipped"]["why"][0]
    images = tables["images"].set_index(["image", "page"])
    assert len(images) == 9 and images.index.is_unique
    assert images.loc["stack.tif", "pixel_size_um"].tolist() == [0.5, 0.5]
    assert images["pixel_size_um"].isna().sum() == 7
    assert ("flat.tif", 1) in images.index and ("dot.tif", 1) in images.index
    same = images.loc[["a <b> & #1.png", "sub/alpha.png"], "cells"]
    assert same.nunique() == 1 and same.iloc[0] > 5
    assert images.loc[("large.tif", 1), "cells"] > 5 * same.iloc[0]
    for (name, page), row in images.iterrows():
        labels = tifffile.imread(f"{settings['output']}/{row['labels']}")
        labels = labels[page - 1] if name == "stack.tif" else labels
        assert labels.dtype == np.uint16 and labels.shape == (row["height_px"], row["width_px"])
        found = tables["cells"].query("image == @name and page == @page")
        assert found["label"].tolist() == np.unique(labels[labels > 0]).tolist()
        assert len(found) == row["cells"]
    stack = tables["cells"].query("image == 'stack.tif'")
    np.testing.assert_allclose(stack["area_um2"], stack["area_px"] / 4)
    bright = tables["cells"].query("image == 'deep.tif'")
    np.testing.assert_allclose(
        bright["mean_intensity"],
        [deep[_labels(settings, "deep") == label].mean() for label in bright["label"]],
        rtol=1e-5,
    )
    outlines = json.loads((tmp_path / "out/outlines/stack.geojson").read_text())
    assert len(outlines["features"]) == len(stack)
    page = (tmp_path / "out/overview.html").read_text()
    assert "a &lt;b&gt; &amp; #1.png" in page and "labels/a%20%3Cb%3E%20%26%20%231_labels" in page
    assert "broken.tif" in page and page.count("<figure>") == 9
    assert not re.search(r'(src|href)="(http|/)', page)  # nothing is fetched from elsewhere


def test_a_channel_or_a_page_alone(family, settings, folder, tmp_path):
    pages = np.stack([tiny_run.picture(40, 50, seed) for seed in range(6)]).reshape(3, 2, 40, 50)
    tifffile.imwrite(folder / "stack.tif", pages, imagej=True, metadata={"axes": "ZCYX"})
    tifffile.imwrite(folder / "grey.tif", pages[0, 0])
    every = _apply(settings, family)
    assert len(every["images"]) == 7
    whole = _labels(settings, "stack")
    with pytest.raises(
        UserError, match=r"on other pages \(channel: all, page: all; not channel: 2"
    ):
        request.stamp({**settings, "channel": 2})
    asked = {**settings, "channel": 2, "page": 3, "output": str(tmp_path / "third")}
    tables = _apply(asked, family)
    assert tables["images"][["image", "page"]].values.tolist() == [["stack.tif", 3]]
    assert tables["skipped"]["file"].tolist() == ["grey.tif"]
    assert "has no channel 2: it has 1" in tables["skipped"]["why"][0]
    np.testing.assert_array_equal(_labels(asked, "stack"), whole[2, 1])
    assert set(tables["cells"]["page"]) == {3}
    record = json.loads((tmp_path / "third/applied.json").read_text())
    assert (record["channel"], record["page"]) == (2, 3)
    assert record["grey_values"] == {"percentiles": [0.1, 99.9]}
    assert (
        "only channel 2 and page 3 was segmented" in (tmp_path / "third/overview.html").read_text()
    )
    request.stamp(asked)


def test_turned_images_are_segmented_upright(family, settings, folder, tmp_path):
    grey = tiny_run.picture(40, 60)
    tifffile.imwrite(folder / "plain.tif", grey)
    stored = np.ascontiguousarray(np.rot90(grey))
    tifffile.imwrite(folder / "turned.tif", stored, extratags=[(274, "H", 1, 6, True)])
    images = _apply(settings, family)["images"].set_index("image")
    assert images["orientation"].to_dict() == {"plain.tif": 1, "turned.tif": 6}
    np.testing.assert_array_equal(_labels(settings, "turned"), _labels(settings, "plain"))
    assert "All results are of the upright image" in (tmp_path / "out/overview.html").read_text()


def test_a_hot_pixel_costs_no_cells(family, settings, folder):
    deep = 400 + 4 * tiny_run.picture(50, 70).astype(np.uint16)
    tifffile.imwrite(folder / "a.tif", deep)
    deep[3, 5] = 65535
    tifffile.imwrite(folder / "hot.tif", deep)
    images = _apply(settings, family)["images"].set_index("image")
    assert images["cells"].min() > 5 and images["cells"].nunique() == 1
    assert images.loc["hot.tif", "white_level"] < 1500


def test_odd_names_and_folders(family, settings, folder, tmp_path):
    """Each is segmented, or skipped with a reason; none ends the others."""
    grey = tiny_run.picture(40, 40)
    (tmp_path / "far/plate").mkdir(parents=True)
    (folder / "plate").symlink_to(tmp_path / "far/plate")
    long = "b" * 240
    for name in ("UPPER.TIF", f"{long}.png", f"{long}2.png", "plate/linked.png"):
        Image.fromarray(grey).save(folder / name)
    Image.fromarray(grey).save(os.fsencode(folder) + b"/\xff.png")
    Image.fromarray(grey).save(folder / "._a.png")
    (folder / "other.czi").touch()
    os.mkfifo(folder / "pipe.tif")
    (folder / "gone.tif").symlink_to("nowhere.tif")
    tables = _apply(settings, family)
    names = ["UPPER.TIF", f"{long}.png", f"{long}2.png", "plate/linked.png"]
    assert tables["images"]["image"].tolist() == names
    assert all((tmp_path / "out" / path).is_file() for path in tables["images"]["labels"])
    assert tables["images"]["labels"].is_unique
    why = dict(tables["skipped"].values.tolist())
    assert sorted(why) == ["\\udcff.png", "gone.tif", "other.czi", "pipe.tif"]
    assert why["other.czi"] == ".czi is not read. Export it as TIFF."
    assert "is no regular file" in why["pipe.tif"] and "does not exist" in why["gone.tif"]


def test_a_result_that_cannot_be_written_is_skipped(family, settings, folder):
    """The results of one image need a file where those of another need a folder."""
    (folder / "a_labels.tif").mkdir()
    for name in ("a.tif", "a_labels.tif/b.tif", "c.tif"):
        tifffile.imwrite(folder / name, tiny_run.picture(40, 40))
    tables = _apply(settings, family)
    assert tables["images"]["image"].tolist() == ["a.tif", "c.tif"]
    assert tables["skipped"]["file"].tolist() == ["a_labels.tif/b.tif"]


def test_results_of_images_that_are_gone_go_too(family, settings, folder, tmp_path, monkeypatch):
    for name in ("kept.tif", "gone.tif", "spoilt.tif"):
        tifffile.imwrite(folder / name, tiny_run.picture(40, 40))
    _apply(settings, family)
    (tmp_path / "out/labels/mine.txt").write_text("a note")
    (folder / "gone.tif").unlink()
    (folder / "spoilt.tif").write_bytes(b"")
    record = json.loads((tmp_path / "out/applied.json").read_text())
    assert [record[name] for name in ("run", "images", "tuning")] == [
        settings["run"], settings["images"], None,
    ]  # fmt: skip
    monkeypatch.chdir(tmp_path)
    request.stamp({**settings, "images": "images/", "output": "out"})  # the same, written otherwise
    tables = _apply(settings, family)
    assert sorted(path.name for path in (tmp_path / "out/labels").iterdir()) == [
        "kept_labels.tif", "mine.txt",
    ]  # fmt: skip
    assert tables["images"]["image"].tolist() == ["kept.tif"]


def test_a_record_removes_nothing_outside_of_its_folder(
    run, family, settings, folder, tmp_path, monkeypatch
):
    """A folder of results may come from anybody."""
    monkeypatch.setattr(apply_run, "Segmenter", _no_segmenter)
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(folder / "a.png")
    output, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    for place in (output / "labels", elsewhere):
        place.mkdir(parents=True)
    (output / "outlines").symlink_to(elsewhere)
    (output / "cells.csv").touch()
    (output / "labels" / "link_labels.tif").symlink_to(tmp_path / "precious_labels.tif")
    precious = ["precious.txt", "precious_labels.tif", "elsewhere/x.geojson"]
    precious += ["out/cells.csv", "out/notes.txt", "images/a.png"]
    for name in precious:
        (tmp_path / name).touch()
    (output / "labels" / "old_labels.tif").touch()
    written = ["../precious.txt", str(tmp_path / "precious.txt"), "outlines/x.geojson", "notes.txt"]
    written += ["labels/../../precious_labels.tif", "labels/link_labels.tif", "../images/a.png", ""]
    written += [3, "labels/old_labels.tif"]
    record = {key: settings[key] for key in ("run", "images", "tuning", "channel", "page")}
    atomic.write_json(output / request.RECORD, {**record, "written": written})
    with pytest.raises(KeyboardInterrupt):
        _apply(settings, family)
    assert all((tmp_path / name).exists() for name in precious)
    assert (output / "labels" / "link_labels.tif").is_symlink()
    assert not (output / "labels" / "old_labels.tif").exists()


def _no_segmenter(*arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["=1+1.png", "@x.png", "-a.png"])
def test_no_name_is_a_formula(family, settings, folder, name):
    picture = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    Image.fromarray(picture).save(folder / name)
    (folder / f"{name}.tif").write_bytes(b"broken")
    tables = _apply(settings, family)
    assert set(tables["images"]["image"]) == {f"'{name}"}
    assert set(tables["cells"]["image"]) <= {f"'{name}"}
    assert tables["skipped"]["file"].tolist() == [f"'{name}.tif"]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:200],
        lambda text: "[]",
        lambda text: "",
        lambda text: json.dumps({**json.loads(text), "heads": 3}),
        lambda text: json.dumps({**json.loads(text), "model": {}}),
        lambda text: json.dumps({**json.loads(text), "model": {"family": "panopticnet"}}),
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "model"}),
    ],
)
def test_settings_that_no_run_has_are_named(run, family, tmp_path, change):
    changed = tmp_path / "settings.json"
    changed.write_text(change(run["settings"].read_text()))
    with pytest.raises(UserError, match=r"settings\.json is missing, damaged"):
        apply_run.Segmenter({**run, "settings": changed}, lambda model: family, 1)


def test_nothing_but_broken_files_is_an_error(family, settings, folder):
    (folder / "broken.tif").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"none of the 1 images .*\n- .*broken\.tif"):
        _apply(settings, family)


def test_images_are_predicted_as_those_of_the_scores_were(run, family, settings, tmp_path):
    shutil.copytree(run["weights"].parent, tmp_path / "run")
    own = {name: tmp_path / "run" / path.name for name, path in run.items()}
    record = json.loads(own["segmentation"].read_text())
    views = {**tiny_run.OPTIONS["test_time_augmentation"], "flips": True}
    record["prediction"] = {
        **tiny_run.OPTIONS,
        "window_overlap": 0.5,
        "test_time_augmentation": views,
    }
    atomic.write_json(own["segmentation"], record)
    expected = np.load(tiny_run.labels(own, family, tmp_path))["one"]
    _apply({**settings, "run": str(tmp_path / "run"), "images": str(tmp_path / "run/one.tif")},
           family)  # fmt: skip
    np.testing.assert_array_equal(_labels(settings, "one"), expected)
    otherwise = np.load(tiny_run.labels(run, family, tmp_path))["one"]
    assert (otherwise != expected).any()
    used = json.loads((tmp_path / "out/applied.json").read_text())["prediction"]
    assert used == record["prediction"]


def test_images_of_a_cell_type_get_its_thresholds(run, family, settings, tmp_path):
    """Else those of all, and the page says so."""
    shutil.copytree(run["weights"].parent, tmp_path / "run")
    record = json.loads(run["segmentation"].read_text())
    none_left = {**record["segmentation"], "min_size": 10**6}
    record |= {"tuning": "grid", by_cell_type.KEY: {"BV2": none_left}}
    tuned = tmp_path / "run/tuning-grid"
    tuned.mkdir()
    atomic.write_json(tuned / "segmentation.json", record)
    shutil.copy(run["metrics"], tuned)
    asked = {**settings, "run": str(tmp_path / "run"), "images": str(tmp_path / "run/one.tif"),
             "tuning": "grid"}  # fmt: skip
    of_all = _apply({**asked, "output": str(tmp_path / "all")}, family)
    assert len(of_all["cells"]) > 1
    page = (tmp_path / "all/overview.html").read_text()
    assert "thresholds tuned (grid) for all cell types together" in page
    asked["cell_type"] = "bv-2"
    assert len(_apply(asked, family)["cells"]) == 0
    assert (
        "thresholds tuned (grid) for cell type bv-2" in (tmp_path / "out/overview.html").read_text()
    )
    assert json.loads((tmp_path / "out/applied.json").read_text())["cell_type"] == "bv-2"
    with pytest.raises(UserError, match=r"\(cell_type: bv-2, not none\)"):
        request.stamp({**asked, "cell_type": None})
    with pytest.raises(UserError, match=r"no thresholds of cell type 'A172'. It has those of BV2"):
        request.stamp({**asked, "cell_type": "A172"})


def test_the_record_holds_every_setting_of_prediction(checkout):
    schema = yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())
    properties = schema["properties"]["prediction"]["properties"]
    assert sorted(properties) == list(prediction_record.SETTINGS) == sorted(tiny_run.OPTIONS)
    views = properties["test_time_augmentation"]["properties"]
    given = tiny_run.OPTIONS["test_time_augmentation"]
    assert sorted(views) == list(prediction_record.VIEWS) == sorted(given)


def test_a_run_that_does_not_say_how_it_was_predicted_is_refused(run, settings, folder, tmp_path):
    tifffile.imwrite(folder / "image.tif", tiny_run.picture(40, 40))
    shutil.copytree(run["weights"].parent, tmp_path / "run")
    record = tmp_path / "run/segmentation.json"
    for content, message in [
        ("{", "Expecting property name"),
        ("3", "not subscriptable"),
        ('{"format": 2, "segmentation": {}}', "prediction"),
        ('{"format": 2, "prediction": null}', "not iterable"),
        (
            '{"format": 2, "prediction": {"window": null, "window_overlap": 0.25}}',
            "lacks batch_size, test_time_augmentation",
        ),
        (
            '{"format": 2, "prediction": {"batch_size": 8, "window": null, "window_overlap": 0, '
            '"test_time_augmentation": {"flips": true}}}',
            r"lacks test_time_augmentation\.rotations, test_time_augmentation\.scales",
        ),
    ]:
        record.write_text(content)
        with pytest.raises(UserError, match=rf"{record} does not say .*{message}.* Predict it"):
            request.stamp({**settings, "run": str(tmp_path / "run")})


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (None, r"older version .*\(format 1, this one reads 2\).* Train the run again, or use it"),
        (3, r"newer version .*\(format 3, this one reads 2\)"),
    ],
)
def test_runs_of_other_versions_are_refused(
    run, family, settings, folder, tmp_path, version, message
):
    tifffile.imwrite(folder / "image.tif", tiny_run.picture(40, 40))
    shutil.copytree(run["weights"].parent, tmp_path / "run")
    for name in ("settings", "segmentation"):
        own = {**run, name: tmp_path / "run" / f"{name}.json"}
        content = json.loads(own[name].read_text())
        del content["format"]
        own[name].write_text(json.dumps(content if version is None else {"format": version}))
        with pytest.raises(UserError, match=rf"{name}\.json was made by an? {message}"):
            apply_run.Segmenter(own, lambda model: family, 1)
    # The plan refuses it already.
    with pytest.raises(UserError, match=rf"segmentation\.json was made by an? {message}"):
        request.stamp({**settings, "run": str(tmp_path / "run")})


def test_what_is_asked_for_is_checked(run, settings, folder, tmp_path):
    for changed, message in [
        ({"run": str(tmp_path / "nowhere")}, "nowhere does not exist"),
        (
            {"run": str(folder)},
            r"lacks weights\.h5, settings\.json, segmentation\.json. Name a folder that ends in se",
        ),
        ({"run": str(run["weights"])}, r"weights.h5 is a file, .* Name the folder of the run, /"),
        (
            {"tuning": "grid"},
            r"lacks tuning-grid/segmentation\.json.* .*/tuning-grid/segmentation\.json",
        ),
        ({"cell_type": "BV2"}, "has no thresholds of cell type 'BV2'. Name a threshold search"),
        ({"images": None}, "apply.images: say which images"),
        ({"images": str(tmp_path / "nowhere")}, "nowhere does not exist"),
        ({}, "holds no images"),
        ({"output": settings["images"]}, "holds the images"),
        ({"output": str(tmp_path)}, "holds the images"),
    ]:
        with pytest.raises(UserError, match=message):
            request.stamp({**settings, **changed})
    with pytest.raises(UserError, match="has braces"):
        request.output_folder({**settings, "output": "a{b}"}, "base")
    assert request.output_folder({**settings, "output": None}, "base") == "base/images"


def test_results_are_never_replaced_by_those_of_other_images_or_another_run(
    run, family, settings, folder, tmp_path
):
    """Told when the job is planned: Snakemake removes the tables before it starts."""
    own, other, plate = run["weights"].parent, tmp_path / "other", tmp_path / "plate-8/images"
    shutil.copytree(own, other)
    (own / "tuning-grid").mkdir(exist_ok=True)
    shutil.copy(own / "segmentation.json", own / "tuning-grid")
    plate.mkdir(parents=True)
    for images in (folder, plate):
        tifffile.imwrite(images / "a.tif", tiny_run.picture(40, 40))
    made = {"run": str(own), "images": str(folder), "written": ["labels/a_labels.tif"]}
    atomic.write_json(tmp_path / "out/applied.json", made)
    (tmp_path / "out/cells.csv").touch()
    kept = f"holds the cells of {folder}, found by {own}, which would be lost"
    for changed, message in [
        ({"images": str(plate)}, f"{kept}.* images: {plate},"),
        ({"images": str(folder / "a.tif")}, kept),
        ({"run": str(other)}, f"{kept}.*{{run: {other},"),
        ({"tuning": "grid"}, r"\(tuning: none, not grid\).* tuning: grid,"),
    ]:
        asked = {**settings, **changed}
        with pytest.raises(UserError, match=f"{message}.* output: {tmp_path}/out-2}}'"):
            request.stamp(asked)
        with pytest.raises(UserError, match=message):
            _apply(asked, family)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "applied.json", "cells.csv",
    ]  # fmt: skip
    for said in ({"tuning": "grid"}, {"watershed": {"tuning": "grid"}}):  # now, and once
        atomic.write_json(tmp_path / "out/applied.json", {**made, **said})
        request.stamp({**settings, "tuning": "grid"})
        with pytest.raises(UserError, match=r"\(tuning: grid, not none\)"):
            request.stamp(settings)
    (tmp_path / "out/cells.csv").unlink()  # nothing is left that could be lost
    request.stamp(settings)


@pytest.mark.parametrize("name", ["labels", "cells.csv"])
def test_files_that_are_not_of_this_workflow_are_left_alone(name, run, settings, folder, tmp_path):
    tifffile.imwrite(folder / "a.tif", tiny_run.picture(40, 40))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).mkdir()
    for content in (None, "{", "[]", "{}"):
        if content:
            (tmp_path / "out/applied.json").write_text(content)
        with pytest.raises(UserError, match=f"out/{name} is there already, and not by this"):
            request.stamp(settings)


def test_the_stamp_sees_new_and_changed_images_and_runs(run, family, settings, folder):
    image = folder / "image.tif"
    tifffile.imwrite(image, tiny_run.picture(40, 40))
    first = request.stamp(settings)
    (folder / "notes.txt").write_text("no image")
    inner = {**settings, "output": str(folder / "out")}
    assert request.stamp(settings) == first
    _apply(inner, family)  # what was made among the images is no image
    assert request.stamp(settings) == request.stamp(inner) == first
    tifffile.imwrite(folder / "more.tif", tiny_run.picture(40, 40))
    second = request.stamp(settings)
    os.utime(image, (1, 1))
    third = request.stamp(settings)
    os.utime(run["weights"], (1, 1))
    assert len({first, second, third, request.stamp(settings)}) == 4


def test_pictures_show_the_outline_where_the_cell_is(tmp_path):
    labels = np.zeros((10, 20), np.int32)
    labels[2:6, 4:12] = 1
    image = np.random.default_rng(0).integers(100, 110, labels.shape).astype(np.uint8)
    picture = pictures.draw(image, geojson.of_cells(labels))
    drawn = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert drawn.shape == (80, 160, 3)  # magnified eight times
    blue = drawn[..., 0] - drawn[..., 2] > 40
    rows, columns = np.nonzero(blue)
    assert (rows.min(), rows.max()) == pytest.approx((16, 48), abs=2)
    assert (columns.min(), columns.max()) == pytest.approx((32, 96), abs=2)
    assert not blue[22:42, 38:90].any()


def test_the_page_shows_three_pages_of_a_stack():
    assert overview_page.shown(1) == [1]
    assert overview_page.shown(2) == [1, 2]
    assert overview_page.shown(9) == [1, 5, 9]


def test_it_ends_with_the_page_to_open(family, settings, folder, capsys):
    tifffile.imwrite(folder / "a.tif", tiny_run.picture(50, 70))
    (folder / "broken.tif").write_bytes(b"no picture")
    n_cells = len(_apply(settings, family)["cells"])
    *_, found, last = capsys.readouterr().out.splitlines()
    assert last == f"Open {settings['output']}/overview.html"
    assert found == f"Found {n_cells} cells on 1 page, 1 file skipped."


@pytest.mark.parametrize(
    ("f1", "reason"),
    [
        (0.01, "The run finds as little in its own test images (F1 at IoU 0.5 0.010): train it l"),
        (0.7, "these images differ from what it was trained on"),
        (None, "Compare magnification, contrast and focus with the images that"),
    ],
)
def test_almost_no_cells_are_doubted(run, family, settings, folder, capsys, f1, reason, tmp_path):
    own = shutil.copytree(run["weights"].parent, tmp_path / "run")
    table = pd.read_csv(own / "metrics.csv")
    table.assign(f1_50=f1).to_csv(own / "metrics.csv", index=False)
    if f1 is None:
        (own / "metrics.csv").unlink()
    record = json.loads((own / "segmentation.json").read_text())
    record["segmentation"]["interior_threshold"] = 1.0
    (own / "segmentation.json").write_text(json.dumps(record))
    for name in ("a", "b"):
        tifffile.imwrite(folder / f"{name}.tif", np.full((40, 40), 9, np.uint8))
    _apply({**settings, "run": str(own)}, family)
    said = capsys.readouterr().out
    assert "Warning: found almost nothing: 0 cells on 2 pages. " in said and reason in said
    page = (tmp_path / "out/overview.html").read_text()
    assert "Warning: found almost nothing" in page and "pure noise" not in said


def test_noise_is_doubted(family, settings, folder, capsys, tmp_path):
    random = np.random.default_rng(0)
    tifffile.imwrite(folder / "cells.tif", tiny_run.picture(50, 70))
    tifffile.imwrite(folder / "noise.tif", random.integers(0, 255, (2, 60, 60)).astype(np.uint8))
    _apply(settings, family)
    (said,) = [line for line in capsys.readouterr().out.splitlines() if "pure noise" in line]
    assert said.startswith("Warning: noise.tif: neighbouring pixels do not correlate")
    assert "neighbouring pixels do not correlate" in (tmp_path / "out/overview.html").read_text()


def test_real_images_are_no_noise(livecell_mini):
    paths = sorted(livecell_mini.rglob("*.tif"))
    assert len(paths) == 13 and not any(doubts.is_noise(image_files.read(path)) for path in paths)
    first = image_files.read(paths[0]).astype(float)
    noise = np.random.default_rng(0).normal(0, first.std() / 2, first.shape)
    assert not doubts.is_noise(first + noise) and doubts.is_noise(noise)
