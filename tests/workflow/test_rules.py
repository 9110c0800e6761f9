"""Every rule: what its script reads is declared, and an edit changes the jobs that it must."""

import ast
import copy
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

import loaded_rules
import sartorius_made
from cellseg import models
from cellseg.data import kinds
from cellseg.data.splits import HELD_OUT
from cellseg.inference.record import SETTINGS, VIEWS
from cellseg.io import run_files, run_format
from cellseg.runtime import code_fingerprint
from cellseg.study import segmentation_methods
from cellseg.tables import conditions
from cellseg.targets import head_names
from workflow_runner import TINY, Workflow

RUN = "results/tiny/runs/featurenet/inner-distance+pixelwise/full/seed-0"
RUN_FOLDER = re.compile(r"results/\w+/runs/.*/seed-\d+/(tuning-\w+/)?")
WHOLE = copy.deepcopy(TINY)  # with a job of every rule
WHOLE["datasets"] |= {
    "mine": {"kind": "local", "images": "own/images",
             "labels": {split: f"own/labels/{split}" for split in ("train", "val", "test")}},
    "published": {"kind": "download", "url": "http://nowhere.example/"},
    "kaggle": {"kind": "sartorius", "path": "given/kaggle"},
}  # fmt: skip
WHOLE["pretrained"] = {"net": {"url": "http://nowhere.example/net.h5"}}
WHOLE["models"]["mobilenetv2"]["weights"] = "net"
WHOLE["subsets"]["extended"] = {"synthetic_per_image": 2}
WHOLE["subsets"]["taught"] = {
    "pseudo_labels": {"images": "given/images", "model": "joined", "subset": "full",
                      "heads": "inner-distance+pixelwise", "threshold_search": "grid"}
}  # fmt: skip
WHOLE["subsets"]["folded"] = {"folds": {"count": 3}}
WHOLE["subsets"]["together"] = {
    "folds": {"count": 2, "images": "training", "validation": "held-out", "scored": "split",
              "ensemble": True}
}  # fmt: skip
WHOLE["threshold_searches"] = {"grid": {"maxima_threshold": [0.02, 0.05], "score": "f1"}}
_RUNS = {"heads": "inner-distance+pixelwise", "subset": "full", "seed": 0}
WHOLE["experiments"] |= {
    "tuned": {"title": "Tuned?", "threshold_search": "grid",
              "figures": ["f1-by-heads", "contact-sheet"],
              "conditions": [{**_RUNS, "model": "featurenet"}]},
    "extended": {"title": "More?", "figures": [],
                 "conditions": [{**_RUNS, "model": "featurenet", "subset": "extended"}]},
    "taught": {"title": "And unlabelled ones?", "figures": [],
               "conditions": [{**_RUNS, "model": "joined", "subset": "taught"}]},
    "own": {"title": "Mine?", "dataset": "mine", "figures": [],
            "conditions": [{**_RUNS, "model": "featurenet", "heads": "fgbg"}]},
    "folds": {"title": "Held out?", "dataset": "kaggle", "figures": [],
              "conditions": [{**_RUNS, "model": "featurenet", "subset": "folded"}]},
    "together": {"title": "As one?", "figures": [],
                 "conditions": [{**_RUNS, "model": "joined", "subset": "together"}]},
}  # fmt: skip
WHOLE["segmentation_by_heads"] = {"fgbg": {"method": "threshold-components"}}
WHOLE["hyperparameter_searches"] = {
    "rates": {"title": "Which rate?", "model": "featurenet", "heads": "pixelwise",
              "subset": "full", "trials": "all", "rungs": [1, 2],
              "space": {"training.learning_rate": [0.01, 0.001]}}
}  # fmt: skip
WHOLE["models"] = {**WHOLE["models"], "outside": {"family": "labels", "path": "given/predicted"}}
WHOLE["experiments"]["outside"] = {
    "title": "Others?", "figures": [],
    "conditions": [{"model": "outside", "heads": "external", "subset": "full", "seed": 0}],
}  # fmt: skip
WHOLE["models"]["joined"] = dict(WHOLE["models"]["featurenet"])
WHOLE["tilings"] = {**WHOLE["tilings"], "crop-64": {"mode": "crop", "size": 64}}
WHOLE["models"]["detector"] = {"family": "centermask", "preset": "small",
                               "training": {"tiling": "crop-64"}}  # fmt: skip
WHOLE["models"]["fused"] = {"family": "fusion",
                            "members": [{"model": "detector", "seed": [0, 1]}]}  # fmt: skip
WHOLE["threshold_searches"]["detections"] = {"score_threshold": [0.3, 0.5]}
WHOLE["experiments"]["instances"] = {
    "title": "One by one?", "figures": [],
    "conditions": [{"model": "detector", "heads": "instances", "subset": "full", "seed": 0}],
}  # fmt: skip
# Not on `full`: runs of several seeds are not fused where the seed draws what is scored.
WHOLE["subsets"]["of-fused"] = {}
WHOLE["experiments"]["fused"] = {
    "title": "Together?", "figures": [], "threshold_search": "detections",
    "conditions": [{"model": "fused", "heads": "instances", "subset": "of-fused", "seed": 0}],
}  # fmt: skip
WHOLE["apply"] = {"run": "given/run", "images": "given/images", "output": "given/cells"}

TARGETS = [
    *("all", "apply", f"{RUN}/export.zip", f"{RUN}/submission.csv"),
    "results/tiny/runs/fused/instances/of-fused/seed-0/tuning-detections/export.zip",
    "results/tiny/runs/outside/external/full/seed-0/submission.csv",
    *("results/tiny/searches/rates/search.png", "results/data/published/source.json"),
]

FINGERPRINT = "code"

WITHOUT_FINGERPRINT = {"download": "to pin what was downloaded must not train every network again"}

CONFIG = {
    ("train", "accelerator"): "the device to compute on; provenance names it",
    ("train", "segmentation"): "the method that looks at a few tiles and only warns",
    ("train", "segmentation_by_heads"): "the same",
    ("train", "datasets"): "licence and pixel size of what it starts from, for provenance",
    ("predict", "accelerator"): "the device to compute on",
    ("pseudo_label", "accelerator"): "the device to compute on",
    (
        "pseudo_label",
        "datasets",
    ): "folders without unlabelled images; a param stamps the others",
    ("apply", "accelerator"): "the device to compute on",
    ("download", "datasets"): "checksums and retries, which must not train every network again",
}
"""What scripts read of the configuration itself, and why it is no param."""

DYNAMIC = {
    ("figure", "input"): set(conditions.TABLES),
    ("export", "input"): {"weights", "settings", "provenance", "segmentation", "metrics", "coco"},
    ("format_tables", "input"): {"images", "runs", "training"},
    ("collect", "output"): {"images", "runs", "summary", "training", "sizes"},
    ("overview", "output"): {"resources", "provenance"},
}
"""What is read by a name that is computed."""

NOT_READ = {
    ("parse", "params", "images"): "represents images, whose paths are in source.json",
    ("parse", "input", "annotations"): "their paths are in source.json",
    ("convert", "params", "images"): "represents images, whose folder is in the settings",
    ("convert", "input", "annotations"): "their folder is in the settings",
    ("train", "input", "content_of_tiles"): "represents the tiles, whose date says nothing",
    ("apply", "params", "chosen"): "represents the run and the images",
    ("pseudo_label", "params", "content"): "represents the images, whose folder is in images",
    ("take_labels", "params", "content"): "represents the predictions, whose paths are in files",
}
"""What is declared so that a change reruns the rule, and not read by that name."""

NAMED_BY_THE_PATH = {
    *("download.folder", "download.manifest", "simulate.folder", "figure.figure"),
    *("convert.folder", "convert.layout", "pool_folds.subsets"),
    *("figure.folds", "format_tables.folds"),
    *("segment.condition", "segment.tuning", "score.condition", "overlay.tuning"),
    *("take_labels.condition", "pseudo_label.kind"),
    *("contact_sheet.tuning", "export.kind", "predict.channels", "predict_shown.channels"),
    *("predict_validation.channels", "papers.kind", "papers.folds"),
}
"""Params that only another file name, data set or experiment changes: other jobs, not an edit."""

OF_THE_WORKFLOW = {
    *("parse_extension.duplicates", "parse_extension.images", "rasterize_extension.overlap_policy"),
    *("overview.benchmarks", "overview.snakemake_version"),
    "overlay.method",  # as long as there is one method
    "predict_validation.sample",  # taken from no seed: the images are those of the validation
}
"""Params that no setting changes."""


@pytest.fixture(scope="module")
def place(checkout, tmp_path_factory):
    """A checkout with what must be there for every rule to have a job; nothing is run."""
    folder = tmp_path_factory.mktemp("rules") / "checkout"
    Workflow.copy(checkout, folder, WHOLE)
    for split in ("train", "val", "test"):
        for kind, value in (("images", 90), (f"labels/{split}", 1)):
            path = folder / "own" / kind / f"{split}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, np.full((8, 8), value, np.uint8))
    sartorius_made.write(folder / "given/kaggle")
    for name in (
        "run/weights.h5",
        "run/settings.json",
        "images/a.tif",
        "predicted/a.tif",
        "others/a.tif",
    ):
        (folder / "given" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "given" / name).touch()
    predicted = {**dict.fromkeys(SETTINGS), "test_time_augmentation": dict.fromkeys(VIEWS)}
    segmentation = run_format.stamped({"prediction": predicted})
    (folder / "given/run/segmentation.json").write_text(json.dumps(segmentation))
    trials = folder / "results/tiny/searches/rates/trials.csv"
    trials.parent.mkdir(parents=True)
    trials.touch()
    return folder


@pytest.fixture(scope="module")
def loaded(place):
    return loaded_rules.load(place, WHOLE, TARGETS)


def test_every_rule_with_a_script_has_a_job(loaded):
    """Else what follows would not look at it."""
    rules, jobs = loaded
    assert {job.rule for job in jobs.values()} == set(rules)


def test_every_script_has_its_own_fingerprint(loaded, place):
    rules, jobs = loaded
    for job in jobs.values():
        if job.rule in WITHOUT_FINGERPRINT:
            assert FINGERPRINT not in job.params
        else:
            expected = _fingerprint(rules[job.rule].script, job, place / "scripts/cellseg")
            assert job.params.get(FINGERPRINT) == expected, job.rule


def _fingerprint(script: Path, job: loaded_rules.Job, library: Path) -> str:
    """Of the script, what it imports, and what it looks up by the family of the job's model."""
    model = WHOLE["models"].get(job.wildcards.get("model"))
    used = [model["family"]] if model else list(models.FAMILIES)
    if used == ["fusion"]:
        used = [WHOLE["models"][one["model"]]["family"] for one in model["members"]]
    used = [family for family in used if family in models.FAMILIES]  # labels is no network
    text = "".join(path.read_text() for path in code_fingerprint.used_by(script, library))
    entries = [models.FAMILIES[name] for name in used]
    modules = []
    if "models.load" in script.read_text():
        modules += [entry.module for entry in entries]
    if "layouts.read" in script.read_text():
        entry = WHOLE["datasets"][job.wildcards["dataset"]]
        modules.append(kinds.of(entry).layout(entry))
    if "models.description(" in text or "models.expected_parameters(" in text:
        modules += [entry.facts for entry in entries]
    if library / "segmentation/methods/__init__.py" in code_fingerprint.used_by(script, library):
        methods = segmentation_methods.METHODS
        if heads := job.wildcards.get("heads"):  # the run's own alone
            own = WHOLE["segmentation_by_heads"].get(heads, {})
            is_instances = heads == head_names.INSTANCES
            default = "painting" if is_instances else segmentation_methods.DEFAULT
            methods = [own.get("method", default)]
        modules += [segmentation_methods.METHODS[method].module for method in methods]
    return code_fingerprint.fingerprint(script, library, tuple(modules))


def test_the_files_of_a_run_are_those_of_the_list(loaded):
    """Progress, the space of a study and searches look for what the list says."""
    _, jobs = loaded
    listed = {job.rule: job for job in run_files.JOBS}
    seen = set()
    for outputs, job in jobs.items():
        folder = RUN_FOLDER.match(outputs[0])
        assert bool(folder) == (job.rule in listed), job.rule
        if folder:
            one = listed[job.rule]
            seen.add(job.rule)
            assert outputs == tuple(folder[0] + name for name in one.outputs)
            assert job.log == [folder[0] + one.log]
            assert job.benchmark == (folder[0] + one.benchmark if one.measured else None)
    assert seen == set(listed)


def test_no_module_is_imported_by_name_but_families_methods_and_layouts(place):
    """Fingerprints follow import statements, and families, methods and layouts as above."""
    library = place / "scripts/cellseg"
    found = [path for path in library.rglob("*.py") if "importlib" in path.read_text()]
    names = {path.relative_to(library).as_posix() for path in found}
    of_keras = "models/keras3/backend.py"
    layouts = "data/layouts/__init__.py"
    # These ask for the version of a package, and whether there is one.
    of_packages = {
        "models/cellpose/family.py",
        "models/stardist/family.py",
        "models/stardist/package.py",
    }
    by_name = {"models/__init__.py", of_keras, "segmentation/methods/__init__.py", layouts}
    assert names == by_name | of_packages


def test_each_network_has_the_environment_of_its_packages(loaded, place):
    """With `--sdm conda`."""
    found = {}
    for job in loaded[1].values():
        if "train-" in job.environment:
            found.setdefault(job.wildcards.get("model"), {}).setdefault(job.environment, set()).add(
                job.rule
            )
    assert found["detector"] == {
        "train-torch.yaml": {"train", "predict_instances", "predict_validation", "predict_shown"}
    }
    assert set(found["featurenet"]) == set(found[None]) == {"train-cpu.yaml"}
    assert "export" in found["featurenet"]["train-cpu.yaml"]
    assert found["fused"] == {"train-torch.yaml": {"export_of_fusion"}}
    assert all((place / "envs" / name).is_file() for one in found.values() for name in one)


# --- what scripts read ---


PARTS = ("input", "output", "params", "wildcards")


class Reads(ast.NodeVisitor):
    """Names that a script reads of each part of `snakemake`; None for a name that is computed."""

    def __init__(self, script: Path) -> None:
        self.found: set[tuple[str, str | None, bool]] = (
            set()
        )  # part, name, whether it must be there
        self.visit(ast.parse(script.read_text()))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if part := self._part(node.value):
            self.found.add((part, node.attr, True))
        elif self._part(node) in (*PARTS, "config"):
            self.found.add((self._part(node), "*", True))
        else:
            self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if part := self._part(node.value):
            name = node.slice.value if isinstance(node.slice, ast.Constant) else None
            self.found.add((part, name, True))
            self.visit(node.slice)
        else:
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        if isinstance(called, ast.Attribute) and (part := self._part(called.value)):
            if called.attr == "get":
                self.found.add((part, node.args[0].value, False))
            else:  # items
                self.found.add((part, "*", True))
            for argument in node.args:
                self.visit(argument)
        else:
            self.generic_visit(node)

    @staticmethod
    def _part(node: ast.expr) -> str | None:
        whole = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        return node.attr if whole and node.value.id == "snakemake" else None

    def of(self, part: str, *, required: bool = False) -> set[str | None]:
        return {
            name for where, name, must in self.found if where == part and (must or not required)
        }


@pytest.mark.parametrize("part", PARTS)
def test_what_a_script_reads_its_rule_declares(loaded, part):
    rules, _ = loaded
    by_script: dict[Path, list[str]] = {}
    for name, rule in rules.items():
        by_script.setdefault(rule.script, []).append(name)
    for script, names in by_script.items():
        reads = Reads(script)
        for name in names:
            required = reads.of(part, required=True) - {None, "*"}
            assert required <= rules[name].names[part], name
        somewhere = set.union(*(rules[name].names[part] for name in names), set())
        optional = reads.of(part) - {None, "*"}
        assert optional <= somewhere, (script, optional - somewhere)


@pytest.mark.parametrize("part", ["input", "output", "params"])
def test_what_a_rule_declares_its_script_reads(loaded, part):
    """A param or input that nothing reads: a constant or nothing at all is in its place."""
    rules, _ = loaded
    for name, rule in rules.items():
        reads, base = Reads(rule.script), name.removesuffix("_extension")
        found = reads.of(part)
        if "*" in found:
            continue
        unread = rule.names[part] - found - DYNAMIC.get((rule.script.stem, part), set())
        unread -= {FINGERPRINT}
        unread = {one for one in unread if (base, part, one) not in NOT_READ}
        if part == "output" and found:
            continue  # what else a script writes lies in the same folder
        assert not unread, (name, part, unread)


def test_names_that_are_computed_are_listed(loaded):
    rules, _ = loaded
    for rule in rules.values():
        reads = Reads(rule.script)
        for part in ("input", "output", "params"):
            computed = None in reads.of(part)
            assert computed == ((rule.script.stem, part) in DYNAMIC), (rule.script.stem, part)


def test_scripts_read_settings_from_params_only(loaded):
    rules, _ = loaded
    found = {
        (rule.script.stem, key)
        for rule in rules.values()
        for key in Reads(rule.script).of("config")
    }
    assert found == set(CONFIG)


# --- what an edit changes ---


def _changed(before: dict, after: dict) -> set[str]:
    """What differs, as ``rule.param`` or ``rule:input``; jobs of one plan alone as ``+rule``."""
    before, after = _of_twins(before), _of_twins(after)
    found = {f"+{after[key].rule}" for key in after.keys() - before.keys()}
    found |= {f"-{before[key].rule}" for key in before.keys() - after.keys()}
    for key in before.keys() & after.keys():
        old, new = before[key], after[key]
        assert old.rule == new.rule and old.params.keys() == new.params.keys()
        found |= {
            f"{old.rule}.{name}" for name in old.params
            if repr(old.params[name]) != repr(new.params[name])
        }  # fmt: skip
        if sorted(old.inputs) != sorted(new.inputs):
            found.add(f"{old.rule}:input")
    return found


def _of_twins(jobs: dict) -> dict:
    """The jobs, those of rules that follow another one by the name of that."""
    return {key: replace(job, rule=_twin(job.rule)) for key, job in jobs.items()}


def _twin(rule: str) -> str:
    twins = {
        "predict_instances": "predict",
        "paint": "segment",
        "join_folds": "train",
        "fuse_validation": "fuse",
    }
    return twins.get(rule, rule.removesuffix("_from_outside").removesuffix("_of_fusion"))


def _set(*path: str, value: object) -> Callable[[dict], None]:
    def edit(config: dict) -> None:
        for key in path[:-1]:
            config = config.setdefault(key, {})
        config[path[-1]] = value

    return edit


def _reversed(config: dict) -> None:
    for key in (
        "datasets",
        "training",
        "models",
        "subsets",
        "experiments",
        "hyperparameter_searches",
    ):
        config[key] = {name: dict(reversed(entry.items())) if isinstance(entry, dict) else entry
                       for name, entry in reversed(config[key].items())}  # fmt: skip
    for entry in config["experiments"].values():
        entry["conditions"] = [dict(reversed(block.items())) for block in entry["conditions"]]


EDITS = {
    "url": (_set("datasets", "published", "url", value="http://b.example/"), "download.settings"),
    "checksums": (_set("datasets", "published", "retries", value=9), ""),
    "height": (_set("datasets", "tiny", "height", value=160), "simulate.simulation"),
    "missing images": (
        _set("datasets", "mine", "missing_images", value="drop"), "use_local.settings"),
    "split": (_set("datasets", "kaggle", "split", value={"seed": 1}), "convert.settings"),
    "folds": (_set("subsets", "folded", "folds", "seed", value=1), "train.settings predict.sample"),
    "validation of folds": (
        _set("subsets", "folded", "folds", "validation", value="held-out"), "train.settings"),
    "duplicates": (_set("datasets", "tiny", "duplicates", value="keep"),
               "parse.duplicates format_tables.experiment"),
    "overlap": (_set("datasets", "tiny", "overlap_policy", value="earlier"),
                "rasterize.overlap_policy"),
    "tiling": (_set("tilings", "cut-64", "tile_overlap", value=16),
               "tile.tiling tile_extension.tiling tile_pseudo_labels.tiling train.settings"),
    "synthesis": (_set("synthesis", "seed", value=5),
                  "extend.synthesis train.settings"),
    "training": (_set("training", "learning_rate", value=0.01), "train.settings"),
    "head": (_set("heads", "inner-distance", "beta", value=2), "train.settings"),
    "unused head": (_set("heads", "outer-distance", "erosion_width", value=2), ""),
    "subset": (_set("subsets", "full", "fraction", value=0.5), "train.settings"),
    "scored": (_set("subsets", "full", "scored", value="seeded"),
               "predict.sample take_labels.sample format_tables.experiment"),
    "model": (_set("models", "featurenet", "negative_slope", value=0.0), "train.settings"),
    "ensemble": (_set("models", "mobilenetv2", "ensemble", value="cell-type"),
                 "train.settings data_report.ensembles"),
    "start": (_set("models", "featurenet", "start_from",
                   value={"model": "joined", "take": "backbone"}),
              "train.settings train:input +train"),
    "weights": (_set("models", "mobilenetv2", "weights", value=None),
                "train.settings train:input -fetch_weights"),
    "pretrained": (_set("pretrained", "net", "url", value="http://b.example/net.h5"),
                   "fetch_weights.source"),
    "predictions": (_set("models", "outside", "path", value="given/others"),
                    "take_labels.files take_labels.content"),
    "accelerator": (_set("accelerator", value="gpu"), ""),
    "keep maps": (_set("keep_predictions", value=True), ""),
    "prediction": (_set("prediction", "window_overlap", value=0.5),
                   "predict.prediction predict_validation.prediction predict_shown.prediction "
                   "pseudo_label.prediction"),
    "subsample": (_set("scoring", "subsample", value=2),
              "predict.subsample take_labels.subsample format_tables.experiment papers.subsample "
              "overview.study"),
    "small objects": (_set("scoring", "min_size", value=30),
                      "score.min_size format_tables.experiment overview.study"),
    "segmentation": (_set("segmentation", "interior_threshold", value=0.4),
                     "segment.segmentation tune.segmentation pseudo_label.segmentation"),
    "sure cells": (_set("subsets", "taught", "pseudo_labels", "confidence", value=0.5),
                   "pseudo_label.floor train.settings"),
    "unlabelled": (_set("subsets", "taught", "pseudo_labels", "images", value="given/others"),
                   "pseudo_label.images pseudo_label.content train.settings"),
    "finder": (_set("subsets", "taught", "pseudo_labels", "subset", value="of-fused"),
               "pseudo_label.run pseudo_label:input train.settings -train +train -tune +tune "
               "-predict_validation +predict_validation"),
    "painting": (_set("segmentation_by_heads", "instances",
                      value={"method": "painting", "score_threshold": 0.4}),
                 "segment.segmentation tune.segmentation"),
    "fusion": (_set("models", "fused", "iou", value=0.6), "fuse.fusion"),
    "member": (_set("models", "fused", "members",
                    value=[{"model": "detector"}, {"model": "detector", "seed": 2}]),
               "fuse:input export:input -train +train -predict +predict -predict_validation "
               "+predict_validation"),
    "detector": (_set("models", "detector", "mask_scoring", value=False), "train.settings"),
    "grid": (_set("threshold_searches", "grid", "interior_threshold", value=[0.2, 0.4]),
             "tune.tuning"),
    "by of a search": (_set("threshold_searches", "grid", "by", value="cell-type"),
                       "tune.tuning tune:input segment:input overlay.tuned_by "
                       "contact_sheet.tuned_by"),
    "subsample of a search": (_set("threshold_searches", "grid", "subsample", value=2),
                          "tune.tuning predict_validation.subsample"),
    "shown": (_set("overlays", "images", value=2), "predict_shown.shown overlay.images"),
    "boxes": (_set("overlays", "boxes", value=True), "overlay.boxes"),
    "figure text": (_set("figure_text", value=False),
                    "figure.figure_text contact_sheet.figure_text overlay.figure_text "
                    "learning_curve.figure_text search_figure.figure_text papers.figure_text "
                    "data_report.figure_text extension_report.figure_text"),
    "pixel size": (_set("datasets", "tiny", "pixel_size", value=0.5),
                   "overlay.pixel_size contact_sheet.pixel_size export.pixel_size"),
    "title": (_set("experiments", "tuned", "title", value="What?"),
              "figure.question contact_sheet.question format_tables.experiment overview.study"),
    "runs": (_set("experiments", "tuned", "conditions", value=[{**_RUNS, "model": "mobilenetv2"}]),
             "contact_sheet.runs contact_sheet:input collect:input overview.study +overlay "
             "+predict_shown +predict_validation +score +segment +tune -overlay -predict_shown "
             "-predict_validation -score -segment -tune"),
    "search": (_set("hyperparameter_searches", "rates", "title", value="Rate?"),
               "search_figure.search"),
    "applied with": (_set("apply", "pixel_size", value=0.5), "apply.apply"),
    "order": (_reversed, ""),
}  # fmt: skip
"""Edits of the configuration, and all that each changes."""


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_changes_what_it_must(place, loaded, name):
    edit, expected = EDITS[name]
    config = copy.deepcopy(WHOLE)
    edit(config)
    _, jobs = loaded_rules.load(place, config, TARGETS)
    assert _changed(loaded[1], jobs) == set(expected.split())


def test_another_split_to_score_changes_what_it_must(place):
    before = copy.deepcopy(WHOLE)
    for tuned in ("tuned", "fused", "taught"):  # thresholds tuned on the split are not scored on it
        del before["experiments"][tuned]
    del before["experiments"]["together"], before["subsets"]["together"]  # nor are folds of it
    del before["subsets"]["taught"]
    after = copy.deepcopy(before)
    after["scoring"] = {"data_split": "val"}
    plans = [loaded_rules.load(place, config, TARGETS)[1] for config in (before, after)]
    of_scored = ("score", "submission", "take_labels", "predict", "predict_shown")
    inputs = {f"{rule}:input" for rule in (*of_scored, "overlay", "contact_sheet")}
    assert _changed(*plans) == {DATA_SPLIT, *inputs, "-rasterize"}  # of the test split


DATA_SPLIT = "score.data_split"

FILES = {
    "given/predicted/a.tif": "take_labels.content",
    "own/images/train.tif": "parse.images",
    "given/kaggle/train/000000000000.png": "convert.images parse.images",
    "given/kaggle/train.csv": "",  # an input
    "own/labels/train/train.tif": "",  # an input, whose content Snakemake compares
    "own/labels/val/more.tif": "parse:input parse.images",
    "own/images/without-labels.tif": "",
    "given/images/b.tif": "apply.chosen pseudo_label.content",
    "given/run/weights.h5": "apply.chosen",
}
"""Files outside of the results, and what another content changes."""


@pytest.mark.parametrize("name", FILES)
def test_an_edited_file_changes_what_it_must(place, loaded, name):
    path = place / name
    kept = path.read_bytes() if path.exists() else None
    twin = place / "own/images/more.tif"
    try:
        tifffile.imwrite(path, np.full((8, 8), 3, np.uint8))
        if "more" in name:  # a label image needs its image
            tifffile.imwrite(twin, np.full((8, 8), 3, np.uint8))
        _, jobs = loaded_rules.load(place, WHOLE, TARGETS)
    finally:
        twin.unlink(missing_ok=True)
        path.unlink() if kept is None else path.write_bytes(kept)
    assert _changed(loaded[1], jobs) == set(FILES[name].split())


def test_every_param_is_changed_by_some_edit(loaded):
    rules, _ = loaded
    declared = {
        f"{_twin(name)}.{param}" for name, rule in rules.items() for param in rule.names["params"]
    }
    declared = {one for one in declared if not one.endswith(f".{FINGERPRINT}")}
    edits = [expected for _, expected in EDITS.values()] + list(FILES.values())
    changed = {one for expected in edits for one in expected.split() if "." in one} | {DATA_SPLIT}
    assert declared == changed | NAMED_BY_THE_PATH | OF_THE_WORKFLOW
    assert not changed & (NAMED_BY_THE_PATH | OF_THE_WORKFLOW)


def test_inputs_that_lie_outside_of_the_results_are_declared(loaded):
    _, jobs = loaded
    own = {split: f"own/labels/{split}/{split}.tif" for split in ("train", "val", "test")}
    (parse,) = (job for job in jobs.values()
                if job.rule == "parse" and job.wildcards["dataset"] == "mine")  # fmt: skip
    assert set(own.values()) <= set(parse.inputs)
    starting = [job for job in jobs.values()
                if job.rule == "train" and job.wildcards["model"] == "mobilenetv2"]  # fmt: skip
    assert all("results/data/pretrained/net.h5" in job.inputs for job in starting) and starting
    assert all(job.params["settings"]["model"]["weights"] == "net" for job in starting)


def test_images_are_held_out_only_where_a_run_is_scored_on_its_fold(loaded):
    """Not where folds are scored on the split, each or all as one run."""
    found = {}
    for job in loaded[1].values():
        if "data_split" in job.params:
            found.setdefault(job.params["data_split"], set()).add(job.wildcards["subset"])
    assert found[HELD_OUT] == {f"folded-fold-{number}" for number in (1, 2, 3)}
    together = {"together-fold-1", "together-fold-2", "together-all-folds"}
    assert found["test"] >= {"full", *together}


def test_training_compares_the_content_of_all_its_tiles(loaded):
    """Tiles have a date that says nothing, and may be too large to compare."""
    trainings = [job for job in loaded[1].values() if job.rule == "train"]
    outlines = ".cells.npz"  # which the label images of the tiles are made of
    tiles = [
        {path for path in job.inputs if path.endswith(".npz") and not path.endswith(outlines)}
        for job in trainings
    ]
    # One with synthetic images, one with pseudo-labels, and three folds, which are of all splits;
    # two are of two.
    assert sorted(map(len, tiles)) == [2] * 9 + [3] * 5
    for job, paths in zip(trainings, tiles, strict=True):
        assert {f"{path}.content.json" for path in paths} <= set(job.inputs)


def test_no_job_names_a_place_on_this_machine(loaded, place):
    """Absolute paths rerun everything in another checkout."""
    _, jobs = loaded
    for outputs, job in jobs.items():
        for text in (*outputs, *job.inputs, *map(repr, job.params.values())):
            assert str(place) not in text and str(Path.home()) not in text, (job.rule, text)
            assert not os.path.isabs(text), (job.rule, text)
