"""The state of a hyperparameter search, on folders of results in every condition."""

import copy
import json
import time

import pytest
import yaml

from cellseg.io.stamps import stamp
from cellseg.jobs.active import parse_squeue, slurm_comment
from cellseg.progress import collect
from cellseg.progress import text as progress_text
from cellseg.search import files
from cellseg.search import run as search_run
from cellseg.study import runs as studies
from cellseg.study import searches, validation
from progress_testing import Results, folder_of
from workflow_runner import TINY

HEADS = "inner-distance+pixelwise"
SEARCH = {
    "title": "Which rate?",
    "model": "featurenet",
    "heads": HEADS,
    "subset": "full",
    "trials": 6,
    "rungs": [4, 16],
    "space": {"training.learning_rate": {"log": [0.0001, 0.01]}, "training.batch_size": [2, 4]},
}
HISTORY = "epoch,val_loss,seconds\n1,9.0,1\n2,{},1\n"


@pytest.fixture(scope="module")
def schema(checkout):
    return yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())


@pytest.fixture(scope="module")
def resolved(schema):
    def study(**changes):
        content = {
            **copy.deepcopy(TINY),
            "hyperparameter_searches": {"rates": {**SEARCH, **changes}},
        }
        content["threshold_searches"] = {"grid": {"maxima_threshold": [0.1, 0.2]}}
        return validation.resolve(content, schema)

    return study


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Results(tmp_path)


def run_of(study, trial, epochs=4, seed=0):
    return searches.runs_of(study, "rates", trial, epochs)[seed]


def finish(results, run, loss, seconds=100):
    results.train(run, seconds)
    results.put(run, "history.csv", text=HISTORY.format(loss))


def diverge(results, study, run, **said):
    """Fail as a training whose loss is not finite."""
    settings = studies.run_settings(study, run.model, run.heads, run.subset, run.seed)
    results.put(run, "logs/train.log", text="Error: whatever\n")
    results.say(run, **{"state": "diverged", "epochs": 4, "settings": stamp(settings), **said})


def note_as_diverged(results, study, run):
    settings = studies.run_settings(study, run.model, run.heads, run.subset, run.seed)
    path = results.folder / files.record_of(study, "rates")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({files.run_path(run): settings}))


def states(rung):
    return {state: number for state, number in rung.trials.items() if number}


def words(seen):
    return " ".join(progress_text.as_text(seen).split())


def test_a_search_that_was_not_begun_is_not_told_of(results, resolved, schema):
    seen = results.look(resolved())
    without = results.look(validation.resolve(TINY, schema))
    assert progress_text.as_text(seen) == progress_text.as_text(without)
    assert progress_text.as_json(seen) == progress_text.as_json(without)
    assert "searches" not in json.loads(progress_text.as_json(without))


def test_a_first_rung_half_done(results, resolved):
    study = resolved()
    for trial, loss in ((1, 0.5), (2, 0.25), (3, 0.75)):
        finish(results, run_of(study, trial), loss, seconds=100 * trial)
    results.begin(run_of(study, 4), 2, age=9, epochs=4)
    seen = results.look(study)
    rates = seen.searches["rates"]
    assert [(rung.epochs, states(rung)) for rung in rates.rungs] == [
        (4, {"done": 3, "running": 1, "not started": 2}),
        (16, {"not started": 2}),
    ]
    assert (rates.rung, rates.state) == (1, "undecided")
    assert (rates.best.trial, rates.best.epochs, rates.best.score) == (2, 4, 0.25)
    # A mean of 200 s: half a training, and two whole ones.
    estimate = rates.estimate
    assert (estimate.seconds, estimate.trainings, estimate.finished_runs) == (500, 3, 3)
    [look] = seen.looks
    assert look.run == run_of(study, 4) and look.training.epoch == 2
    # Of the study itself nothing has begun.
    assert sum(seen.total.values()) == seen.total["not started"] == 2
    assert seen.estimate.seconds is None
    text = words(seen)
    assert "rates 1 4 6 3 1 2 2 16 2 - - 2" in text
    assert "Time left of rates, rung 1: about 8 min for 3 trainings, one at a time, from 3" in text
    rate = searches.values_of(study, "rates")[2]["training.learning_rate"]
    assert f"val_loss 0.25, trial 2 after 4 epochs (training.learning_rate {rate}" in text
    assert "rates-004-epochs-4" in text and "judged by logs" in text


def test_the_second_rung_goes_by_what_its_trials_took_before(results, resolved):
    study = resolved()
    for trial in range(1, 7):
        finish(results, run_of(study, trial), 0.1 * trial, seconds=100 * trial)
    rates = results.look(study).searches["rates"]
    assert [states(rung) for rung in rates.rungs] == [{"done": 6}, {"not started": 2}]
    # Trials 1 and 2 take 25 and 50 s an epoch.
    assert (rates.rung, rates.estimate.seconds) == (2, 16 * (25 + 50))
    finish(results, run_of(study, 2, 16), 0.05, seconds=700)
    rates = results.look(study).searches["rates"]
    assert states(rates.rungs[1]) == {"done": 1, "not started": 1}
    assert (rates.estimate.seconds, rates.estimate.finished_runs) == (16 * 25, 7)
    assert (rates.best.trial, rates.best.epochs) == (2, 16)
    # One that is trained again is running, and its rung not decided any more.
    (results.folder / folder_of(run_of(study, 3)) / "history.csv").unlink()
    results.put(run_of(study, 3), "logs/train.log", text="begun\n", age=9)
    results.mark(f"{folder_of(run_of(study, 3))}/history.csv")
    rates = results.look(study).searches["rates"]
    assert rates.rung == 1 and states(rates.rungs[0]) == {"done": 5, "running": 1}
    assert states(rates.rungs[1]) == {"not started": 2}


class Trainer:
    """In Snakemake's place: writes what trainings write; trial 6 diverges."""

    dry_run = False

    def __init__(self, results, study):
        self.results, self.study = results, study

    def make(self, paths):
        for path in paths:
            if not path.endswith("history.csv"):
                continue
            _, dataset, _, model, heads, subset, seed, _ = path.split("/")
            run = studies.Run(dataset, model, heads, subset, int(seed.removeprefix("seed-")))
            trial = int(model.split("-")[1])
            if trial == 6:
                diverge(self.results, self.study, run)
            else:
                finish(self.results, run, 0.1 * trial)
        return not any("006" in path for path in paths)


def test_progress_says_what_the_search_decides(results, resolved):
    study = resolved(reduction_factor=2)
    search_run.search(study, "rates", results.folder, Trainer(results, study))
    seen = results.look(study)
    rates = seen.searches["rates"]
    assert [states(rung) for rung in rates.rungs] == [{"done": 5, "not finite": 1}, {"done": 3}]
    assert (rates.state, rates.best.trial, rates.best.epochs) == ("written", 1, 4)
    assert rates.estimate.trainings == 0 and seen.looks == []
    assert "rates is done: its table, figure and best model are in results/tiny" in words(seen)
    (results.folder / rates.folder / "best.yaml").unlink()
    seen = results.look(study)
    assert seen.searches["rates"].state == "decided"
    assert "the next call of scripts/search.py" in words(seen)
    best = json.loads(progress_text.as_json(seen))["searches"]["rates"]["best"]
    assert best["runs"] == [folder_of(run_of(study, 1))]
    # Other settings: what was noted counts no longer, and the run is to be trained again.
    other = resolved(reduction_factor=2, space={**SEARCH["space"], "training.clipnorm": [0.1]})
    assert results.look(other).searches["rates"].rung == 1


def test_a_loss_that_is_not_finite_is_expected_and_other_errors_are_not(results, resolved):
    study = resolved()
    for trial in (1, 2, 3, 4):
        finish(results, run_of(study, trial), 0.1 * trial)
    # The search notes the first when Snakemake ends.
    diverge(results, study, run_of(study, 5))
    results.put(run_of(study, 6), "logs/train.log", text="Error: no memory\n")
    seen = results.look(study)
    rates = seen.searches["rates"]
    assert states(rates.rungs[0]) == {"done": 4, "not finite": 1, "failed": 1}
    assert (rates.rung, rates.estimate.trainings) == (1, 1)
    assert [look.error for look in seen.looks] == ["Error: no memory"]
    note_as_diverged(results, study, run_of(study, 5))
    finish(results, run_of(study, 6), 0.6)
    rates = results.look(study).searches["rates"]
    assert states(rates.rungs[0]) == {"done": 5, "not finite": 1} and rates.rung == 2


def test_neither_words_nor_other_settings_are_a_loss_that_is_not_finite(results, resolved):
    study = resolved()
    said = "Error: the loss is not finite in epoch 1, step 2\n"
    results.put(run_of(study, 1), "logs/train.log", text=said)
    diverge(results, resolved(space={**SEARCH["space"], "training.clipnorm": [0.1]}),
            run_of(study, 2))  # fmt: skip
    diverge(results, study, run_of(study, 3), state="training")
    diverge(results, study, run_of(study, 4), format=2)
    diverge(results, study, run_of(study, 5))
    # It is trained again.
    diverge(results, study, run_of(study, 6))
    results.mark(f"{folder_of(run_of(study, 6))}/history.csv")
    rates = results.look(study).searches["rates"]
    assert states(rates.rungs[0]) == {"failed": 4, "not finite": 1, "running": 1}


def test_a_rung_of_which_all_diverged(results, resolved):
    study = resolved(trials=1)
    diverge(results, study, run_of(study, 1))
    note_as_diverged(results, study, run_of(study, 1))
    seen = results.look(study)
    assert seen.searches["rates"].state == "no score" and seen.searches["rates"].best is None
    assert [states(rung) for rung in seen.searches["rates"].rungs] == [{"not finite": 1}, {}]
    assert "no trial of rung 1 has a score" in words(seen)


def test_a_trial_of_several_seeds_is_done_with_the_last_of_them(results, resolved):
    study = resolved(seed=[0, 1])
    for trial in range(1, 7):
        finish(results, run_of(study, trial), 0.1 * trial)
        if trial > 1:
            finish(results, run_of(study, trial, seed=1), 0.1 * trial)
    rates = results.look(study).searches["rates"]
    assert states(rates.rungs[0]) == {"done": 5, "part done": 1} and rates.rung == 1
    assert rates.best.trial == 2
    assert (rates.estimate.seconds, rates.estimate.trainings) == (100, 1)
    finish(results, run_of(study, 1, seed=1), 0.4)
    rates = results.look(study).searches["rates"]
    assert rates.rung == 2 and rates.estimate.trainings == 4
    assert (rates.best.trial, rates.best.score) == (2, pytest.approx(0.2))


def test_a_tuned_search_goes_on_after_the_training(results, resolved):
    study = resolved(threshold_search="grid", trials=2, rungs=[4])
    one, two = run_of(study, 1), run_of(study, 2)
    finish(results, one, 0.1)
    results.put(one, "tuning-grid/chosen.json", text='{"mean": 0.5}')
    # Without its weights, which a full disk may have asked for, it is done all the same.
    (results.folder / folder_of(one) / "weights.h5").unlink()
    finish(results, two, 0.2)
    results.put(two, "tuning-grid/logs/tune.log", text="begun\n", age=9)
    seen = results.look(study)
    rates = seen.searches["rates"]
    assert states(rates.rungs[0]) == {"done": 1, "running": 1}
    assert (rates.best.measure, rates.best.score) == ("msa", 0.5)
    assert rates.estimate.trainings == 0
    [look] = seen.looks
    assert (look.run, look.rule) == (two, "tune")


def test_jobs_of_a_search_in_slurm(results, resolved):
    study = resolved()
    lines = []
    for number, (trial, state) in enumerate([(1, "RUNNING"), (2, "RUNNING"), (3, "PENDING")]):
        run = run_of(study, trial)
        comment = slurm_comment("train", [*list(vars(run).values())[:4], str(run.seed)])
        lines.append(f"{number}|{state}|livecell_a|{results.folder}|{comment}")
    seen = results.look(study, parse_squeue("\n".join(lines), "livecell", results.folder))
    assert states(seen.searches["rates"].rungs[0]) == {
        "running": 2, "queued": 1, "not started": 3,
    }  # fmt: skip
    assert seen.searches["rates"].estimate.at_a_time == 2
    assert seen.searches["rates"].estimate.seconds is None
    assert seen.other_jobs == {}


def test_broken_files(results, resolved):
    study = resolved()
    for trial in range(1, 7):
        finish(results, run_of(study, trial), 0.1 * trial)
    results.put(run_of(study, 2), "history.csv", text="epoch,lo")
    results.put(run_of(study, 3), "history.csv", text=HISTORY.format("inf").replace("9.0", "inf"))
    record = results.folder / files.record_of(study, "rates")
    for content in ("[1", "[]", '{"results": 3}'):
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(content)
        seen = results.look(study)
        # The search cannot decide either, and says so.
        assert seen.searches["rates"].rung == 1 and seen.searches["rates"].best.trial == 1
        json.loads(progress_text.as_json(seen))


def test_narrowed(resolved):
    study = resolved()
    assert list(collect.narrowed(study)["hyperparameter_searches"]) == ["rates"]
    assert list(collect.narrowed(study, dataset="tiny")["hyperparameter_searches"]) == ["rates"]
    assert not collect.narrowed(study, experiment="backbones")["hyperparameter_searches"]
    elsewhere = copy.deepcopy(study)
    elsewhere["hyperparameter_searches"]["rates"]["dataset"] = "other"
    assert not collect.narrowed(elsewhere, dataset="tiny")["hyperparameter_searches"]


def test_text_fits_a_terminal(results, resolved):
    long = {"x" * 60: {"sets": {"y" * 60: {"training": {"batch_size": 2}}}}}
    study = resolved(space={**long, **SEARCH["space"]})
    for trial in range(1, 7):
        finish(results, run_of(study, trial), 0.1 * trial)
    text = progress_text.as_text(results.look(study))
    assert max(map(len, text.splitlines())) <= 100 and "y" * 60 in text


def test_three_hundred_trials_take_less_than_a_second(results, resolved):
    study = resolved(trials=300)
    for trial in range(1, 151):
        finish(results, run_of(study, trial), 0.1 * trial)
    started = time.process_time()
    progress_text.as_text(results.look(study))
    assert time.process_time() - started < 1
