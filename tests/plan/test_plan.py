"""What a study would run: jobs, training steps and hours, and the command that shows them."""

import argparse
import copy
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml

from cellseg.data import annotation_tables
from cellseg.errors import UserError
from cellseg.plan import arguments, hours, jobs, steps, text
from cellseg.plan.hours import Measured, ModelHours
from cellseg.plan.jobs import Jobs
from cellseg.study import validation
from cellseg.study.runs import Run, all_runs, run_settings
from workflow_runner import TINY, Workflow

CHECKOUT = Path(__file__).resolve().parents[2]
SCHEMA = yaml.safe_load((CHECKOUT / "workflow/schemas/config.schema.yaml").read_text())
FULL = yaml.safe_load((CHECKOUT / "workflow/studies/full.yaml").read_text())
STUDIES = {
    name: yaml.safe_load((CHECKOUT / name).read_text())
    for name in ("config.yaml", "workflow/studies/as-the-report.yaml")
}
HEADS = "inner-distance+pixelwise"
SAVED = ["--configfile", "study.yaml", "--replace-workflow-config"]


def resolved(content, **changes):
    return validation.resolve({**copy.deepcopy(content), **changes}, SCHEMA)


def run_on(subset="full", model="featurenet", heads=HEADS, seed=0, dataset="tiny"):
    return Run(dataset, model, heads, subset, seed)


def training(study, run, results):
    (one,) = steps.of_runs(study, [run], results)
    return one


def with_subset(**settings):
    return resolved(TINY, subsets={**TINY["subsets"], "own": settings})


# Steps.


@pytest.mark.parametrize(
    ("subset", "tiles", "batches"),
    [
        ({}, 36, 9),  # two images of each of two types, with 3 x 3 tiles
        ({"cell_types": ["BV2"]}, 18, 5),  # the last batch has two tiles
        ({"fraction": 0.5, "selection": "seeded"}, 18, 5),
        ({"synthetic_per_image": 2}, 108, 27),
        # Of three images of each type 85 % are to train on, rounded to three.
        ({"validation": "by-well"}, 54, 14),
    ],
)
def test_steps_are_known_before_any_image_is_made(tmp_path, subset, tiles, batches):
    said = training(with_subset(**subset), run_on("own"), tmp_path)
    assert (said.steps, said.tiles) == (2 * batches, 2 * tiles)  # of two epochs
    assert not said.exact


def test_steps_count_unlabelled_images_as_if_none_were_left_out(tmp_path):
    folder = tmp_path / "unlabelled"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").touch()
    entry = {"images": str(folder), "model": "featurenet", "heads": HEADS, "subset": "full"}
    said = training(with_subset(pseudo_labels=entry), run_on("own"), tmp_path)
    assert said.tiles == 2 * (36 + 3 * 9) and not said.exact


def test_an_ensemble_has_batches_of_each_cell_type(tmp_path):
    own = copy.deepcopy(TINY)
    own["models"]["featurenet"]["ensemble"] = "cell-type"
    said = training(resolved(own), run_on(), tmp_path)
    assert (said.steps, said.tiles) == (2 * (5 + 5), 2 * 36)


@pytest.mark.parametrize(
    ("length", "seen"), [({"steps": 20}, 2 * 36 + 2 * 4), ({"steps": 4}, 16),
                         ({"epochs": 3, "steps_per_epoch": 5}, 36 + 6 * 4)]
)  # fmt: skip
def test_steps_are_those_that_the_training_asks_for(tmp_path, length, seen):
    own = copy.deepcopy(TINY)
    own["models"]["featurenet"]["training"] = length
    said = training(resolved(own), run_on(), tmp_path)
    assert said.steps == length.get("steps", 15) and said.tiles == seen


def test_steps_on_livecell(tmp_path):
    study = resolved(FULL)
    said = training(study, run_on("percent-5", "resnet50", dataset="livecell"), tmp_path)
    images = 8 * 20  # 5 % of about 407 of each cell type
    assert (said.steps, said.tiles) == (50 * images * 9 // 2, 50 * images * 9)
    whole = training(study, run_on("full", "resnet50", dataset="livecell"), tmp_path)
    assert whole.tiles == pytest.approx(50 * 3253 * 9, rel=0.002)


def test_a_model_has_settings_of_its_own(tmp_path):
    own = copy.deepcopy(TINY)
    own["tilings"]["whole"] = {"mode": "resize", "size": 64}
    own["models"]["featurenet"]["training"] = {"tiling": "whole", "epochs": 5, "batch_size": 3}
    said = training(resolved(own), run_on(), tmp_path)
    assert (said.steps, said.tiles) == (5 * 2, 5 * 4)
    other = training(resolved(own), run_on(model="mobilenetv2"), tmp_path)
    assert other.steps == 2 * 9


@pytest.mark.parametrize(("crops", "tiles", "batches"), [(None, 36, 9), (10, 40, 10)])
def test_crops_of_an_epoch_are_as_many_as_tiles_or_as_said(tmp_path, crops, tiles, batches):
    own = copy.deepcopy(TINY)
    for tiling in own["tilings"].values():
        tiling.update({"mode": "crop", "crops_per_image": crops})
    said = training(resolved(own), run_on(), tmp_path)
    assert (said.steps, said.tiles) == (2 * batches, 2 * tiles) and not said.exact
    read_images(tmp_path, BV2=[(64, 64)] * 2 + [(64, 170)], SkBr3=[(120, 200)])
    counted = training(resolved(own), run_on(), tmp_path)
    assert counted.exact and counted.tiles == 2 * (13 if crops is None else 40)


def test_however_many_crops_are_drawn_the_same_windows_validate(tmp_path):
    """Before any image is read, and after: two epochs of each."""
    found = []
    for read in (False, True):
        if read:
            read_images(tmp_path, BV2=[(64, 64)] * 2 + [(64, 170)], SkBr3=[(120, 200)])
        for crops in (None, 10):
            own = copy.deepcopy(TINY)
            own["tilings"]["cut-64"] |= {"mode": "crop", "crops_per_image": crops}
            found.append(training(resolved(own), run_on(), tmp_path).validation_steps)
    assert found[0] == found[1] > 0 and found[2] == found[3] > 0


def read_images(results, **of_type):
    """Write the tables of a data set: for each cell type, sizes of its training images."""
    names = [field.name for field in annotation_tables.IMAGE_SCHEMA]
    for split in ("train", "val"):
        rows = [
            {**dict.fromkeys(names), "image": f"{split}-{kind}-{number}", "split": split,
             "order": number, "cell_type": kind, "height": height, "width": width, "n_cells": 1}
            for kind, sizes in of_type.items()
            for number, (height, width) in enumerate(sizes)
        ]  # fmt: skip
        path = results / f"data/tiny/annotations/{split}.images.parquet"
        annotation_tables.write_images(path, pd.DataFrame(rows))


@pytest.mark.parametrize(("ensemble", "batches"), [("none", 4), ("cell-type", 5)])
def test_images_that_are_read_are_counted(tmp_path, ensemble, batches):
    own = copy.deepcopy(TINY)
    if ensemble != "none":
        own["models"]["featurenet"]["ensemble"] = ensemble
    # 1, 1 and 3 tiles, and 8 and 1.
    read_images(tmp_path, BV2=[(64, 64)] * 2 + [(64, 170)], SkBr3=[(120, 200), (64, 64)])
    said = training(resolved(own), run_on(), tmp_path)
    assert (said.tiles, said.steps) == (2 * 14, 2 * batches) and said.exact
    one = training(resolved(own), run_on("round"), tmp_path)
    assert (one.tiles, one.steps) == (2 * 5, 2 * 2)


def test_of_images_that_are_not_read_yet_nothing_is_known(tmp_path):
    own = resolved(TINY, datasets={"tiny": {"kind": "local", "path": str(tmp_path)}})
    said = training(own, run_on(), tmp_path / "results")
    assert said.steps is None and said.tiles is None
    (model,) = hours.by_model([said], [], {"featurenet": 100.0})
    assert (model.n_unknown, model.steps, model.hours) == (1, 0, None)
    shown = "\n".join(text.lines(Jobs({"train": 1}, {}, ()), [], [model], False))
    assert "Steps of 1 training are not known before their images are read" in shown


def test_the_default_study_takes_two_days_of_a_gpu_by_its_assumption(tmp_path):
    study = resolved(STUDIES["config.yaml"])
    trainings = steps.of_runs(study, all_runs(study), tmp_path)
    models = hours.by_model(trainings, [], {}, study["step_ms"])
    assert {model.source for model in models} == {"assumed, config"}
    assert 24 < sum(model.hours for model in models) < 48
    long = resolved(FULL)
    trainings = steps.of_runs(long, all_runs(long), tmp_path)
    whole = hours.by_model(trainings, [], {}, long["step_ms"])
    assert sum(model.hours for model in whole) > 1000


def test_as_the_report_makes_the_reports_steps(tmp_path):
    """50 epochs of batches of two images, each resized to one tile."""
    study = resolved(STUDIES["workflow/studies/as-the-report.yaml"])
    said = training(study, run_on("full", "resnet50", dataset="livecell"), tmp_path)
    images = 8 * 407  # estimated alike for each cell type
    assert said.steps == 50 * images // 2
    mine = resolved(STUDIES["config.yaml"])
    one = run_on("percent-5-as-the-report", "resnet50-as-the-report", dataset="livecell")
    same = run_on("percent-5", "resnet50", dataset="livecell")
    assert training(mine, one, tmp_path).steps == training(study, same, tmp_path).steps


@pytest.mark.parametrize("name", STUDIES)
def test_as_the_report_is_what_it_describes(name):
    """The same in both studies: the model of one and the only setting of the other."""
    study = resolved(STUDIES[name])
    own = name == "config.yaml"
    model = "resnet50-as-the-report" if own else "resnet50"
    subset = "percent-5-as-the-report" if own else "percent-5"
    settings = run_settings(study, model, HEADS, subset, 0)
    assert settings["model"] == {
        "backbone": "resnet50", "backbone_levels": ["C3", "C4", "C5"], "ensemble": None,
        "family": "deepcell", "lite": True, "location": True, "weights": "resnet50-imagenet",
    }  # fmt: skip
    assert settings["heads"]["inner-distance"]["squared"] is False
    assert settings["tiling"]["mode"] == "resize"
    of_training = settings["training"]
    assert (of_training["normalization"], of_training["warp"]) == ("batch", "targets")
    assert (of_training["epochs"], of_training["steps"], of_training["batch_size"]) == (50, None, 2)
    assert of_training["precise_batch_norm_batches"] == 0
    assert study["subsets"][subset]["scored"] == "seeded"
    chosen = {
        setting: values[0]
        for setting, values in study["threshold_searches"].get("as-the-report", {}).items()
        if isinstance(values, list)
    }
    segmentation = {**study["segmentation"], **chosen}
    expected = {"maxima_threshold": 0.1, "interior_threshold": 0.3, "maxima_smooth": 0,
                "interior_smooth": 2, "fill_holes_threshold": 15, "min_size": 15}  # fmt: skip
    assert {setting: segmentation[setting] for setting in expected} == expected


# Hours.


def finish(results, study, run, seconds, n_steps, device="cpu", **settings):
    """What a training leaves that is read: `seconds` of each epoch."""
    folder = results / run.folder
    folder.mkdir(parents=True)
    own = run_settings(study, run.model, run.heads, run.subset, run.seed)
    own["training"] |= settings
    (folder / "settings.json").write_text(json.dumps({"format": 2, **own}))
    (folder / "provenance.json").write_text(json.dumps({"steps": n_steps, "device": device}))
    rows = [f"{number},{time}" for number, time in enumerate(seconds, start=1)]
    (folder / "history.csv").write_text("\n".join(["epoch,seconds", *rows, ""]))


def test_finished_runs_give_the_time_of_a_step(tmp_path):
    study = resolved(TINY)
    finish(tmp_path, study, run_on(seed=0), [60, 2, 4], n_steps=30)  # the first epoch compiles
    finish(tmp_path, study, run_on(seed=1), [5], n_steps=10)
    finish(tmp_path, study, run_on(seed=2, heads="pixelwise"), [1, 1], n_steps=20)
    runs = [run_on(seed=0), run_on(seed=1), run_on(seed=2, heads="pixelwise"), run_on(seed=3)]
    found = hours.measured(study, runs, tmp_path)
    assert [one.step_ms for one in found] == [pytest.approx(ms) for ms in (300, 500, 100)]

    def time(run):
        (model,) = hours.by_model([training(study, run, tmp_path)], found, {})
        return model

    said = time(run_on(seed=3))
    assert said.hours == pytest.approx(18 * 400 / 3_600_000)  # 18 steps as runs of the same heads
    assert said.source == "3 runs on cpu"
    assert time(run_on(heads="pixelwise", seed=5)).hours == pytest.approx(18 * 100 / 3_600_000)
    # Of heads without a run, all of the model.
    assert time(run_on(heads="fgbg", seed=5)).hours == pytest.approx(18 * 300 / 3_600_000)
    assert time(run_on(model="mobilenetv2")).hours is None


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ({"epochs": 9}, True), ({"learning_rate": 0.5}, True),
        ({"batch_size": 9}, False), ({"mixed_precision": True}, False),
    ],
)  # fmt: skip
def test_only_runs_with_the_same_settings_are_alike(tmp_path, changed, counts):
    study = resolved(TINY)
    finish(tmp_path, study, run_on(), [1, 1], n_steps=18, **changed)
    assert bool(hours.measured(study, [run_on()], tmp_path)) == counts


@pytest.mark.parametrize("lost", ["settings.json", "provenance.json", "history.csv"])
def test_a_run_without_its_files_gives_no_time(tmp_path, lost):
    study = resolved(TINY)
    finish(tmp_path, study, run_on(), [1, 1], n_steps=18)
    (tmp_path / run_on().folder / lost).write_text("")
    assert hours.measured(study, [run_on()], tmp_path) == []


def test_a_given_time_counts_instead(tmp_path):
    study = resolved(TINY)
    trainings = steps.of_runs(study, all_runs(study), tmp_path)
    found = [Measured(run_on(), 300.0, "cpu")]
    given = arguments.step_times([("", 1000.0), ("mobilenetv2", 2000.0)], study)
    first, second = hours.by_model(trainings, found, given)
    # Two epochs, each validated on 5 batches, as long as a third of a training step.
    assert (first.model, first.hours) == ("featurenet", pytest.approx((18 + 10 / 3) / 3600))
    assert (second.model, second.hours) == ("mobilenetv2", pytest.approx(2 * first.hours))
    assert first.source == second.source == "given"
    assert arguments.step_times([("mobilenetv2", 5.0)], study) == {"mobilenetv2": 5.0}
    with pytest.raises(UserError, match=r"no model 'resnet'. Possible: featurenet, mobilenetv2"):
        arguments.step_times([("resnet", 5.0)], study)


def test_an_assumed_time_counts_where_none_is_given_or_measured(tmp_path):
    study = resolved(TINY, step_ms={"featurenet": 900, "mobilenetv2": 100})
    trainings = steps.of_runs(study, all_runs(study), tmp_path)
    found = [Measured(run_on(), 300.0, "cpu")]
    measured, assumed = hours.by_model(trainings, found, {}, study["step_ms"])
    assert measured.hours == pytest.approx(18 * 300 / 3_600_000)
    # Two epochs, each validated on 2 x 9 tiles: 5 batches, as long as a third of a training step.
    assert assumed.hours == pytest.approx((18 + 10 / 3) * 100 / 3_600_000)
    assert assumed.source == "assumed, config"
    given, _ = hours.by_model(trainings, found, {"featurenet": 1000.0}, study["step_ms"])
    assert given.hours == pytest.approx((18 + 10 / 3) / 3600)
    with pytest.raises(UserError, match=r"step_ms: 'resnet' is not possible|step_ms.*resnet"):
        resolved(TINY, step_ms={"resnet": 5})


def test_runs_on_another_accelerator_say_nothing_of_this_one(tmp_path):
    study = resolved(TINY)
    finish(tmp_path, study, run_on(seed=0), [1, 1], n_steps=18)
    finish(tmp_path, study, run_on(seed=1), [1, 1], n_steps=36, device="A100")
    runs = [run_on(seed=0), run_on(seed=1)]
    for accelerator, device in (("cpu", "cpu"), ("gpu", "A100")):
        own = resolved(TINY, accelerator=accelerator)
        assert [one.device for one in hours.measured(own, runs, tmp_path)] == [device]


def test_time_on_a_gpu_is_in_gpu_hours():
    model = ModelHours("net", 1, 0, 3600, 7200, 1234.56, False, "assumed, config")
    shown = text.lines(Jobs({"train": 1}, {}, ()), [], [model], False, "gpu")
    head, row = (next(line for line in shown if name in line) for name in ("steps", "net "))
    assert "GPU-hours" in head and "~1,234.6" in row and row.endswith("assumed, config")


@pytest.mark.parametrize("given", ["fast", "0", "-3", "nan", "inf", "featurenet=", "a=b"])
def test_a_time_is_a_positive_number(given):
    with pytest.raises(argparse.ArgumentTypeError, match="Write milliseconds"):
        arguments._step_time(given)


# Jobs.

OF_RUN = {"dataset": "tiny", "model": "featurenet", "heads": "pixelwise", "subset": "full"}
WRITTEN = "\n".join(
    json.dumps(line)
    for line in (
        {"counts": {"train": 2, "download": 1, "total": 3}},
        {"job": {"rule": "download", "wildcards": {}, "reason": "Missing output files: results/a"}},
        {"job": {"rule": "train", "wildcards": {**OF_RUN, "seed": "1"},
                 "reason": "Updated input files: results/a; Code has changed since then"}},
        {"job": {"rule": "train", "wildcards": {**OF_RUN, "seed": "0"},
                 "reason": "Input files updated by another job: results/a"}},
        {"counts": {"train": 2, "download": 1, "total": 3}},
    )
)  # fmt: skip


def test_jobs_of_a_dry_run():
    said = jobs.read(WRITTEN)
    assert said.counts == {"train": 2, "download": 1}
    assert said.reasons["download"] == Counter({"not made yet": 1})
    assert said.reasons["train"] == Counter({"code changed": 1, "after other jobs": 1})
    assert said.trainings == tuple(run_on(heads="pixelwise", seed=seed) for seed in (0, 1))


def test_nothing_to_do():
    said = jobs.read('{"none": true}\n')
    assert said == Jobs({}, {}, ())
    first, *_, last = text.lines(said, [], [], False)
    assert first.startswith("Jobs: none") and last == "Trainings: none."


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"counts"', '"numbers"', "does not count its jobs"),
        ('"total": 3', '"total": 4', "do not add up"),
        ('"rule": "train"', '"rule": "learn"', "lists 0 trainings of 2"),
        ('"seed": "1"', '"seed": "one"', "wildcards"),
    ],
)
def test_another_form_is_refused(old, new, what):
    with pytest.raises(UserError, match=what):
        jobs.read(WRITTEN.replace(old, new))


# Text.


def test_a_large_study_fits_the_screen():
    counts = {f"rule_{number}": 10_000 for number in range(21)}
    reasons = {rule: Counter({"settings changed": 2, "not made yet": 1}) for rule in counts}
    models = [
        ModelHours(f"a-model-of-a-long-name-{number}", 3, 0, 7_000_000, 14_000_000, 1000.0, False,
                   "2 runs on cpu")
        for number in range(30)
    ]  # fmt: skip
    space = ["Space: " + "many words " * 30, "       A run in progress " + "of words " * 20]
    shown = text.lines(Jobs(counts, reasons, ()), space, models, True)
    assert len(shown) <= 45 and max(map(len, shown)) <= 100
    whole = "\n".join(shown)
    assert "and 18 more models" in whole and "settings changed, …" in whole
    assert "~210,000,000" in whole  # all models, also those without a row


def test_hours_of_some_models_are_a_lower_bound():
    models = [
        ModelHours("timed", 1, 0, 3600, 7200, 1.0, True, "given"),
        ModelHours("untimed", 1, 0, 3600, 7200, None, True, ""),
    ]
    shown = text.lines(Jobs({"train": 2}, {}, ()), [], models, False)
    rows = {line.split()[0]: line.split() for line in shown if line}
    assert rows["timed"][4:] == ["1,000", "1", "h", "0", "min", "given"]
    assert rows["untimed"][4:] == ["-", "-", "-"]
    assert rows["all"][2:] == ["7,200", "14,400", "-", ">1", "h", "0", "min", "-"]
    note = "Time of untimed: not known until one run of this model has finished"
    assert note in "\n".join(shown)


# The command.


def test_the_command(checkout, tmp_path):
    workflow = Workflow.copy(checkout, tmp_path / "checkout", TINY)
    results = workflow.folder / "results"
    finish(results, resolved(TINY), run_on(dataset="tiny"), [9, 3, 3], n_steps=27)
    before = set(results.rglob("*"))

    def call(*more):
        command = [sys.executable, "scripts/plan.py", *SAVED, *more]
        return subprocess.run(command, cwd=workflow.folder, capture_output=True, text=True)

    done = call()
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line}
    assert rows["simulate"][:4] == ["simulate", "1", "not", "made"]
    assert "train " in done.stdout and "Space: the study keeps about" in done.stdout
    # 333 ms a step and 18 steps; nothing is known of the other model.
    assert rows["featurenet"] == [*("featurenet", "1", "~18", "~72", "333", "~6", "s"),
                                  *("1", "run", "on", "cpu")]  # fmt: skip
    assert rows["mobilenetv2"][1:] == ["1", "~18", "~72", "-", "-", "-"]
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert set(results.rglob("*")) == before

    given = call("--step-ms", "mobilenetv2=1000")
    assert given.returncode == 0, given.stderr
    rows = {line.split()[0]: line.split() for line in given.stdout.splitlines() if line}
    # 18 steps and 10 of validation, each as long as a third of one.
    assert rows["mobilenetv2"][4:] == ["1,185", "~21", "s", "given"]

    workflow.configure({**TINY, "datasets": {"tiny": {"kind": "local", "path": "nowhere"}}})
    refused = call()
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert "Error: Snakemake cannot plan the study:" in refused.stderr
    assert "nowhere" in refused.stderr and refused.stdout == ""
