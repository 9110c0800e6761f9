"""The registry of segmentation methods, and that a method needs no code elsewhere."""

import copy
import dataclasses
import importlib
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml

import components_method
from cellseg.apply import run as apply_run
from cellseg.errors import UserError
from cellseg.export import example
from cellseg.figures import overlay_cases
from cellseg.inference import map_store
from cellseg.io import atomic, run_format
from cellseg.scoring import found_nothing
from cellseg.segmentation import confidence, methods
from cellseg.segmentation import run as segment_run
from cellseg.study import segmentation_methods, validation
from cellseg.tables import collect, glossary
from cellseg.targets import channels, head_names
from cellseg.tuning import grid
from cellseg.tuning import run as tuning_run

NEITHER = ("score", "subsample", "by")
"""Keys of a search that are no settings of a method."""


@pytest.fixture(scope="module")
def schema(checkout):
    return yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())


def test_schema_and_registry_agree(schema):
    block = schema["properties"]["segmentation"]
    assert block["properties"]["method"]["enum"] == list(segmentation_methods.METHODS)
    assert block["properties"]["method"]["default"] == segmentation_methods.DEFAULT
    decides = [one["if"]["properties"]["method"]["const"] for one in block["allOf"]]
    assert decides == list(segmentation_methods.METHODS)
    listed = schema["properties"]["threshold_searches"]["additionalProperties"]["properties"]
    searched = {name for one in segmentation_methods.METHODS.values() for name in one.searched}
    assert {*listed} - {*NEITHER} == searched
    for method, one in zip(segmentation_methods.METHODS.values(), block["allOf"], strict=True):
        settings = schema["$defs"][one["then"]["$ref"].rpartition("/")[2]]["properties"]
        assert {*method.searched} <= {*settings}


@pytest.mark.parametrize("name", segmentation_methods.METHODS)
def test_entries_fit_their_modules(name):
    entry = segmentation_methods.METHODS[name]
    module = importlib.import_module(entry.module)
    assert callable(module.segment)
    for combination in head_names.combinations():
        heads = combination.split("+")
        assert {*methods.searched(heads, {"method": name})} <= {*entry.searched}
    for used in entry.maps.values():
        known = {*head_names.HEADS, head_names.INSTANCES}
        assert {*used.heads} <= {*entry.channels} <= known


def test_names_and_settings_are_known_without_numpy(checkout):
    code = (
        f"import sys; sys.path.insert(0, {str(checkout / 'scripts')!r})\n"
        "import cellseg.study.validation, cellseg.segmentation.methods\n"
        "print(sorted({'numpy', 'numba', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_the_watershed_stores_what_it_did():
    watershed = segmentation_methods.METHODS["watershed"]
    for combination in head_names.combinations():
        heads = [head for head in combination.split("+") if head in channels.OF_DEEPCELL]
        if not heads:
            continue
        assert watershed.can_segment(heads)
        stored = watershed.stored(heads)
        precise = map_store.depths(stored, watershed.precise(heads))
        assert precise == map_store.depths(stored)
    assert watershed.precise(["fgbg", "pixelwise"]) == ["pixelwise/1"]
    assert watershed.precise(["inner-distance", "pixelwise"]) == ["inner-distance/0"]


# --- another method


@pytest.fixture
def grown(monkeypatch, schema):
    """The schema with the lines of another method, which is registered."""
    monkeypatch.setitem(segmentation_methods.METHODS, "components", components_method.ENTRY)
    longer = copy.deepcopy(schema)
    block = longer["properties"]["segmentation"]
    block["properties"]["method"]["enum"].append("components")
    decides = {"properties": {"method": {"const": "components"}}, "required": ["method"]}
    then = {"additionalProperties": False, "properties": components_method.SETTINGS}
    block["allOf"].append({"if": decides, "then": then})
    searches = longer["properties"]["threshold_searches"]["additionalProperties"]["properties"]
    searches["threshold"] = {"$ref": "#/$defs/numbers"}
    return longer


def study(**changes) -> dict:
    run = {"model": "net", "heads": "fgbg", "subset": "full", "seed": 0}
    return {
        "dataset": "cells",
        "datasets": {"cells": {"kind": "simulated"}},
        "models": {"net": {"family": "unet"}},
        "subsets": {"full": {}},
        "experiments": {"first": {"title": "A title", "conditions": [run], "figures": []}},
        **changes,
    }


OWN = {"method": "components"}


def test_a_study_names_the_method_and_its_settings(grown):
    found = validation.resolve(study(segmentation=OWN), grown)["segmentation"]
    assert found == {"method": "components", "threshold": 0.3}
    assert validation.resolve(study(), grown)["segmentation"]["method"] == "watershed"
    assert "threshold" not in validation.resolve(study(), grown)["segmentation"]
    tunings = {"threshold_searches": {"grid": {"threshold": [0.5]}}}
    validation.resolve(study(segmentation=OWN, **tunings), grown)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"segmentation": {**OWN, "interior_threshold": 0.3}},
            "segmentation: there is no key 'interior_threshold' for method components.",
        ),
        (
            {"segmentation": {"threshold": 0.3}},
            "segmentation: there is no key 'threshold' for method watershed. "
            "Did you mean 'maxima_threshold'?",
        ),
        ({"segmentation": {"method": "component"}}, "Did you mean 'components'?"),
        (
            {"segmentation": OWN, "threshold_searches": {"grid": {"interior_threshold": [0.3]}}},
            "threshold_searches.grid.interior_threshold: segmentation.method components has no "
            "such setting",
        ),
        (
            {"threshold_searches": {"grid": {"threshold": [0.3]}}},
            "threshold_searches.grid.threshold: segmentation.method watershed has no such setting",
        ),
        ({"watershed": {"radius": 3}}, "watershed is now `segmentation`"),
    ],
)
def test_what_a_method_does_not_know_is_refused(grown, changes, expected):
    with pytest.raises(UserError) as error:
        validation.resolve(study(**changes), grown)
    assert expected in str(error.value)


def test_heads_that_a_method_cannot_use_are_refused(grown):
    given = study(segmentation=OWN)
    given["experiments"]["first"]["conditions"][0]["heads"] = "inner-distance"
    with pytest.raises(UserError) as error:
        validation.resolve(given, grown)
    assert str(error.value) == (
        "experiments.first.conditions.heads: heads inner-distance cannot be segmented by connected "
        "components: its mask needs one of pixelwise, fgbg. Add such a head, or choose another "
        "segmentation.method."
    )
    with pytest.raises(UserError, match="connected components"):
        methods.segment({"inner-distance": np.zeros((4, 4, 1), np.float32)}, OWN)


def test_heads_have_their_own_method(schema):
    """Each run by its heads; a search tries of its settings those of the run's method."""
    given = study(
        segmentation_by_heads={"pixelwise": {"method": "threshold-components", "grow": 1}},
        threshold_searches={"grid": {"maxima_threshold": [0.2], "grow": [0, 2]}},
    )
    given["experiments"]["first"]["conditions"][0]["heads"] = ["inner-distance", "pixelwise"]
    found = validation.resolve(given, schema)
    pixelwise = segmentation_methods.settings_for(found, "pixelwise")
    assert (pixelwise["method"], pixelwise["grow"]) == ("threshold-components", 1)
    assert pixelwise["interior_threshold"] == 0.8 and "radius" not in pixelwise
    others = segmentation_methods.settings_for(found, "inner-distance")
    assert others == found["segmentation"] and others["method"] == "watershed"
    search = found["threshold_searches"]["grid"]
    tried = {head: grid.combinations(search, segmentation_methods.settings_for(found, head), [head])
             for head in ("pixelwise", "inner-distance")}  # fmt: skip
    assert [one["grow"] for one in tried["pixelwise"]] == [1, 0, 2]
    assert [one["maxima_threshold"] for one in tried["inner-distance"]] == [0.1, 0.2]


@pytest.mark.parametrize(
    ("by_heads", "searches", "expected"),
    [
        ({"inner-distance": {"method": "threshold-components"}}, {},
         "segmentation_by_heads.inner-distance: heads inner-distance cannot be segmented by a "
         "threshold and connected components: its mask needs one of pixelwise, fgbg."),
        ({"pixelwise+fgbg": {}}, {}, "segmentation_by_heads: heads 'pixelwise+fgbg': write it as"),
        ({"pixelwise": {"grow": 1}}, {}, "there is no key 'grow' for method watershed"),
        ({"pixelwise": {"method": "threshold-components"}}, {"grid": {"grown": [1]}}, "'grow'"),
        ({}, {"grid": {"grow": [1]}},
         "threshold_searches.grid.grow: segmentation.method watershed has no such setting"),
    ],
)  # fmt: skip
def test_what_heads_cannot_have_is_refused(schema, by_heads, searches, expected):
    with pytest.raises(UserError) as error:
        given = study(segmentation_by_heads=by_heads, threshold_searches=searches)
        validation.resolve(given, schema)
    assert expected in str(error.value)


def test_captions_say_what_ranks_cells_of_each_method(monkeypatch):
    other = dataclasses.replace(segmentation_methods.METHODS["watershed"], confidence="the height")
    monkeypatch.setitem(segmentation_methods.METHODS, "other", other)
    both = {"watershed": ["fgbg"], "other": ["pixelwise"]}
    said = glossary.remarks(glossary.named("ap"), str, both)
    assert "the height, the interior probability" in said and "not the same for all" in said
    alike = glossary.remarks(
        glossary.named("ap"), str, {"watershed": [], "threshold-components": []}
    )
    assert "the mean over the cell's pixels" in alike


TRUE = np.zeros((12, 20), np.int32)
TRUE[2:9, 2:9], TRUE[2:9, 11:18] = 1, 2


def stored_maps(path, images=("a", "b")):
    """Maps of two cells that a weak bridge joins."""
    foreground = np.where(TRUE > 0, 0.9, 0.0)
    foreground[5, 9:11] = 0.4
    stack = np.stack([foreground], axis=-1).astype(np.float32)
    map_store.write(path, ["fgbg/1"], [(name, stack) for name in images], precise=[])
    return path


def test_maps_of_a_run_become_labels_and_cells(grown, tmp_path):
    maps = stored_maps(tmp_path / "predictions.zip")
    for threshold, expected in ((0.3, 1), (0.5, 2)):
        labels, cells = tmp_path / "labels.npz", tmp_path / "cells.parquet"
        segment_run.segment_run(maps, labels, cells, {**OWN, "threshold": threshold}, 2)
        with np.load(labels) as stack:
            assert sorted(stack.files) == ["a", "b"] and stack["b"].max() == expected
        table = pd.read_parquet(cells)
        assert table["pixels"].tolist() == ([100] if expected == 1 else [49, 49]) * 2
        assert table["score"].round(2).unique().tolist() == [0.9]
    assert np.array_equal(np.load(labels)["a"], TRUE)


def test_thresholds_are_searched(grown, tmp_path):
    maps = stored_maps(tmp_path / "predictions.zip")
    atomic.write_stack(tmp_path / "truth.npz", [("a", TRUE), ("b", TRUE)])
    tuning_run.tune(
        maps=maps, truths=[tmp_path / "truth.npz"],
        tuning={"threshold": [0.2, 0.3, 0.6], "score": "msa"},
        segmentation={**OWN, "threshold": 0.3},
        chosen=tmp_path / "chosen.json", tried=tmp_path / "tried.csv", threads=1,
    )  # fmt: skip
    chosen = json.loads((tmp_path / "chosen.json").read_text())
    assert chosen["segmentation"] == {"method": "components", "threshold": 0.6}
    assert (chosen["combinations"], chosen["mean"]) == (3, 1.0)
    tried = pd.read_csv(tmp_path / "tried.csv")
    assert tried["threshold"].tolist() == [0.3, 0.2, 0.6] and tried["n_pred"].tolist() == [1, 1, 2]


def family() -> SimpleNamespace:
    """Stands for a model family: what is bright is foreground."""

    def predictor(settings, folder):
        def predict(images):
            bright = (images > 0).astype(np.float32)
            return {"fgbg": np.concatenate([1 - bright, bright], axis=-1)}

        return predict

    return SimpleNamespace(
        Predictor=predictor, set_threads=lambda threads: None, versions=dict, device=lambda: "none"
    )


def test_a_trained_run_is_applied(grown, tmp_path):
    run, images = tmp_path / "run", tmp_path / "images"
    images.mkdir(parents=True)
    tifffile.imwrite(images / "one.tif", np.where(TRUE > 0, 200, 50).astype(np.uint8))
    settings = {"heads": {"fgbg": {}}, "model": {"family": "unet"},
                "tiling": {"mode": "cut", "size": 16},
                "training": {"normalization": "whole-image"}}  # fmt: skip
    views = {"flips": False, "rotations": False, "scales": [1]}
    prediction = {"window": None, "window_overlap": 0.25, "batch_size": 4,
                  "test_time_augmentation": views}  # fmt: skip
    record = {"tuning": None, "prediction": prediction, "segmentation": {**OWN, "threshold": 0.5}}
    atomic.write_json(run / "settings.json", run_format.stamped(settings))
    atomic.write_json(run / "segmentation.json", run_format.stamped(record))
    (run / "weights.h5").touch()
    output = tmp_path / "applied"
    names = ("overview.html", "cells.csv", "images.csv", "skipped.csv")
    asked = {"run": str(run), "tuning": None, "images": str(images), "output": str(output),
             "pixel_size": None, "channel": None, "page": None}  # fmt: skip
    outputs = {name.split(".")[0]: str(output / name) for name in names}
    apply_run.apply(asked, lambda model: family(), outputs, 1)
    assert np.array_equal(tifffile.imread(output / "labels/one_labels.tif"), TRUE)
    assert json.loads((output / "applied.json").read_text())["segmentation"] == record
    for settings, why in (
        ({"method": "unheard-of"}, r"segmentation\.json: there is no .* 'unheard-of'"),
        ({"threshold": 0.5}, r"segmentation\.json .*'method'"),
        ([], r"segmentation\.json "),
    ):
        damaged = run_format.stamped({**record, "segmentation": settings})
        atomic.write_json(run / "segmentation.json", damaged)
        with pytest.raises(UserError, match=why):
            apply_run.apply(asked, lambda model: family(), outputs, 1)


def test_words_and_pictures_follow_the_method(grown, tmp_path):
    maps = stored_maps(tmp_path / "predictions.zip")
    atomic.write_stack(tmp_path / "truth.npz", [("a", TRUE), ("b", TRUE)])
    metrics = pd.DataFrame({"image": ["a", "b"], "f1_50": [0.5, 0.7], "n_true": 2, "n_pred": 1,
                            "small_objects": "kept"})  # fmt: skip
    metrics.to_csv(tmp_path / "metrics.csv", index=False)
    paths = [str(tmp_path / f"{name}.tif") for name in "ab"]
    for path in paths:
        tifffile.imwrite(path, TRUE.astype(np.uint8))
    pd.DataFrame({"image": ["a", "b"], "path": paths}).to_parquet(tmp_path / "images.parquet")
    case, *_ = overlay_cases.load(
        maps, tmp_path / "truth.npz", tmp_path / "truth.npz", tmp_path / "metrics.csv",
        tmp_path / "images.parquet", method="components",
    )  # fmt: skip
    assert case.markers is None and case.interior[0] == "fgbg"
    said = glossary.remarks(glossary.named("ap"), str, {"components": ["fgbg"]})
    assert said.endswith("tells cells from background, the foreground probability.")
    source = example.example(["fgbg"], OWN)
    compile(source, "example.py", "exec")
    assert "cells" not in source.partition("import")[2] and "maps.npz" in source
    assert "finds no cells" in example.note(OWN)
    record = {"tuning": None, "segmentation": {**OWN, "threshold": 0.5},
              "condition": dict.fromkeys(collect.RUN, "x")}  # fmt: skip
    atomic.write_json(tmp_path / "segmentation.json", run_format.stamped(record))
    table = collect.with_segmentation(
        pd.DataFrame([{**record["condition"], "cell_type": "all"}]),
        [tmp_path / "segmentation.json"],
    )
    assert table[["method", "threshold"]].to_numpy().tolist() == [["components", 0.5]]


def test_a_training_looks_at_validation_tiles_with_the_method(grown, tmp_path, capsys):
    image = np.where(TRUE > 0, 200.0, 50.0).astype(np.float32)
    tiles = SimpleNamespace(tile=lambda number: (image, TRUE))
    stream = SimpleNamespace(tiles=tiles, index=np.arange(8))
    settings = {"training": {"normalization": "whole-image"}}
    empty = SimpleNamespace(
        Predictor=lambda *of: lambda images: {"fgbg": np.zeros((*images.shape[:3], 2), np.float32)}
    )
    found_nothing.say_after_training(family(), settings, stream, tmp_path, 9, method="components")
    assert capsys.readouterr().out == ""
    found_nothing.say_after_training(empty, settings, stream, tmp_path, 9, method="components")
    assert "found almost nothing" in capsys.readouterr().out


def test_areas_are_those_of_the_kernel():
    labels = TRUE[:, ::-1].copy()
    values = np.ones(labels.shape, np.float32)
    expected, _ = confidence.areas_and_means(labels, values)
    found = confidence.areas(labels)
    assert found.dtype == expected.dtype and found.tolist() == expected.tolist() == [49, 49]
    assert confidence.areas(labels * 0).tolist() == []
