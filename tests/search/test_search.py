"""Hyperparameter searches: what is drawn, what continues, what an interruption leaves."""

import copy
import csv
import math
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from cellseg.errors import UserError
from cellseg.figures import search as search_figure
from cellseg.figures import style
from cellseg.search import arguments, execute
from cellseg.search import files as search_files
from cellseg.search import run as search_run
from cellseg.search import rungs as search_rungs
from cellseg.search import scores as search_scores
from cellseg.study import runs as studies
from cellseg.study import search_space, searches, validation
from cellseg.tables import read as score_tables
from cellseg.training.length import Length
from cellseg.training.progress_writer import ProgressWriter
from workflow_runner import TINY

SPACE = {
    "training.learning_rate": {"log": [0.0001, 0.01]},
    "training.batch_size": [2, 4, 8],
    "levels": {
        "sets": {
            "fine": {"backbone_levels": ["C2", "C3"]},
            "coarse": {"backbone_levels": ["C3", "C4", "C5"]},
        }
    },
}
SEARCH = {
    "title": "Which rate?",
    "model": "featurenet",
    "heads": "inner-distance+pixelwise",
    "subset": "full",
    "trials": 6,
    "rungs": [1, 3],
    "space": SPACE,
}


@pytest.fixture(scope="module")
def schema(checkout):
    return yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())


def resolved(schema, **changes):
    """The tiny study with one search."""
    return validation.resolve(
        {
            **copy.deepcopy(TINY),
            "hyperparameter_searches": {"rates": {**copy.deepcopy(SEARCH), **changes}},
        },
        schema,
    )


# --- what is drawn


def test_trials_repeat_and_more_of_them_add():
    first = search_space.draw(SPACE, 8, seed=3)
    assert search_space.draw(SPACE, 8, seed=3) == first
    assert search_space.draw(SPACE, 20, seed=3)[:8] == first
    assert search_space.draw(SPACE, 8, seed=4) != first


def test_the_trials_of_a_seed_stay_what_they_are():
    """A change here would train every search again."""
    [one, two] = search_space.draw(SPACE, 2, seed=0)
    assert one == {
        "training.learning_rate": 0.00965, "training.batch_size": 2, "levels": "fine"
    }  # fmt: skip
    assert two["training.learning_rate"] == 0.000399


def test_another_parameter_leaves_the_values_of_the_others():
    wider = {**SPACE, "training.zoom": {"uniform": [1, 2]}}
    drawn = search_space.draw(wider, 8, seed=0)
    assert all(1 <= trial.pop("training.zoom") <= 2 for trial in drawn)
    assert drawn == search_space.draw(SPACE, 8, seed=0)


def test_a_log_range_is_covered_by_orders_of_magnitude():
    drawn = search_space.draw({"x": {"log": [1e-6, 1e-2]}}, 400, seed=0)
    exponents = [math.log10(trial["x"]) for trial in drawn]
    assert min(exponents) >= -6 and max(exponents) <= -2
    assert statistics.mean(exponents) == pytest.approx(-4, abs=0.15)
    assert statistics.stdev(exponents) == pytest.approx(4 / math.sqrt(12), rel=0.1)


def test_no_two_trials_are_alike():
    space = {"a": [1, 2, 3], "b": [True, False]}
    drawn = search_space.draw(space, 6, seed=0)
    assert sorted(drawn, key=str) == sorted(search_space.draw(space, "all", seed=0), key=str)
    with pytest.raises(UserError, match="6 combinations, fewer than the 7 trials"):
        search_space.draw(space, 7, seed=0)
    with pytest.raises(UserError, match="too few different values"):
        search_space.draw({"x": {"uniform": [1, 1.001]}}, 3, seed=0)


def test_values_become_nested_settings():
    values = {"training.schedule.name": "cosine", "training.batch_size": 4, "levels": "fine"}
    space = {**SPACE, "training.schedule.name": ["constant", "cosine"]}
    assert search_space.changes(space, values) == {
        "training": {"schedule": {"name": "cosine"}, "batch_size": 4},
        "backbone_levels": ["C2", "C3"],
    }


# --- the configuration


def test_trials_are_models_and_no_runs_of_the_study(schema):
    study = resolved(schema)
    names = [name for name in study["models"] if name.startswith("rates-")]
    assert len(names) == 6 * 2 and "rates-006-epochs-3" in names
    assert studies.all_runs(study) == studies.all_runs(validation.resolve(TINY, schema))
    values = searches.values_of(study, "rates")[2]
    [run] = searches.runs_of(study, "rates", 2, 3)
    assert run == studies.Run("tiny", "rates-002-epochs-3", SEARCH["heads"], "full", 0)
    settings = studies.run_settings(study, *execute._condition(run))
    assert settings["training"]["epochs"] == 3
    assert settings["training"]["learning_rate"] == values["training.learning_rate"]
    assert settings["training"]["batch_size"] == values["training.batch_size"]
    assert settings["training"]["clipnorm"] == 0.001  # the study's
    levels = {"fine": ["C2", "C3"], "coarse": ["C3", "C4", "C5"]}[values["levels"]]
    assert settings["model"]["backbone_levels"] == levels


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model": "featurnet"},
            r"hyperparameter_searches\.rates\.model: .*Did you mean 'featurenet'",
        ),
        (
            {"subset": "fulll"},
            r"hyperparameter_searches\.rates\.subset: .*Did you mean 'full'",
        ),
        ({"heads": "fgbh"}, r"hyperparameter_searches\.rates\.heads"),
        (
            {"threshold_search": "grid"},
            r"hyperparameter_searches\.rates\.threshold_search: 'grid' is not defined",
        ),
        (
            {"dataset": "other"},
            r"hyperparameter_searches\.rates\.dataset: 'other' is not defined",
        ),
        (
            {"rungs": [3, 1]},
            r"hyperparameter_searches\.rates\.rungs: each rung has more epochs",
        ),
        ({"rungs": []}, r"hyperparameter_searches\.rates\.rungs"),
        (
            {"trials": "all"},
            r"hyperparameter_searches\.rates: trials: all needs lists",
        ),
        ({"space": {}}, r"hyperparameter_searches\.rates\.space"),
        ({"space": {"training.batch_size": []}}, r"space\.training\.batch_size: \[\]"),
        ({"space": {"training.zoom": {"log": [2, 1]}}}, r"zoom: the range ends at 1"),
        ({"space": {"training.zoom": {"log": ["1e-4", 1]}}}, "YAML takes 1e-4 for text"),
        ({"space": {"training.zoom": {"lgo": [1, 2]}}}, "Did you mean 'log'"),
        ({"space": {"training.epochs": [1, 2]}}, "those of its rung"),
        ({"space": {"training.steps": [10, 20]}}, "those of its rung"),
        (
            {"space": {"heads.inner-distance.squared": [True, False]}},
            "do not compare values of heads",
        ),
        ({"space": {"a": {"sets": {"b": {"training": {"epochs": 2}}}}}}, "those of its rung"),
        ({"space": {"training": [{"epochs": 2}, {"epochs": 3}]}}, "those of its rung"),
        ({"space": {"training.softmax_loss_scale": [0.1, 1]}}, "Name a threshold search"),
        ({"space": {"score": [1, 2]}}, "a column of the search's table"),
        (
            {"space": {"training.batchsize": [1, 2]}, "trials": 2},
            r"hyperparameter_searches\.rates\.space \(trial 1\).*\n.*Did you mean 'batch_size'",
        ),
        ({"space": {"training.batch_size": [0, 1]}, "trials": 2}, "0 is less than the minimum"),
        (
            {"space": {"backbone_levels": [["C1", "C2"], ["C1", "C3"]]}, "trials": 2},
            r"space \(trial [12]\)\.(backbone|pyramid)_levels",
        ),
    ],
)
def test_searches_are_checked(schema, changes, message):
    with pytest.raises(UserError, match=message):
        resolved(schema, **changes)


def test_a_model_does_not_take_a_trials_name(schema):
    wrong = copy.deepcopy(TINY)
    wrong["models"]["rates-001-epochs-1"] = wrong["models"]["featurenet"]
    with pytest.raises(UserError, match="a trial of the search rates has this name"):
        validation.resolve({**wrong, "hyperparameter_searches": {"rates": SEARCH}}, schema)


# --- what continues


def diverge(study, run, folder):
    """Write what a training writes whose loss is not finite in its first step."""
    *_, model, heads, subset, seed = run.parts
    settings = studies.run_settings(study, model, heads, subset, int(seed.removeprefix("seed-")))
    writer = ProgressWriter(folder, settings)
    writer.begin(Length(2, 2), rows=[])
    writer.diverged(epoch=1, step=1, rate=0.1, losses=["loss"])


class Trainer:
    """In Snakemake's place: writes what trainings write, or fails as they do."""

    dry_run = False

    def __init__(self, folder, losses, diverging=(), failing=(), study=None):
        self.folder, self.losses, self.study = folder, losses, study
        self.diverging, self.failing = set(diverging), set(failing)
        self.asked, self.trained = [], []

    def make(self, files):
        self.asked.append(files)
        good = True
        for file in files:
            path = self.folder / file
            model = path.parts[-5] if path.name == "history.csv" else None
            if model is None or path.exists():
                continue
            trial = int(model.split("-")[1])
            self.trained.append(model)
            (path.parent / "logs").mkdir(parents=True, exist_ok=True)
            log = path.parent / "logs/train.log"
            if trial in self.diverging or trial in self.failing:
                good = False
                log.write_text("\nError: whatever\n")
                if trial in self.diverging:
                    diverge(self.study, Path(file).parent, path.parent)
                continue
            log.write_text("")
            history = pd.DataFrame({"epoch": [1, 2], "val_loss": [9.0, self.losses[trial]]})
            history.to_csv(path, index=False)
        return good


LOSSES = {1: 0.5, 2: 0.2, 3: 0.4, 4: 0.2, 5: 0.6, 6: 0.3}


def table(folder):
    return score_tables.read(folder / "results/tiny/searches/rates/trials.csv", searches.COLUMNS)


def test_the_best_go_on_and_ties_go_to_the_lower_number(schema, tmp_path, capsys):
    study = resolved(schema)
    trainer = Trainer(tmp_path, LOSSES)
    search_run.search(study, "rates", tmp_path, trainer, lambda: ["Space: as much."])
    trials = table(tmp_path)
    assert list(trials.columns[:7]) == ["search", "rung", "epochs", "trial", *SPACE]
    assert trials.loc[trials["promoted"], "trial"].tolist() == [2, 4]
    assert trials.loc[trials["rung"] == 2, "trial"].tolist() == [2, 4]
    assert trials.set_index("trial").loc[[1, 3, 5, 6], "place"].tolist() == [5, 4, 6, 3]
    # Equal losses in both rungs: fewer epochs, then the lower number.
    [best] = trials[trials["best"]].itertuples()
    assert (best.trial, best.epochs, best.model) == (2, 1, "rates-002-epochs-1")
    assert best.runs == "results/tiny/runs/rates-002-epochs-1/inner-distance+pixelwise/full/seed-0"
    out = capsys.readouterr().out
    assert "6 of 1 epoch, 2 of 3 epochs; 12 epochs in all" in out
    assert "2 of 6 enter the next rung: 2, 4" in out
    assert "in all.\nSpace: as much.\n" in out
    assert trainer.asked[-1] == ["results/tiny/searches/rates/search.png"]


def test_the_best_is_a_model_to_merge_over_the_study(schema, tmp_path):
    study = resolved(schema)
    search_run.search(study, "rates", tmp_path, Trainer(tmp_path, {**LOSSES, 4: 0.1}))
    read = yaml.safe_load((tmp_path / "results/tiny/searches/rates/best.yaml").read_text())
    again = validation.resolve(studies.merged(TINY, read), schema)
    rest = (SEARCH["heads"], "full", 0)
    expected = studies.run_settings(study, "rates-004-epochs-1", *rest)
    assert studies.run_settings(again, "featurenet-rates", *rest) == expected


def test_a_second_call_makes_nothing_again(schema, tmp_path):
    study = resolved(schema)
    diverging = Trainer(tmp_path, LOSSES, diverging=[6], study=study)
    search_run.search(study, "rates", tmp_path, diverging)
    before = table(tmp_path)
    trainer = Trainer(tmp_path, LOSSES)
    search_run.search(study, "rates", tmp_path, trainer)
    assert trainer.trained == []
    pd.testing.assert_frame_equal(table(tmp_path), before)


def test_a_trial_that_diverged_is_the_last_and_is_tried_again_with_other_settings(schema, tmp_path):
    study = resolved(schema)
    diverging = Trainer(tmp_path, LOSSES, diverging=[2, 6], study=study)
    search_run.search(study, "rates", tmp_path, diverging)
    trials = table(tmp_path)
    lost = trials[trials["diverged"]]
    assert lost["trial"].tolist() == [2, 6]
    assert lost["score"].isna().all() and lost["place"].isna().all()
    assert trials.loc[trials["promoted"], "trial"].tolist() == [3, 4]
    changed = copy.deepcopy(TINY)
    changed["training"]["clipnorm"] = 0.01
    other = validation.resolve({**changed, "hyperparameter_searches": {"rates": SEARCH}}, schema)
    trainer = Trainer(tmp_path, LOSSES)
    search_run.search(other, "rates", tmp_path, trainer)
    assert {"rates-002-epochs-1", "rates-006-epochs-1"} <= set(trainer.trained)
    assert not table(tmp_path)["diverged"].any()


def test_another_failure_decides_nothing(schema, tmp_path):
    study = resolved(schema)
    with pytest.raises(UserError, match="nothing is decided"):
        trainer = Trainer(tmp_path, LOSSES, diverging=[6], failing=[2], study=study)
        search_run.search(study, "rates", tmp_path, trainer)
    assert not (tmp_path / "results/tiny/searches/rates/trials.csv").exists()
    trainer = Trainer(tmp_path, LOSSES)
    search_run.search(study, "rates", tmp_path, trainer)
    assert trainer.trained[0] == "rates-002-epochs-1"
    assert "rates-006-epochs-1" not in trainer.trained  # known to diverge


def test_what_an_earlier_attempt_left_is_no_reason_to_give_a_trial_up(schema, tmp_path):
    """Snakemake fails before it starts anything, as it does in a locked folder."""
    study = resolved(schema)
    for trial in range(1, 7):
        [run] = searches.runs_of(study, "rates", trial, 1)
        path = Path(search_files.run_path(run))
        diverge(study, path, tmp_path / path)
    locked = Trainer(tmp_path, LOSSES)
    locked.make = lambda files: False
    with pytest.raises(UserError, match="nothing is decided"):
        search_run.search(study, "rates", tmp_path, locked)
    assert not (tmp_path / "results/tiny/searches/rates/diverged.json").exists()


def test_only_what_a_training_with_these_settings_says_gives_a_trial_up(schema, tmp_path):
    changed = copy.deepcopy(TINY)
    changed["training"]["clipnorm"] = 0.01
    other = validation.resolve({**changed, "hyperparameter_searches": {"rates": SEARCH}}, schema)
    trainer = Trainer(tmp_path, LOSSES, diverging=[6], study=other)
    with pytest.raises(UserError, match="nothing is decided"):
        search_run.search(resolved(schema), "rates", tmp_path, trainer)


def test_words_of_a_log_give_no_trial_up(schema, tmp_path):
    study = resolved(schema)
    [run] = searches.runs_of(study, "rates", 6, 1)
    folder = tmp_path / search_files.run_path(run)

    class Speaking(Trainer):
        def make(self, files):
            made = super().make(files)
            log = folder / "logs/train.log"
            log.write_text("\nError: the loss is not finite in epoch 1, step 1: loss = nan.\n")
            return made

    with pytest.raises(UserError, match="nothing is decided"):
        search_run.search(study, "rates", tmp_path, Speaking(tmp_path, LOSSES, failing=[6]))
    assert not (tmp_path / "results/tiny/searches/rates/diverged.json").exists()


def test_a_search_of_which_all_diverges_says_so(schema, tmp_path):
    study = resolved(schema)
    trainer = Trainer(tmp_path, {}, diverging=range(1, 7), study=study)
    with pytest.raises(UserError, match="no trial of rung 1 has a score"):
        search_run.search(study, "rates", tmp_path, trainer)
    assert table(tmp_path)["diverged"].all()


def test_a_dry_run_writes_nothing(schema, tmp_path):
    trainer = Trainer(tmp_path, LOSSES)
    trainer.dry_run = True
    trainer.make = lambda files: True
    search_run.search(resolved(schema), "rates", tmp_path, trainer)
    assert not (tmp_path / "results").exists()


def test_several_seeds_are_averaged_and_one_lost_is_all_lost(schema, tmp_path):
    study = resolved(schema, seed=[0, 1])
    trainer = Trainer(tmp_path, LOSSES)
    search_run.search(study, "rates", tmp_path, trainer)
    assert len(trainer.trained) == 2 * (6 + 2)
    path = tmp_path / search_files.run_path(searches.runs_of(study, "rates", 3, 1)[1])
    (path / "history.csv").write_text("epoch,val_loss\n1,0.1\n")
    search_run.search(study, "rates", tmp_path, Trainer(tmp_path, LOSSES))
    trials = table(tmp_path)
    assert trials[trials["trial"] == 3]["score"].tolist() == [pytest.approx(0.25)]


def test_there_is_no_such_search(schema, tmp_path):
    with pytest.raises(UserError, match=r"no search 'rate'\. Possible: rates"):
        search_run.search(resolved(schema), "rate", tmp_path, Trainer(tmp_path, LOSSES))


def test_scores_of_runs(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,val_loss\n1,0.3\n2,0.2\n3,0.4\n")
    assert search_scores.score(tmp_path, None, "best") == 0.2
    assert search_scores.score(tmp_path, None, "last") == 0.4
    (tmp_path / "tuning-grid").mkdir()
    (tmp_path / "tuning-grid/chosen.json").write_text('{"score": "msa", "mean": 0.6}')
    assert search_scores.score(tmp_path, "grid", "best") == 0.6
    by_type = '{"score": "msa", "mean": 0.6, "mean by cell type": 0.7}'
    (tmp_path / "tuning-grid/chosen.json").write_text(by_type)
    assert search_scores.score(tmp_path, "grid", "best") == 0.7
    (tmp_path / "history.csv").write_text("epoch,loss\n1,0.3\n")
    with pytest.raises(UserError, match=r"history\.csv cannot be read"):
        search_scores.score(tmp_path, None, "best")


def test_scores_are_ranked_both_ways():
    scores = {1: 0.5, 2: math.nan, 3: 0.9, 4: 0.5}
    assert search_scores.ranked(scores, higher=True) == [3, 1, 4]
    assert search_scores.ranked(scores, higher=False) == [1, 4, 3]


def test_of_equal_scores_the_best_is_that_of_fewer_epochs():
    def row(trial, rung, epochs):
        return search_rungs.Row("s", rung, epochs, trial, {}, "val_loss", 0.5, False, 1, False, [])

    assert search_rungs.best([row(1, 2, 3), row(2, 1, 1)]) == row(2, 1, 1)


# --- the command


def test_arguments_go_to_snakemake():
    own, rest = arguments.read(
        ["rates", "--cores", "2", "--configfile", "a.yaml", "--replace-workflow-config", "-np"]
    )
    assert (own.name, own.configfile, own.dry_run) == ("rates", ["a.yaml"], True)
    assert rest == [
        "--cores", "2", "-np", "--configfile", "a.yaml", "--replace-workflow-config"
    ]  # fmt: skip
    assert not arguments.read(["rates", "--profile", "slurm"])[0].dry_run
    with pytest.raises(UserError, match="Put the settings into a file"):
        arguments.read(["rates", "--config", "accelerator=cpu"])


FAKE = """
import signal, sys, time
from pathlib import Path
def stop(number, _frame):
    time.sleep(0.3)  # jobs have to be stopped
    Path("stopped").write_text(signal.Signals(number).name)
    sys.exit(1)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, stop)
Path("asked").write_text(" ".join(sys.argv[1:]))
time.sleep(60)
"""
CALL = """
from pathlib import Path
from cellseg.runtime.snakemake_call import Snakemake
print(Snakemake(Path.cwd(), ["--cores", "1"]).make(["a", "b"]))
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_stops_snakemake_and_then_the_search(checkout, tmp_path, name):
    """SIGTERM is passed on; SIGINT comes to both, as from a terminal."""
    (tmp_path / "snakemake.py").write_text(FAKE)
    process = subprocess.Popen(
        [sys.executable, "-c", CALL],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(checkout / "scripts")},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    asked = tmp_path / "asked"
    while not asked.exists() or not asked.read_text():  # which is opened before it is written
        assert process.poll() is None
        time.sleep(0.02)
    if name == "SIGINT":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1 and f"UserError: {name}: stopped" in said
    assert (tmp_path / "stopped").read_text() == name
    assert asked.read_text() == "a b --keep-going --cores 1"


# --- the figure


@pytest.mark.parametrize(
    ("rungs", "diverging"), [([1, 3], [2]), ([2], []), ([1, 3], [1, 2, 3, 4, 5, 6])]
)
def test_the_figure_is_drawn(schema, tmp_path, rungs, diverging):
    space = {**SPACE, "training.flips": [True, False], "training.clipnorm": [None, 0.001]}
    study = resolved(schema, rungs=rungs, space=space)
    trainer = Trainer(tmp_path, LOSSES, diverging, study=study)
    try:
        search_run.search(study, "rates", tmp_path, trainer)
    except UserError:
        assert len(diverging) == 6
    trials = table(tmp_path)
    figure = search_figure.search(trials, study["hyperparameter_searches"]["rates"])
    style.save(figure, [tmp_path / "a.png"])
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == len(space) + (trials["rung"].nunique() > 1)
    assert shown[-5].get_xlabel() == "learning rate (log scale)"
    # Every trial lies next to its own value.
    with open(tmp_path / "results/tiny/searches/rates/trials.csv", newline="") as file:
        written = {row["trial"]: row["training.flips"] for row in csv.DictReader(file)}
    at = search_figure._beside(trials, "training.flips", ["true", "false"])
    for trial, place in zip(trials["trial"], at, strict=True):
        assert round(place) == ["true", "false"].index(written[str(trial)])


def test_losses_of_several_orders_are_drawn_on_a_log_scale(schema, tmp_path):
    study = resolved(schema)
    search_run.search(study, "rates", tmp_path, Trainer(tmp_path, {**LOSSES, 5: 40.0}))
    figure = search_figure.search(table(tmp_path), study["hyperparameter_searches"]["rates"])
    assert figure.axes[0].get_yscale() == "log"
