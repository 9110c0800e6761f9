"""A trained run as a file that others use without this project."""

import json
import os
import re
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest
import tifffile
import yaml

import installed_packages
import small_training
import tiny_run
from cellseg import models
from cellseg.data.kinds import SOURCES
from cellseg.errors import UserError
from cellseg.export import bioimage_io, example, model_card
from cellseg.export import run as export_run
from cellseg.images import reading
from cellseg.images.normalization import normalize
from cellseg.inference import map_run, sliding_window
from cellseg.io import run_format
from cellseg.models import keras_files
from cellseg.segmentation import by_cell_type
from cellseg.training import start


@pytest.fixture(scope="module", params=small_training.OF_ANY_HEADS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def family(name):
    with small_training.in_this_process(name) as family:
        yield family


@pytest.fixture(scope="module")
def saved_model():
    """The module, imported when a family has started TensorFlow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models.load({"family": "panopticnet", "backend": "tensorflow"})
        from cellseg.export import saved_model
    return saved_model


@pytest.fixture(scope="module")
def run(family, name, tmp_path_factory):
    return tiny_run.make(family, name, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def unpacked(run, family, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    paths = {key: str(path) for key, path in run.items() if key != "images"}
    export_run.export(paths, [str(run["images"])], "download", lambda model: family,
                      str(folder / "export.zip"), 1)  # fmt: skip
    with zipfile.ZipFile(folder / "export.zip") as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.parametrize("file", ["settings", "segmentation"])
def test_a_run_of_an_older_version_is_not_exported(run, tmp_path, file):
    paths = {key: str(path) for key, path in run.items() if key != "images"}
    content = json.loads(run[file].read_text())
    assert content.pop("format") == run_format.FORMAT
    paths[file] = str(tmp_path / f"{file}.json")
    (tmp_path / f"{file}.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"{file}\.json was made by an older version .* Train the"):
        export_run.export(paths, [], "download", None, str(tmp_path / "export.zip"), 1)
    assert not (tmp_path / "export.zip").exists()


def test_an_export_says_its_version(unpacked):
    for name in ("settings", "segmentation"):
        assert run_format.read(unpacked / f"{name}.json")
    about = yaml.safe_load((unpacked / "rdf.yaml").read_text())
    assert about["config"] == {"livecell-bench": {"format": run_format.FORMAT}}


def test_the_example_computes_the_maps_of_the_run(run, family, unpacked, tmp_path):
    """With the packages that the card names and no others, quietly, on a compressed TIFF."""
    image = tiny_run.picture(50, 70)
    (unpacked / "image.tif").write_bytes(reading.as_tiff(image))  # compressed as LIVECell's
    hidden = ("PYTHONPATH", "TF_USE_LEGACY_KERAS", "KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    stated = re.search(r"^    pip install (.+)$", (unpacked / "README.md").read_text(), re.M)
    assert f"(pip install {stated[1]})" in (unpacked / "example.py").read_text()
    packages = tmp_path / "packages"
    installed_packages.link(stated[1].split(), packages)
    done = subprocess.run(
        [*installed_packages.command(packages), "example.py", "image.tif"], cwd=unpacked,
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and done.stdout.count("\n") == 1
    settings = yaml.safe_load(run["settings"].read_text())
    predict = map_run.image_predictor(settings, family, run["weights"].parent, tiny_run.OPTIONS)
    maps = np.load(unpacked / "maps.npz")
    for head, values in predict(image).items():
        np.testing.assert_allclose(maps[head.replace("-", "_")], values, atol=1e-4)
    cells = tifffile.imread(unpacked / "cells.tif")
    expected = np.load(tiny_run.labels(run, family, unpacked))["one"]
    # Not cell for cell: the example leaves out what the card names.
    assert f"{len(np.unique(cells)) - 1} cells" in done.stdout
    assert ((cells > 0) == (expected > 0)).mean() > 0.9


def test_the_card_says_where_the_network_comes_from(name, unpacked):
    card = re.sub(" +", " ", (unpacked / "README.md").read_text())  # tables are padded
    assert "| A172 | 1 | 7 | 1 |" in card  # trained on one image with seven cells
    assert "| `msa` | 0.500 |" in card and "| `ap` | 0.250 |" in card
    assert "Of the cells of all images together: `ap`, `ap50` and `afnr`." in card
    assert "CC BY-NC 4.0" in card
    assert ("deepcell (Van Valen Lab" in card) == (name == "deepcell")


def test_the_card_says_what_the_scores_had_and_the_export_has_not(unpacked):
    card = (unpacked / "README.md").read_text()
    assert "`segmentation.json`.\n" in card and "which `maps` does without" not in card
    views = {**tiny_run.OPTIONS["test_time_augmentation"], "scales": [1, 2]}
    averaged = {**tiny_run.OPTIONS, "window": "image", "test_time_augmentation": views}
    assert "whole images at once, other magnifications" in model_card.otherwise(averaged)


def test_the_card_says_which_thresholds_are_tuned():
    record = {"tuning": None}
    assert model_card.tuned(record) == ""
    record["tuning"] = "grid"
    assert model_card.tuned(record) == " They were tuned on validation images (`grid`)."
    said = model_card.tuned({**record, by_cell_type.KEY: {"BV2": {}, "A172": {}}})
    assert "images of A172, BV2 have the thresholds of their type" in said
    assert said.endswith("uses those of all types for every image, so its cells differ.")


def test_the_card_counts_synthetic_images():
    assert model_card._synthetic({"train_images": ["a"]}) == []
    shown = model_card._synthetic({"train_images": ["a"], "synthetic_images": 1500})
    assert shown == ["And 1,500 synthetic images made of these images."]


def test_the_description_is_one_of_the_model_zoo(name, unpacked):
    about = yaml.safe_load((unpacked / "rdf.yaml").read_text())
    tensors = [*about["inputs"], *about["outputs"]]
    assert [tensor["id"] for tensor in tensors] == ["windows", "maps"]
    for tensor in tensors:
        test = np.load(unpacked / tensor["test_tensor"]["source"])
        assert test.dtype == np.float32 and test.shape[1:3] == (32, 32)
        assert test.shape[3] == len(tensor["axes"][3]["channel_names"])
    assert about.get("license") == (None if name == "deepcell" else "CC-BY-NC-4.0")
    attached = {file["source"] for file in about["attachments"]}
    assert "segmentation.json" in attached
    # A process without our filter of warnings: bioimageio.spec leaves files open.
    code = (
        "import sys\nfrom bioimageio.spec import load_description\n"
        "summary = load_description(sys.argv[1]).validation_summary\n"
        "print(summary.display())\nsys.exit(summary.status != 'valid-format')"
    )
    done = subprocess.run([sys.executable, "-c", code, unpacked], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("method", ["whole-image", "batch", "percentile", "none"])
def test_normalization_is_that_of_training(saved_model, method):
    windows = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 1)).astype(np.float32)
    found = saved_model.NORMALIZATIONS[method](windows)
    np.testing.assert_allclose(found, normalize(windows, method), atol=1e-5)


@pytest.mark.parametrize("shape", [(32, 32), (50, 71), (9, 40), (3, 2), (128, 128)])
@pytest.mark.parametrize(("overlap", "grid"), [(0, 1), (7, 1), (7, 2), (6, 4)])
def test_whole_images_are_stitched_as_in_the_workflow(saved_model, shape, overlap, grid):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)

    def network(windows):
        return {"head": windows * np.linspace(0, 1, 32, dtype=np.float32)[:, None]}

    model = saved_model.WholeImages(network, [], ["head"], "none", 32, overlap, 4, grid)
    expected = sliding_window.predict_image(network, image, 32, overlap, "none", 4, grid)
    found = model.maps(image.astype(np.float32))
    np.testing.assert_allclose(found["head"], expected["head"], atol=1e-3)


def test_all_maps_in_one_are_in_the_order_of_the_heads(saved_model):
    def network(windows):  # Keras may give its outputs in the order of the alphabet
        return {"fgbg": pair(windows), "inner-distance": windows}

    def pair(windows):
        return windows * np.array([2, 3], np.float32)

    heads = ["inner-distance", "fgbg"]
    model = saved_model.WholeImages(network, [], heads, "none", 32, 0, 4)
    maps = model.serving_default(np.ones((1, 32, 32, 1), np.float32))["maps"]
    assert maps[0, 0, 0].numpy().tolist() == [1, 2, 3]


def test_what_tensorflow_cannot_do_is_refused(saved_model, family, run):
    settings = yaml.safe_load(run["settings"].read_text())
    folder = run["weights"].parent
    settings["training"]["normalization"] = "clahe"
    with pytest.raises(UserError, match="normalization clahe"):
        saved_model.build(family, settings, [folder], tiny_run.OPTIONS)
    settings["tiling"]["mode"] = "resize"
    with pytest.raises(UserError, match="tiling mode resize"):
        saved_model.build(family, settings, [folder], tiny_run.OPTIONS)


@pytest.mark.parametrize(
    ("heads", "changes", "expected"),
    [
        (["fgbg"], {}, 'peaks = filters.gaussian(maps["fgbg"][..., 1], 1)'),
        (["outer-distance"], {}, "mask=interior > 0.01)"),
        (
            ["inner-distance", "pixelwise"],
            {"peaks": "local_maxima"},
            "feature.peak_local_max(peaks",
        ),
        (["inner-distance", "pixelwise"], {"min_size": 15}, "max_size=14)"),
    ],
)
def test_the_example_has_the_thresholds_of_the_run(heads, changes, expected):
    source = example.example(heads, {**tiny_run.WATERSHED, **changes})
    assert expected in source
    compile(source, "example.py", "exec")


@pytest.mark.parametrize("name", ["unet"], indirect=True)
def test_a_training_starts_from_an_export_whose_terms_go_on(name, run, family, unpacked, tmp_path):
    settings = small_training.settings(1, 3, name)
    entry = {"file": "given/export.zip", "take": "all", "freeze": "backbone", "rate": 1}
    settings["model"]["start_from"] = entry
    own = {"dataset": "ours", "model": "fine", "heads": "inner-distance+pixelwise",
           "subset": "full", "seed": 3}  # fmt: skip
    datasets = {"ours": {"kind": "simulated"}}
    with (
        small_training.without_tracing(),
        start.opened(settings, [unpacked / "export.zip"], own, datasets) as begun,
    ):
        streams, state = small_training.streams(3), small_training.state(tmp_path)
        family.train(settings, *streams, tmp_path, state, start=begun)
    theirs, ours = (keras_files.read(path) for path in (run["weights"], tmp_path / "weights.h5"))
    assert theirs.keys() == ours.keys()
    alike = {key for key in theirs if np.array_equal(theirs[key], ours[key])}
    assert alike == {key for key in theirs if key[0].startswith("down_")}

    paths = {key: str(path) for key, path in run.items() if key != "images"}
    record = json.loads(run["provenance"].read_text()) | {start.CHAIN: list(begun.chain)}
    made = {"weights": tmp_path / "weights.h5", "settings": tmp_path / "settings.json",
            "provenance": tmp_path / "provenance.json"}  # fmt: skip
    made["provenance"].write_text(json.dumps(record))
    made["settings"].write_text(json.dumps(run_format.stamped(settings)))
    export_run.export({**paths, **{key: str(path) for key, path in made.items()}},
                      [str(run["images"])], "simulated", lambda model: family,
                      str(tmp_path / "fine.zip"), 1)  # fmt: skip
    with zipfile.ZipFile(tmp_path / "fine.zip") as archive:
        card = re.sub(" +", " ", archive.read("README.md").decode())
        about = yaml.safe_load(archive.read("rdf.yaml"))
    name_of_it = "the file `export.zip` (run `mine/net/inner-distance+pixelwise/full/seed-0`)"
    assert f"started from {name_of_it} (all layers; frozen: backbone)" in card
    assert f"| {name_of_it} | 1 | all layers; frozen: backbone |" in card
    terms = SOURCES["download"].licence
    assert f"- The images it was trained on: {SOURCES['simulated'].licence}" in card
    assert f"- The images that {name_of_it} was trained on: {terms}" in card
    assert about["license"] == "CC-BY-NC-4.0"


def test_a_network_that_started_from_one_of_deepcell_names_no_licence(tmp_path):
    tensors = ("test_input.npy", "test_output.npy")
    for file in ("model.zip", "example.py", *tensors, *bioimage_io.RECORDS):
        (tmp_path / file).touch()
    run = {"dataset": "ours", "model": "fine", "heads": "fgbg", "subset": "full", "seed": 3}

    def licence(family):
        chain = [{"kind": "simulated", "family": family}]
        about = bioimage_io.describe(
            tmp_path, run, "simulated", "unet", "watershed", 32, ["fgbg"], "2.20", "", chain
        )
        return about.get("license")

    assert licence("unet") is not None and licence("deepcell") is None
