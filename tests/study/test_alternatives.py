"""Alternative settings of a training: the innermost one that is given takes the other's place."""

import copy

import pytest
import yaml

from cellseg.errors import UserError
from cellseg.study import runs, validation
from workflow_runner import TINY

KEYS = ("clipnorm", "global_clipnorm")


@pytest.fixture(scope="module")
def schema(checkout):
    return yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())


def study(schema: dict, of_study: dict, of_model: dict, **more) -> dict:
    given = {**copy.deepcopy(TINY), **more}
    given["training"] |= of_study
    given["models"]["featurenet"]["training"] = of_model
    return validation.resolve(given, schema)


@pytest.mark.parametrize(
    ("of_study", "of_model", "expected"),
    [
        ({}, {}, (0.001, None)),
        ({"clipnorm": 0.5}, {}, (0.5, None)),
        ({"global_clipnorm": 0.5}, {}, (None, 0.5)),
        ({"global_clipnorm": None}, {}, (0.001, None)),
        ({"clipnorm": None}, {}, (None, None)),
        ({"clipnorm": None, "global_clipnorm": 0.5}, {}, (None, 0.5)),
        ({}, {"global_clipnorm": 2}, (None, 2)),
        ({"global_clipnorm": 0.5}, {"clipnorm": 2}, (2, None)),
        ({"global_clipnorm": 0.5}, {"clipnorm": None}, (None, 0.5)),
        ({"clipnorm": 0.5}, {"clipnorm": None, "global_clipnorm": None}, (None, None)),
    ],
)
def test_what_a_network_is_trained_with(schema, of_study, of_model, expected):
    complete = study(schema, of_study, of_model)
    settings = runs.run_settings(complete, "featurenet", "fgbg", "full", 0)
    assert tuple(settings["training"][key] for key in KEYS) == expected


@pytest.mark.parametrize(
    ("of_study", "of_model", "where"),
    [
        ({"clipnorm": 1, "global_clipnorm": 2}, {}, "training"),
        ({}, {"clipnorm": 1, "global_clipnorm": 2}, r"models\.featurenet\.training"),
    ],
)
def test_both_exclude_each_other(schema, of_study, of_model, where):
    message = rf"^{where}: clipnorm \(1, .* global_clipnorm \(2, .* Set one of them to null"
    with pytest.raises(UserError, match=message):
        study(schema, of_study, of_model)


def test_trials_of_a_search_take_the_norm_of_their_space(schema):
    search = {
        "title": "Which norm?",
        "model": "featurenet",
        "heads": "fgbg",
        "subset": "full",
        "trials": "all",
        "rungs": [1],
        "space": {"training.global_clipnorm": [0.5, 2]},
    }
    complete = study(schema, {"clipnorm": 1}, {}, hyperparameter_searches={"norms": search})
    for trial, expected in (("norms-001-epochs-1", 0.5), ("norms-002-epochs-1", 2)):
        training = runs.training_of(complete, trial)
        assert (training["clipnorm"], training["global_clipnorm"]) == (None, expected)
    search["space"]["training.clipnorm"] = [1]
    with pytest.raises(UserError, match=r"norms.space \(trial 1\).training: clipnorm"):
        study(schema, {}, {}, hyperparameter_searches={"norms": search})


LENGTH = ("epochs", "steps")


@pytest.mark.parametrize(
    ("of_study", "of_model", "expected"),
    [
        ({}, {}, (50, None)),
        ({"steps": 400}, {}, (None, 400)),
        ({"epochs": 9}, {"steps": 400}, (None, 400)),
        ({"steps": 400}, {"epochs": 9}, (9, None)),
        ({"steps": 400}, {"steps": 30}, (None, 30)),
        ({"steps": None}, {}, (50, None)),
        ({"epochs": None, "steps": 400}, {"epochs": 9, "steps": None}, (9, None)),
    ],
)
def test_how_long_a_network_is_trained(schema, of_study, of_model, expected):
    given = copy.deepcopy(TINY)
    del given["training"]["epochs"]
    given["training"] |= of_study
    given["models"]["featurenet"]["training"] = of_model
    complete = validation.resolve(given, schema)
    settings = runs.run_settings(complete, "featurenet", "fgbg", "full", 0)
    assert tuple(settings["training"][key] for key in LENGTH) == expected


@pytest.mark.parametrize(
    ("of_study", "of_model", "message"),
    [
        (
            {"epochs": 2, "steps": 3},
            {},
            r"^training: epochs \(2, .*steps \(3, .*exclude each other",
        ),
        ({}, {"epochs": 2, "steps": 3}, r"^models\.featurenet\.training: epochs \(2, "),
        ({"epochs": None}, {}, r"^training: epochs or steps is missing.*Give one of them"),
        ({}, {"epochs": None}, r"^models\.featurenet\.training: epochs or steps is missing"),
        (
            {"epochs": 5},
            {"epochs": None, "steps": None},
            r"^models\.featurenet\.training: epochs or",
        ),
    ],
)
def test_a_length_is_given_once(schema, of_study, of_model, message):
    with pytest.raises(UserError, match=message):
        study(schema, of_study, of_model)


def test_rungs_of_a_search_take_the_place_of_steps(schema):
    search = {
        "title": "Which rate?",
        "model": "featurenet",
        "heads": "fgbg",
        "subset": "full",
        "trials": "all",
        "rungs": [1, 3],
        "space": {"training.learning_rate": [0.001]},
    }
    of_study = {"epochs": None, "steps": 40, "steps_per_epoch": 10}
    searched = {"hyperparameter_searches": {"rates": search}}
    complete = study(schema, of_study, {"steps": 70}, **searched)
    for rung in (1, 3):
        training = runs.training_of(complete, f"rates-001-epochs-{rung}")
        assert [training[key] for key in (*LENGTH, "steps_per_epoch")] == [rung, None, 10]
    search["space"] = {"training.steps": [5, 10]}
    with pytest.raises(UserError, match=r"space\.training\.steps: .*rungs.*steps_per_epoch"):
        study(schema, {}, {}, **searched)
