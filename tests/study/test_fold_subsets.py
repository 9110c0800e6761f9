"""Subsets of folds: what replaces them, where runs are scored, and what is refused."""

import copy

import pytest
import yaml

from cellseg.errors import UserError
from cellseg.io import fold_networks
from cellseg.study import folds, runs, starts, validation
from workflow_runner import TINY


@pytest.fixture
def resolved(checkout):
    schema = yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())

    def complete(subsets, conditions=("five",), figures=(), **more):
        study = copy.deepcopy(TINY)
        study["subsets"] = {"full": {}, **subsets}
        study["experiments"] = {
            "folds": {
                "title": "Held out?",
                "figures": list(figures),
                "conditions": [
                    {"model": "featurenet", "heads": "fgbg", "subset": name, "seed": [0, 1]}
                    for name in conditions
                ],
            }
        }
        return validation.resolve({**study, **more}, schema)

    return complete


FIVE = {"five": {"folds": {"count": 5}}}
TOGETHER = {"count": 5, "images": "training", "validation": "held-out", "scored": "split",
            "ensemble": True}  # fmt: skip


def test_a_subset_of_folds_stands_for_one_of_each(resolved):
    study = resolved(FIVE)
    names = [f"five-fold-{number}" for number in range(1, 6)]
    assert list(study["subsets"]) == ["full", *names]
    assert [study["subsets"][name]["folds"]["fold"] for name in names] == [1, 2, 3, 4, 5]
    found = runs.all_runs(study)
    assert {run.subset for run in found} == set(names) and len(found) == 10
    assert found[0].folder.endswith("featurenet/fgbg/five-fold-1/seed-0")


def test_one_fold_keeps_its_name(resolved):
    study = resolved({"second": {"folds": {"count": 5, "fold": 2}}}, ["second"])
    assert {run.subset for run in runs.all_runs(study)} == {"second"}
    assert folds.of_experiment(study, "folds") == {"second": "second"}


def test_folds_are_pooled_under_the_name_of_the_subset(resolved):
    study = resolved(FIVE)
    names = {f"five-fold-{number}": "five" for number in range(1, 6)}
    assert folds.of_experiment(study, "folds") == names
    assert {folds.scored_split(study, name) for name in names} == {folds.POOLED}
    assert folds.scored_split(study, "full") == "test"


def test_settings_of_a_run_say_its_fold_and_not_where_it_is_scored(resolved):
    for_training = {"count": 5, "images": "training", "validation": "held-out"}
    settings = [
        runs.run_settings(
            resolved({"five": {"folds": {**for_training, "scored": scored}}}),
            *("featurenet", "fgbg", "five-fold-2", 0),
        )["subset"]
        for scored in ("held-out", "split")
    ]
    assert settings[0] == settings[1] and settings[0]["folds"]["fold"] == 2
    plain = runs.run_settings(resolved(FIVE), "featurenet", "fgbg", "full", 0)
    assert "folds" not in plain["subset"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": 2}, r"folds.count: .*Ask for three or more"),
        ({"count": 5, "fold": 6}, "folds.fold: 6 of 5 folds"),
        ({"count": 5, "scored": "split"}, r"folds.scored: .*images: training"),
        ({"count": 5, "scored": "split", "images": "training"}, r"validation: held-out"),
        ({"count": 5, "ensemble": True}, "folds.ensemble: .*Set `scored: split`"),
        ({**TOGETHER, "fold": 2}, "folds.ensemble: .*name no `fold`"),
        ({"count": 5, "group": "plate"}, "'plate' is not possible. Possible: well, null"),
        ({"counts": 5}, "there is no key 'counts'"),
    ],
)
def test_folds_that_contradict_themselves_are_refused(resolved, given, message):
    with pytest.raises(UserError, match=message):
        resolved({"five": {"folds": given}})


@pytest.mark.parametrize(
    ("subsets", "more", "message"),
    [
        ({"five": {"validation": "by-well", **FIVE["five"]}}, {}, "Remove `validation`"),
        ({"five": {"scored": "seeded", **FIVE["five"]}}, {}, "Remove `scored`"),
        ({**FIVE, "five-fold-3": {}}, {}, r"subsets.five-fold-3: .*Rename one"),
        (FIVE, {"conditions": ["five", "full"]}, "Make two experiments of them"),
        (FIVE, {"conditions": ["six"]}, "six"),
        ({"my-all-folds": {}}, {"conditions": ["my-all-folds"]}, "my-all-folds: names that end in"),
        (FIVE, {"figures": ["contact-sheet"]}, "contact-sheet compares runs on the same images"),
    ],
)
def test_what_folds_do_not_go_with_is_refused(resolved, subsets, more, message):
    with pytest.raises(UserError, match=message):
        resolved(subsets, **more)


def test_a_search_on_all_folds_is_refused(resolved):
    search = {
        "title": "Which rate?", "model": "featurenet", "heads": "fgbg", "subset": "five",
        "trials": "all", "rungs": [1, 2], "space": {"training.learning_rate": [0.01, 0.001]},
    }  # fmt: skip
    with pytest.raises(UserError, match=r"five is 5 folds. Name one, such as five-fold-1"):
        resolved(FIVE, hyperparameter_searches={"rates": search})


def test_the_networks_of_all_folds_are_one_more_subset(resolved):
    study = resolved({"five": {"folds": TOGETHER}})
    assert list(study["subsets"])[1:] == [
        *(f"five-fold-{n}" for n in range(1, 6)),
        "five-all-folds",
    ]
    joined = [run for run in runs.all_runs(study) if run.is_joined]
    assert [(run.subset, run.seed) for run in joined] == [
        ("five-all-folds", 0),
        ("five-all-folds", 1),
    ]
    assert folds.members(study, joined[1]) == [
        runs.Run("tiny", "featurenet", "fgbg", f"five-fold-{n}", 1) for n in range(1, 6)
    ]
    assert all(folds.members(study, run) == [] for run in runs.trained_runs(study, "folds"))
    assert set(runs.trained_runs(study, "folds")) == set(runs.all_runs(study)) - set(joined)
    assert folds.scored_split(study, "five-all-folds") == "test"
    assert runs.sample_of(study, "five-all-folds", 0) is None
    assert folds.of_experiment(study, "folds") == {}


def test_asking_for_them_together_trains_nothing_again(resolved):
    of_run = "featurenet", "fgbg", "five-fold-2", 0
    apart = resolved({"five": {"folds": {**TOGETHER, "ensemble": False}}})
    together = resolved({"five": {"folds": TOGETHER}})
    assert runs.run_settings(apart, *of_run) == runs.run_settings(together, *of_run)
    assert "five-all-folds" not in apart["subsets"]
    settings = runs.run_settings(together, "featurenet", "fgbg", "five-all-folds", 0)
    assert fold_networks.names(settings) == [f"fold-{n}" for n in range(1, 6)]
    assert fold_networks.names(runs.run_settings(together, *of_run)) == []
    assert fold_networks.names(runs.run_settings(together, "featurenet", "fgbg", "full", 0)) == []


def test_they_are_made_of_their_folds_wherever_those_are_asked_for(resolved):
    study = resolved({"five": {"folds": TOGETHER}}, ["five-all-folds"])
    found = starts.with_sources(study, runs.all_runs(study))
    assert {run.subset for run in found} == {
        "five-all-folds",
        *(f"five-fold-{n}" for n in range(1, 6)),
    }


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"family": "unet", "ensemble": "cell-type"}, "models.odd has several in each fold"),
        ({"family": "labels", "path": "given"}, "models.odd has none in each fold"),
        ({"family": "unet", "start_from": {"model": "featurenet", "subset": "five-all-folds"}},
         "start_from.subset: 'five-all-folds' holds the networks of all folds"),
    ],
)  # fmt: skip
def test_models_that_do_not_go_together_are_refused(resolved, model, message):
    heads = "external" if model["family"] == "labels" else "fgbg"
    block = {"model": "odd", "heads": heads, "subset": "five", "seed": 0}
    experiments = {"one": {"title": "?", "figures": [], "conditions": [block]}}
    models = {**TINY["models"], "odd": model}
    with pytest.raises(UserError, match=message):
        resolved({"five": {"folds": TOGETHER}}, models=models, experiments=experiments)
