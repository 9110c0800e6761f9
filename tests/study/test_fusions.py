"""Models of family `fusion` in a configuration."""

from pathlib import Path

import pytest
import yaml

from cellseg.errors import UserError
from cellseg.jobs.steps import steps_of
from cellseg.study import fusion_checks, fusions, runs, starts, validation

DETECTOR = {"family": "centermask", "preset": "small", "training": {"tiling": "crops"}}
FUSED = {"model": "fused", "heads": "instances", "subset": "full", "seed": 0}


@pytest.fixture(scope="module")
def schema() -> dict:
    checkout = Path(__file__).resolve().parents[2]
    return yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())


def resolved(schema, members, conditions=None, **changes) -> dict:
    study = {
        "dataset": "cells",
        "datasets": {"cells": {"kind": "simulated"}},
        "tilings": {"cut-256": {"mode": "cut", "size": 256},
                    "crops": {"mode": "crop", "size": 64}},
        "models": {"one": DETECTOR, "two": DETECTOR, "net": {"family": "unet"},
                   "fused": {"family": "fusion", "members": members}},
        "subsets": {"full": {}, "half": {"fraction": 0.5, "scored": "seeded"}},
        "experiments": {"first": {"title": "A title", "conditions": conditions or [FUSED],
                                  "figures": ["errors"]}},
        **changes,
    }  # fmt: skip
    return validation.resolve(study, schema)


def test_members_are_runs_of_the_same_images_that_are_trained_first(schema):
    members = [{"model": "one", "seed": [0, 1]}, {"model": "two", "weight": 2}]
    made = resolved(schema, members, [{**FUSED, "seed": 5}])
    [run] = runs.runs_of(made, "first")
    found = fusions.members_of(made, run)
    assert [(one.run.model, one.run.seed, one.weight) for one in found] == [
        ("one", 0, 1), ("one", 1, 1), ("two", 5, 2)]  # fmt: skip
    assert {(one.run.dataset, one.run.heads, one.run.subset) for one in found} == {
        ("cells", "instances", "full")
    }
    assert fusions.settings_of(made, run) == {"iou": 0.5, "weights": [1.0, 1.0, 2.0]}
    assert starts.with_sources(made, [run]) == sorted([run, *(one.run for one in found)])
    assert runs.trained_runs(made, "first") == [] and not runs.is_trained(made, run)
    steps = steps_of(run, ["", "tuning-grid/"], fused=True)
    assert [step.rule for step in steps] == [
        "fuse", "paint", "score", "fuse_validation", "tune", "paint", "score"]  # fmt: skip


TWO = [{"model": "one"}, {"model": "two"}]


@pytest.mark.parametrize(
    ("members", "condition", "expected"),
    [
        (TWO, {"heads": "fgbg"}, "fuses detections. Its heads are `instances`"),
        ([{"model": "one"}], {}, "fused of 1 different runs, out of 1. Name at least two"),
        ([{"model": "one"}, {"model": "one", "seed": 0}], {}, "1 different runs, out of 2"),
        ([{"model": "one"}, {"model": "net"}], {}, "is of family unet, whose runs hold no det"),
        ([{"model": "one"}, {"model": "fused"}], {}, "is of family fusion, whose runs hold no"),
        ([{"model": "one"}, {"model": "tow"}], {}, r"members\[1\].model: 'tow'"),
        ([{"model": "one", "seed": [0, 1]}], {"subset": "half"}, "drawn by the seed"),
        ([{"model": "one", "seed": [0, 1]}], {"seed": [0, 1]}, "fused of the same runs. Ask for"),
    ],
)
def test_what_cannot_be_fused_is_refused(schema, members, condition, expected):
    with pytest.raises(UserError, match=expected):
        resolved(schema, members, [{**FUSED, **condition}])


@pytest.mark.parametrize(
    ("model", "subset", "expected"),
    [
        ({"ensemble": "cell-type"}, "full", "models.two has a network for each cell type"),
        ({}, "five-all-folds", None),
        ({}, "full", None),
    ],
)
def test_members_with_networks_by_cell_type_are_not_exported(schema, model, subset, expected):
    """Said in the plan, before anything is trained."""
    folds = {"count": 5, "validation": "held-out", "scored": "split", "ensemble": True,
             "images": "training"}  # fmt: skip
    made = resolved(
        schema, TWO, [{**FUSED, "subset": "full" if model else subset}],
        subsets={"full": {}, "five": {"folds": folds}},
        models={"one": DETECTOR, "two": {**DETECTOR, **model},
                "fused": {"family": "fusion", "members": TWO}},
    )  # fmt: skip
    [run] = runs.runs_of(made, "first")
    if expected is None:
        fusion_checks.check_export(made, run)
        return
    with pytest.raises(UserError, match=f"models.fused.members: .*{expected}"):
        fusion_checks.check_export(made, run)


@pytest.mark.parametrize(
    ("model", "subset", "expected"),
    [
        ({"ensemble": "cell-type"}, "full", "models.one.ensemble: models.one has a network for"),
        ({}, "five-all-folds", None),
        ({}, "five-fold-1", None),
    ],
)
def test_runs_with_networks_by_cell_type_are_not_exported(schema, model, subset, expected):
    """Of one model; said in the plan, too."""
    folds = {"count": 5, "validation": "held-out", "scored": "split", "ensemble": True,
             "images": "training"}  # fmt: skip
    made = resolved(
        schema, TWO, [{**FUSED, "model": "other"}],
        subsets={"full": {}, "five": {"folds": folds}},
        models={"one": {**DETECTOR, **model}, "other": DETECTOR},
    )  # fmt: skip
    run = runs.Run("cells", "one", "instances", subset, 0)
    if expected is None:
        fusion_checks.check_export(made, run)
        return
    with pytest.raises(UserError, match=expected):
        fusion_checks.check_export(made, run)


def test_nothing_starts_from_them_and_no_search_trains_them(schema):
    models = {"one": DETECTOR, "two": DETECTOR, "fused": {"family": "fusion", "members": TWO},
              "net": {"family": "unet", "start_from": {"model": "fused"}}}  # fmt: skip
    with pytest.raises(UserError, match="'fused' is of family fusion, which has no network"):
        resolved(schema, TWO, models=models)
    search = {"title": "?", "model": "fused", "heads": "instances", "subset": "full",
              "trials": "all", "rungs": [1],
              "space": {"training.learning_rate": [0.1]}}  # fmt: skip
    with pytest.raises(UserError, match="fusion, which has nothing to train"):
        resolved(schema, TWO, hyperparameter_searches={"rates": search})


def test_settings_that_members_cannot_be_trained_with_are_refused(schema):
    models = {"one": {"family": "centermask"}, "two": DETECTOR,
              "fused": {"family": "fusion", "members": TWO}}  # fmt: skip
    with pytest.raises(UserError, match=r"models\.one\.training\.tiling: family centermask"):
        resolved(schema, TWO, models=models)
