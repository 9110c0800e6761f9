"""The state of a study, on folders of results in every condition."""

import json
import os
import subprocess
import sys
import time

import pytest
import yaml

from cellseg.errors import UserError
from cellseg.io.progress_file import Training, training_of
from cellseg.jobs import active, run_folder
from cellseg.jobs.active import Marks, parse_squeue, slurm_comment
from cellseg.jobs.steps import steps_of
from cellseg.progress import collect
from cellseg.progress import text as progress_text
from cellseg.study import config_files, validation
from cellseg.study.runs import Run, all_runs, merged
from progress_testing import TRAINED, Results, folder_of

HEADS = "inner-distance+pixelwise"
SMALL = {
    "dataset": "tiny",
    "datasets": {"tiny": {"kind": "simulated"}},
    "tilings": {"cut-64": {"size": 64, "tile_overlap": 8}},
    "training": {"tiling": "cut-64", "epochs": 16},
    "models": {
        "featurenet": {"family": "panopticnet", "backbone": "featurenet"},
        "mobilenetv2": {"family": "panopticnet", "backbone": "mobilenetv2"},
    },
    "subsets": {"full": {}, "half": {"fraction": 0.5, "selection": "seeded"}},
    "threshold_searches": {"grid": {"maxima_threshold": [0.1, 0.2]}},
    "experiments": {
        "plain": {
            "title": "Plain",
            "conditions": [
                {"model": "featurenet", "heads": HEADS, "subset": "full", "seed": [0, 1, 2]}
            ],
            "figures": [],
        },
        "tuned": {
            "title": "Tuned",
            "threshold_search": "grid",
            "conditions": [{"model": "featurenet", "heads": HEADS, "subset": "full", "seed": 0}],
            "figures": [],
        },
        "other": {
            "title": "Other",
            "conditions": [{"model": "mobilenetv2", "heads": HEADS, "subset": "half", "seed": 0}],
            "figures": [],
        },
    },
}
ZERO, ONE, TWO = (Run("tiny", "featurenet", HEADS, "full", seed) for seed in range(3))
OTHER = Run("tiny", "mobilenetv2", HEADS, "half", 0)
SCORED = (*TRAINED, "labels.npz", "cells.parquet", "segmentation.json", "metrics.csv")
GRID = tuple(
    f"tuning-grid/{name}"
    for name in ("chosen.json", "tried.csv", "labels.npz", "cells.parquet", "segmentation.json")
)


@pytest.fixture(scope="module")
def schema(checkout):
    path = checkout / "workflow" / "schemas" / "config.schema.yaml"
    return yaml.safe_load(path.read_text())


@pytest.fixture(scope="module")
def study(schema):
    return validation.resolve(SMALL, schema)


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Results(tmp_path)


def _states(counts):
    return {state: number for state, number in counts.items() if number}


def _only(seen):
    assert len(seen.looks) == 1
    return seen.looks[0]


def test_nothing_there(results, study):
    seen = results.look(study)
    assert _states(seen.total) == {"not started": 4}
    assert seen.stages["trained"] == (0, 4)
    assert seen.stages["tuned"] == (0, 1)
    assert seen.estimate.seconds is None
    assert "unknown" in progress_text.as_text(seen)
    (results.folder / "results").mkdir()
    assert results.look(study) == seen


@pytest.fixture
def starting(schema):
    """Two runs that start from those of another subset, which no experiment compares."""
    models = {**SMALL["models"], "fine": {**SMALL["models"]["featurenet"],
              "start_from": {"model": "featurenet", "subset": "half"}}}  # fmt: skip
    conditions = [{"model": "fine", "heads": HEADS, "subset": "full", "seed": [0, 1]}]
    one = {"title": "?", "figures": [], "conditions": conditions}
    return validation.resolve({**SMALL, "models": models, "experiments": {"one": one}}, schema)


SOURCES = [Run("tiny", "featurenet", HEADS, "half", seed) for seed in (0, 1)]


def test_runs_that_others_start_from_are_counted_apart(results, starting):
    """No experiment compares them: their trainings take time, and may fail."""
    seen = results.look(starting)
    assert _states(seen.total) == {"not started": 2} and _states(seen.before) == {"not started": 2}
    assert seen.estimate.trainings == 4
    first, second = SOURCES
    results.train(first, 100)
    results.put(second, "logs/train.log", text="Error: no space left\n")
    seen = results.look(starting)
    assert _states(seen.before) == {"done": 1, "failed": 1} and seen.estimate.trainings == 3
    look = _only(seen)
    assert (look.run, look.state, look.of_study) == (second, "failed", True)
    text = progress_text.as_text(seen)
    assert "2 runs to start from, to" in text and "trained 1." in text
    assert json.loads(progress_text.as_json(seen))["before"]["failed"] == 1


def test_trainings_to_start_from_run_side_by_side(results, starting):
    for run in SOURCES:
        results.begin(run, 2, age=5)
    seen = results.look(starting)
    assert _states(seen.before) == {"running": 2} and seen.estimate.at_a_time == 2


def test_a_finished_study(results, study):
    for run in all_runs(study):
        results.train(run, 100)
        results.put(run, *SCORED)
    results.put(ZERO, *GRID, "tuning-grid/metrics.csv")
    seen = results.look(study)
    assert _states(seen.total) == {"done": 4}
    assert set(seen.stages.values()) == {(4, 4), (1, 1)}
    assert (seen.estimate.seconds, seen.estimate.trainings) == (0, 0)
    assert seen.looks == []


def test_done_asks_for_every_variant_of_the_experiment_that_wants_it(results, study):
    results.put(ZERO, *SCORED)
    seen = results.look(study)
    assert _states(seen.experiments["plain"]) == {"done": 1, "not started": 2}
    assert _states(seen.experiments["tuned"]) == {"part done": 1}
    assert seen.stages["scored"] == (0, 4)
    assert _states(seen.total) == {"part done": 1, "not started": 3}
    results.put(ZERO, "tuning-grid/metrics.csv")
    seen = results.look(study)
    assert _states(seen.total) == {"done": 1, "not started": 3}
    assert seen.stages["scored"] == (1, 4)


def test_maps_that_were_removed_after_use_count_as_predicted(results, study):
    results.train(ONE, 10)
    results.put(ONE, "logs/predict.log", text="fine\n", age=3000)
    results.put(ONE, "benchmarks/predict.tsv", age=2999)
    seen = results.look(study)
    assert seen.stages["predicted"] == (1, 4)
    assert _states(seen.total) == {"part done": 1, "not started": 3}
    results.put(ONE, *SCORED)
    (results.folder / folder_of(ONE) / "benchmarks" / "predict.tsv").unlink()
    seen = results.look(study)
    assert seen.stages["predicted"] == (1, 4)
    assert _states(seen.total) == {"done": 1, "not started": 3}


def test_what_was_made_and_deleted_is_not_interrupted(results, study):
    results.train(ONE, 10)
    (results.folder / folder_of(ONE) / "weights.h5").unlink()
    seen = results.look(study)
    assert _states(seen.total) == {"part done": 1, "not started": 3}
    assert seen.stages["trained"] == (0, 4)


def test_failed_and_interrupted(results, study):
    error = "Error: out of luck in epoch 3"
    results.put(ZERO, "logs/train.log", text=f"Error: old\nepoch 1\n{error}\n\n")
    traceback = 'Traceback (most recent call last):\n  File "x", line 1\n{}\n'
    results.train(ONE, 10)
    results.put(ONE, "logs/predict.log", text=traceback.format("MemoryError: no room"))
    results.begin(TWO, 2)
    results.put(OTHER, "logs/train.log", text=traceback.format("KeyboardInterrupt"), age=1)
    seen = results.look(study)
    assert _states(seen.total) == {"failed": 2, "interrupted": 2}
    looks = {look.run: look for look in seen.looks}
    assert (looks[ZERO].error, looks[ONE].error) == (error, "MemoryError: no room")
    assert looks[ZERO].log == f"{folder_of(ZERO)}/logs/train.log"
    assert looks[TWO].training.epoch == 2
    text = progress_text.as_text(seen)
    assert error in text and "after epoch 2/16" in text


def test_a_retraining_that_failed_is_failed_beside_its_old_scores(results, study):
    results.put(ONE, *SCORED)
    assert _states(results.look(study).total) == {"done": 1, "not started": 3}
    results.put(ONE, "logs/train.log", text="Error: out of luck\n")
    (results.folder / folder_of(ONE) / "weights.h5").unlink()
    assert _states(results.look(study).total) == {"failed": 1, "not started": 3}


def test_running_by_slurm(results, study):
    wildcards, here = ["tiny", "featurenet", HEADS, "full"], results.folder
    lines = [
        f"1|RUNNING|livecell_a-b|{here}|{slurm_comment('train', [*wildcards, '0'])}",
        f"2|PENDING|livecell_a-b|{here}|{slurm_comment('train', [*wildcards, '1'])}",
        f"3|RUNNING|mine|{here}|{slurm_comment('train', [*wildcards, '2'])}",
        f"4|PENDING|livecell_a-b|{here}|rule_4b1d_predict_segment",
        f"5|RUNNING|livecell_a-b|{here}|rule_rasterize_wildcards_tiny_val",
        f"6|RUNNING|livecell_a-b|{here}|",
        f"7|RUNNING|livecell_a-b|/elsewhere|{slurm_comment('train', [*wildcards, '2'])}",
        "nonsense",
    ]
    slurm = parse_squeue("\n".join(lines), "livecell", results.folder)
    results.begin(ZERO, 2, age=40)
    # Of a group job only the mark names the run; it holds the job's number while it waits.
    results.train(OTHER, 10)
    results.mark(f"{folder_of(OTHER)}/predictions.zip", "4")
    # A job that Slurm does not know any more is not running.
    results.put(TWO, "logs/train.log", text="begun\n", age=1)
    results.mark(f"{folder_of(TWO)}/weights.h5", "3")
    seen = results.look(study, slurm)
    assert {look.run: look.state for look in seen.looks} == {
        ZERO: "running", ONE: "queued", OTHER: "queued", TWO: "interrupted",
    }  # fmt: skip
    assert seen.other_jobs == {"group": 1, "rasterize": 1}
    look = next(look for look in seen.looks if look.run == ZERO)
    assert look.training == Training(2, 16, 0.02, 0.12, 60, step=0, steps_per_epoch=50)
    assert look.silent_seconds == pytest.approx(40)
    assert look.training.seconds_left == 14 * 60
    assert "squeue" in seen.judged_by


def test_comment_is_what_the_plugin_writes():
    from snakemake.jobs import Wildcards
    from snakemake_executor_plugin_slurm.utils import get_job_wildcards

    steps = {(step.rule, step.variant): step for step in steps_of(ZERO, ["", "tuning-x/"])}
    names = ("dataset", "model", "heads", "subset", "seed")
    own = {name: str(getattr(ZERO, name)) for name in names}

    def written(rule, **more):
        class Job:
            wildcards = Wildcards(fromdict={**own, **more})

        return f"rule_{rule}_wildcards_{get_job_wildcards(Job)}"

    assert steps["train", ""].comment == written("train")
    assert steps["segment", ""].comment == written("segment", variant="")
    assert steps["score", "tuning-x/"].comment == written("score", variant="tuning-x/")
    assert steps["tune", "tuning-x/"].comment == written("tune", tuning="x")


def test_running_by_snakemakes_marks(results, study):
    long = Run("tiny", "featurenet", HEADS, "s" * 200, 0)
    study = merged(study, {"subsets": {"s" * 200: study["subsets"]["full"]}})
    blocks = [{"model": long.model, "heads": HEADS, "subset": long.subset, "seed": 0}]
    study = merged(study, {"experiments": {"plain": {"conditions": blocks}}})
    results.put(long, "logs/train.log", text="begun\n")
    results.mark(f"{folder_of(long)}/weights.h5")
    look = _only(results.look(study))
    assert (look.run, look.state, look.training.epoch) == (long, "running", 0)
    # The number of a Slurm job is taken out of the mark when the job starts.
    results.mark(f"{folder_of(OTHER)}/weights.h5", "17")
    states = {look.run: look.state for look in results.look(study).looks}
    assert states == {long: "running", OTHER: "queued"}


def test_marks_without_a_lock_are_of_a_killed_job(results, study):
    results.put(ONE, "logs/train.log", text="begun\n", age=run_folder.LATELY + 60)
    results.mark(f"{folder_of(ONE)}/weights.h5", locked=False)
    assert _only(results.look(study)).state == "interrupted"
    # Without a lock (snakemake --nolock), a log that is written to decides.
    results.put(ONE, "logs/train.log", text="begun\n", age=5)
    assert _only(results.look(study)).state == "running"
    for mark in (results.folder / ".snakemake" / "incomplete").iterdir():
        mark.unlink()
    assert _only(results.look(study)).state == "interrupted"


def test_a_log_touched_lately_is_of_a_running_job(results, study):
    results.put(ONE, "logs/train.log", text="begun\n", age=20)
    seen = results.look(study)
    assert _only(seen).state == "running" and "logs" in seen.judged_by
    results.put(ONE, "logs/train.log", text="Error: no\n", age=20)
    assert _only(results.look(study)).state == "failed"
    results.put(ONE, *TRAINED)
    assert _states(results.look(study).total) == {"part done": 1, "not started": 3}


SAID = {
    "format": 1, "state": "training", "epoch": 4, "epochs": 16, "step": 25, "steps_per_epoch": 50,
    "loss": 0.5, "val_loss": 0.25, "seconds": 135.0,
}  # fmt: skip


def test_what_a_training_says_of_itself():
    known = Training(4, 16, 0.5, 0.25, 30, step=25, steps_per_epoch=50)
    assert training_of(SAID, 16, running=True) == known
    assert known.share == pytest.approx(4.5 / 16)
    assert known.seconds_left == pytest.approx(11.5 * 30)
    # A training that runs was started with other settings than are configured now.
    assert training_of(SAID, 12, running=True) == known
    assert training_of(SAID, 0, running=True) == known
    assert training_of(SAID, 12, running=False) == Training(0, 12)
    # No pace before the first epoch: its first steps are slow.
    begun = training_of({**SAID, "epoch": 0, "loss": None, "val_loss": None}, 16, running=True)
    assert begun == Training(0, 16, step=25, steps_per_epoch=50) and begun.seconds_left is None
    # An ensemble's epochs are counted through all of its networks.
    of_three = {"number": 2, "of": 3, "cell_type": "BV2"}
    counted = training_of({**SAID, "network": of_three}, 16, running=True)
    assert (counted.epoch, counted.epochs, counted.epoch_seconds) == (16 + 4, 48, 30)
    assert counted.share == pytest.approx(20.5 / 48)


def test_a_training_of_steps_is_told_by_its_steps():
    """Of 110 steps in epochs of 50, the last of which has 10."""
    said = {**SAID, "epoch": 1, "epochs": 3, "step": 5, "steps": 110}
    training = training_of(said, 0, running=False, steps=110)
    assert training.share == pytest.approx(55 / 110)
    assert training.seconds_left == pytest.approx(135.0)
    last = training_of({**said, "epoch": 2, "step": 10}, 0, running=False, steps=110)
    assert last.share == 1 and last.seconds_left == 0
    assert training_of(said, 0, running=False, steps=120) == Training(0, 0)
    of_three = {"number": 2, "of": 3, "cell_type": "BV2"}
    counted = training_of({**said, "network": of_three}, 0, running=True)
    assert counted.share == pytest.approx((1 + 0.5) / 3)
    assert counted.seconds_left == pytest.approx(3 * 135.0)


@pytest.mark.parametrize(
    ("state", "running", "finished"),
    [("finished", True, 0), ("diverged", True, 0), ("finished", False, 0), ("diverged", False, 4)],
)
def test_a_file_of_an_earlier_attempt_is_not_that_of_a_running_one(state, running, finished):
    assert training_of({**SAID, "state": state}, 16, running).epoch == finished


FOREIGN = [
    "", "[]", "3", "null", '{"format": 1', '{"epoch": 3}', "\0", "[" * 100_000,
    *(
        json.dumps({**SAID, **change})
        for change in (
            {"format": 2}, {"format": True}, {"format": "1"}, {"state": "later"}, {"state": []},
            {"epoch": "4"}, {"epoch": -1}, {"epoch": 17}, {"epoch": True}, {"epoch": 10**400},
            {"epochs": 0}, {"epochs": None}, {"step": 51}, {"step": {}}, {"steps_per_epoch": 1.5},
            {"network": {}}, {"network": {"number": 0, "of": 3}},
            {"network": {"number": 4, "of": 3}},
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("text", FOREIGN, ids=range(len(FOREIGN)))
def test_a_file_that_is_not_understood_says_nothing(results, study, text):
    results.begin(ONE, 3, age=5)
    assert _only(results.look(study)).training.epoch == 3
    results.put(ONE, "progress.json", text=text, age=5)
    seen = results.look(study)
    assert _only(seen).training == Training(0, 16)
    assert " 0/16 " in progress_text.as_text(seen)
    json.loads(progress_text.as_json(seen))


@pytest.mark.parametrize("key", ["loss", "val_loss", "seconds"])
@pytest.mark.parametrize("value", [None, "x", [], float("nan"), float("inf"), 10**400])
def test_a_number_that_is_none_is_unknown(results, study, key, value):
    results.begin(ONE, 3, age=5)
    results.say(ONE, 5, **{**SAID, key: value})
    training = _only(results.look(study)).training
    name = {"seconds": "epoch_seconds"}.get(key, key)
    assert training.epoch == 4 and getattr(training, name) is None
    json.loads(progress_text.as_json(results.look(study)))


def test_words_of_a_log_are_no_progress(results, study):
    """Those that trainings printed, and progress read, before there was a file for it."""
    line = "epoch 9/16: loss 0.0100, validation loss 0.1000, learning rate 1.0e-03, 60 s\n"
    words = f"Network 2 of 3, for BV2.\nResuming after epoch 8 of 16.\n{line}"
    results.put(ONE, "logs/train.log", text=words, age=5)
    assert _only(results.look(study)).training == Training(0, 16)
    results.say(ONE, 5, **SAID)
    assert _only(results.look(study)).training.epoch == 4
    text = progress_text.as_text(results.look(study))
    assert " 4/16 " in text and " 25/50 " in text and " 0.2500 " in text


def test_a_training_that_logs_nothing_for_long_is_alive_by_its_progress(results, study):
    results.put(ONE, "logs/train.log", text="begun\n", age=run_folder.LATELY + 60)
    results.say(ONE, run_folder.LATELY + 60, **SAID)
    assert _only(results.look(study)).state == "interrupted"
    results.say(ONE, 7, **SAID)
    look = _only(results.look(study))
    assert look.state == "running" and look.silent_seconds == pytest.approx(7)


def test_broken_files(results, study):
    run = folder_of(ZERO)
    results.put(ZERO, "logs/train.log", text="begun", age=5)
    results.put(ZERO, "progress.json", text='{"format": 1, "epo')
    results.put(ONE, *TRAINED, text="")
    results.put(ONE, "benchmarks/train.tsv", text="")
    results.put(TWO, *TRAINED, text='{"seconds": ')
    results.put(OTHER, *TRAINED)
    results.put(OTHER, "benchmarks/train.tsv", text="s\th\n\0\xff")
    results.put(OTHER, "history.csv", text="epoch,seconds\n1,nan\n2\n")
    results.mark(f"{run}/weights.h5")
    (results.folder / ".snakemake" / "incomplete" / "no base64!").write_text("")
    (results.folder / ".snakemake" / "incomplete" / "abc").write_text("")
    seen = results.look(study)
    assert _states(seen.total) == {"running": 1, "part done": 3}
    assert seen.estimate.seconds is None
    assert json.loads(progress_text.as_json(seen))["total"]["running"] == 1


def test_time_left(results, study):
    assert results.look(study).estimate.trainings == 4
    results.train(ZERO, 1000)
    estimate = results.look(study).estimate
    assert (estimate.seconds, estimate.finished_runs, estimate.from_other_models) == (3000, 1, 1)
    # The benchmark is of the last attempt alone, the history of all epochs.
    results.train(OTHER, 10)
    results.put(OTHER, "history.csv", text="epoch,seconds\n1,300\n2,300\n")
    estimate = results.look(study).estimate
    assert (estimate.seconds, estimate.finished_runs, estimate.from_other_models) == (2000, 1, 0)
    results.put(ZERO, "provenance.json", text='{"seconds": 2000}')
    (results.folder / folder_of(ZERO) / "benchmarks" / "train.tsv").unlink()
    assert results.look(study).estimate.seconds == 4000
    # Two at a time, one of them half done: the other takes longest.
    results.begin(ONE, 7, age=5, step=50)
    results.put(TWO, "logs/train.log", text="begun\n", age=5)
    estimate = results.look(study).estimate
    assert (estimate.seconds, estimate.at_a_time) == (2000, 2)


def test_text_fits_a_terminal(results, study):
    study = merged(study, {"subsets": {"s" * 60: study["subsets"]["full"]}})
    blocks = [{"model": "featurenet", "heads": HEADS, "subset": "s" * 60, "seed": list(range(99))}]
    study = merged(study, {"experiments": {"plain": {"conditions": blocks}}})
    study["experiments"]["x" * 90] = study["experiments"]["plain"]
    for run in all_runs(study):
        if run.seed % 3 == 0:
            results.put(run, "logs/train.log", text="Error: " + "what is wrong " * 40)
        elif run.seed % 3 == 1:
            results.begin(run, 3)
        else:
            results.begin(run, 3, age=10, step=12345, steps_per_epoch=23456)
    text = progress_text.as_text(results.look(study))
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text and "x" * 90 in text
    assert "running" in text and "more; --json lists all" in text


def test_three_thousand_runs_take_less_than_five_seconds(results, study):
    blocks = [{"model": "featurenet", "heads": HEADS, "subset": "full", "seed": list(range(3000))}]
    study = merged(
        study, {"experiments": {"plain": {"conditions": blocks}, "tuned": {"conditions": blocks}}}
    )
    history = "epoch,seconds\n" + "1,60\n" * 50
    for run in all_runs(study):
        if run.seed % 4 == 1:
            results.train(run, 100)
            results.put(run, *SCORED, *GRID, "tuning-grid/metrics.csv", "logs/score.log")
            results.put(run, "history.csv", text=history)
        elif run.seed % 4 == 2:
            results.begin(run, 3)
    started = time.process_time()  # not the wall clock: other tests may run next to this one
    text = progress_text.as_text(results.look(study))
    assert time.process_time() - started < 5
    assert "of 3,001 runs: trained 750, " in text


def test_durations():
    shown = [progress_text.duration(seconds) for seconds in (None, 59.4, 3599, 3600 * 5, 86399 * 3)]
    assert shown == ["-", "59 s", "1 h 0 min", "5 h 0 min", "3 d 0 h"]


# The command, with a squeue of our own.


@pytest.fixture
def command(checkout, results, monkeypatch, tmp_path):
    """Runs scripts/progress.py in a folder whose config.yaml is the small study."""
    (results.folder / "config.yaml").write_text(yaml.safe_dump(SMALL, sort_keys=False))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()

    def run(*arguments, status=0):
        before = _tree(results.folder)
        done = subprocess.run(
            [sys.executable, checkout / "scripts" / "progress.py", *arguments],
            cwd=results.folder, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        assert _tree(results.folder) - before <= {results.folder / "bin" / "calls"}
        return done.stdout + done.stderr

    return run


def _tree(folder):
    return set(folder.rglob("*"))


@pytest.fixture
def squeue(tmp_path):
    """Puts a squeue on the PATH that counts its calls."""
    calls = tmp_path / "bin" / "calls"

    def make(*lines):
        path = tmp_path / "bin" / "squeue"
        path.write_text("\n".join(["#!/bin/sh", f'echo "$@" >> {calls}', *lines]) + "\n")
        path.chmod(0o755)
        return calls

    return make


def test_command_without_slurm(command, results):
    results.train(ONE, 60)
    text = command()
    assert "not started" in text and "squeue" not in text and "no folder" not in text
    assert json.loads(command("--json"))["total"]["part done"] == 1


def test_command_before_the_first_run(command, results):
    assert f"no folder {results.folder}/results" in " ".join(command().split())


def test_command_asks_slurm_once(command, squeue, results):
    comments = [slurm_comment("train", [*list(vars(ONE).values())[:4], str(n)]) for n in (0, 1)]
    calls = squeue(
        *(
            f"echo '{n}|RUNNING|livecell_a-b|{results.folder}|{comment}'"
            for n, comment in enumerate(comments)
        )
    )
    (results.folder / "results").mkdir()
    seen = json.loads(command("--json"))
    assert seen["total"]["running"] == 2 and not seen["notes"]
    assert len(calls.read_text().splitlines()) == 1
    assert f"--user={os.getuid()}" in calls.read_text()


def test_command_with_a_squeue_that_fails(command, squeue, results):
    squeue("echo 'slurm_load_jobs error: no controller' >&2", "exit 1")
    results.train(ONE, 60)
    text = command()
    assert "no controller" in text and "part done" in text


def test_squeue_that_hangs(command, squeue, monkeypatch, tmp_path):
    squeue("/bin/sleep 60", "echo done")
    monkeypatch.setattr(active, "TIMEOUT", 0.3)
    started = time.perf_counter()
    jobs, trouble = active.ask_slurm("livecell", tmp_path)
    assert jobs is None and "no answer" in trouble
    assert time.perf_counter() - started < 5


def test_command_reads_config_files_as_snakemake_does(command, results, schema):
    more = {"experiments": {"more": {**SMALL["experiments"]["other"], "title": "More"}}}
    (results.folder / "more.yaml").write_text(yaml.safe_dump(more))
    seen = json.loads(command("--configfile", "more.yaml", "--json"))
    assert set(seen["experiments"]) == {"plain", "tuned", "other", "more"}
    (results.folder / "alone.yaml").write_text(yaml.safe_dump(merged({**SMALL, **more}, {})))
    alone = ("--configfile", "alone.yaml", "--replace-workflow-config")
    assert set(json.loads(command(*alone, "--json"))["experiments"]) == {"more"}
    # Without a config file there is nothing to replace with.
    seen = json.loads(command("--replace-workflow-config", "--experiment", "tuned", "--json"))
    assert sum(seen["total"].values()) == 1


def test_command_speaks_plainly(command, results):
    assert "missing.yaml" in command("--configfile", "missing.yaml", status=1)
    assert "Possible: plain, tuned, other" in command("--experiment", "x", status=1)
    assert "no data set 'x'" in command("--dataset", "x", status=1)
    (results.folder / "config.yaml").write_text("a: [")
    assert "not valid YAML" in command(status=1)
    (results.folder / "config.yaml").write_text("- a\n")
    assert "top level" in command(status=1)


def test_narrowed(study):
    with pytest.raises(UserError, match="not that of"):
        collect.narrowed(merged(study, {"datasets": {"b": {}}}), "b", "plain")
    assert list(collect.narrowed(study, "tiny", "other")["experiments"]) == ["other"]


def test_job_name_prefix(checkout, tmp_path):
    profiles = checkout / "workflow" / "profiles"
    assert active.job_name_prefix(profiles / "slurm" / "config.yaml") == "livecell"
    assert active.job_name_prefix(profiles / "local" / "config.yaml") == ""
    assert active.job_name_prefix(tmp_path / "none.yaml") == ""


def test_config_files_later_ones_win(tmp_path):
    for name, content in (("config", {"a": {"b": 1, "c": [1, 2]}}), ("x", {"a": {"c": [3]}})):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "y.yaml").write_text("a: {b: 2}\n")
    assert config_files.read(tmp_path) == {"a": {"b": 1, "c": [1, 2]}}
    assert config_files.read(tmp_path, ["x.yaml", "y.yaml"]) == {"a": {"b": 2, "c": [3]}}
    assert config_files.read(tmp_path, ["y.yaml"], replace=True) == {"a": {"b": 2}}


def test_nothing_heavy_is_imported(checkout):
    code = (
        "import sys; sys.path.insert(0, 'scripts');"
        "from cellseg.study import validation, config_files; from cellseg.progress import text;"
        "print(sorted({'numpy', 'pandas', 'snakemake', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stderr


def test_marks_of_a_folder_that_is_not_there(tmp_path):
    assert active.read_marks(tmp_path / ".snakemake") == Marks()


NAMED = Run("tiny", "featurenet", HEADS, "full", 7)
ELSEWHERE = Run("mine", "resnet50", "fgbg", "plate-3", 0)


def test_runs_that_the_study_does_not_ask_for_are_listed_while_they_run(results, study):
    """By the name of a file, or by another configuration; with Snakemake's marks."""
    for run in (NAMED, ELSEWHERE):
        results.begin(run, 3, age=1)
        results.mark(f"{folder_of(run)}/weights.h5")
    results.train(Run("mine", "resnet50", "fgbg", "plate-3", 1), 10)  # done
    results.put(Run("mine", "resnet50", "fgbg", "plate-3", 2), "logs/train.log", text="Error: x")
    seen = results.look(study)
    assert [(look.run, look.of_study) for look in seen.looks] == [
        (ELSEWHERE, False), (NAMED, False),
    ]  # fmt: skip
    assert [look.training.epoch for look in seen.looks] == [3, 3]
    assert _states(seen.total) == {"not started": 4}
    text = progress_text.as_text(seen)
    assert "mine/resnet50/fgbg/plate-3/seed-0 *" in text and "3/16" in text
    assert f"tiny/featurenet/{HEADS}/full/seed-7 *" in text
    assert "Also running, not counted above: 2 runs (marked *)" in " ".join(text.split())
    assert {look["of_study"] for look in json.loads(progress_text.as_json(seen))["looks"]} == {
        False
    }


def test_such_runs_are_seen_by_their_logs_and_in_slurm(results, study):
    tuned = "tuning-grid/"
    results.put(NAMED, f"{tuned}logs/tune.log", "logs/train.log", text="fine\n", age=1)
    results.put(NAMED, *TRAINED)
    seen = results.look(study)
    assert [look.run for look in seen.looks] == [NAMED]  # by its log
    comment = slurm_comment("train", ["mine", "resnet50", "fgbg", "plate-3", "0"])
    results.put(ELSEWHERE, "logs/train.log", text="fine\n")
    squeue = parse_squeue(f"7|RUNNING|lb-1|{results.folder}|{comment}", "lb", results.folder)
    seen = results.look(study, squeue)
    assert [look.run for look in seen.looks] == [ELSEWHERE] and seen.other_jobs == {}


def test_a_run_before_its_first_epoch_does_not_say_of_how_many(results, study):
    results.put(NAMED, "logs/train.log", text="fine\n", age=1)
    results.mark(f"{folder_of(NAMED)}/weights.h5")
    assert " 0/- " in progress_text.as_text(results.look(study))


@pytest.mark.parametrize("narrowed", [["--experiment", "plain"], ["--dataset", "tiny"], []])
def test_the_command_lists_them_for_the_whole_study(results, checkout, narrowed):
    results.begin(NAMED, 3, age=1)
    results.mark(f"{folder_of(NAMED)}/weights.h5")
    (results.folder / "config.yaml").write_text(yaml.safe_dump(SMALL))
    done = subprocess.run(
        [sys.executable, str(checkout / "scripts/progress.py"), *narrowed],
        capture_output=True, text=True, cwd=results.folder, check=True,
    )  # fmt: skip
    assert ("seed-7 *" in done.stdout) == (not narrowed)
