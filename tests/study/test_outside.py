"""Models of family `labels` in a configuration."""

import copy
from pathlib import Path

import pytest
import yaml

from cellseg.errors import UserError
from cellseg.study import outside, runs, validation


@pytest.fixture(scope="module")
def schema() -> dict:
    checkout = Path(__file__).resolve().parents[2]
    return yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())


def study(conditions, models, **changes) -> dict:
    return {
        "dataset": "cells",
        "datasets": {"cells": {"kind": "simulated"}},
        "models": {"net": {"family": "unet"}, **models},
        "subsets": {"full": {}, "half": {"fraction": 0.5}},
        "threshold_searches": {"grid": {"maxima_threshold": [0.1, 0.2]}},
        "experiments": {
            "first": {"title": "A title", "conditions": conditions, "figures": ["errors"]},
        },
        **changes,
    }


CELLPOSE = {"family": "labels", "path": "predictions/cellpose"}
OUTSIDE = {"model": "cellpose", "heads": "external", "subset": "full", "seed": 0}
TRAINED = {"model": "net", "heads": "fgbg", "subset": "full", "seed": 0}


def resolved(schema, conditions, models=None, **changes):
    return validation.resolve(
        study(conditions, models or {"cellpose": CELLPOSE}, **changes), schema
    )


def test_trained_and_outside_runs_in_one_experiment(schema):
    made = resolved(schema, [TRAINED, OUTSIDE])
    trained, external = runs.runs_of(made, "first")
    assert external.folder == "cells/runs/cellpose/external/full/seed-0"
    assert external.is_external and not trained.is_external
    assert runs.trained_runs(made, "first") == [trained]
    assert outside.files_of(made, external) == {"path": "predictions/cellpose", "scores": None}


def test_a_threshold_search_leaves_them_as_they_are(schema):
    content = study([TRAINED, OUTSIDE], {"cellpose": CELLPOSE})
    content["experiments"]["first"]["threshold_search"] = "grid"
    made = validation.resolve(content, schema)
    variants = {run.model: variant for run, variant in runs.all_variants(made)}
    assert variants == {"net": "tuning-grid/", "cellpose": ""}


def test_placeholders_tell_several_predictions_apart(schema):
    model = {"family": "labels", "path": "p/{subset}/seed-{seed}", "scores": "p/{seed}.csv"}
    made = resolved(
        schema, [{**OUTSIDE, "seed": [0, 1], "subset": ["full", "half"]}], {"cellpose": model}
    )
    files = [outside.files_of(made, run) for run in runs.runs_of(made, "first")]
    assert files[0] == {"path": "p/full/seed-0", "scores": "p/0.csv"}
    assert len({one["path"] for one in files}) == 4


def test_folds_share_predictions_of_which_each_scores_its_own(schema):
    folds = {"count": 3}
    made = resolved(schema, [{**OUTSIDE, "subset": "three"}], subsets={"three": {"folds": folds}})
    found = runs.runs_of(made, "first")
    assert {outside.files_of(made, run)["path"] for run in found} == {"predictions/cellpose"}
    samples = [runs.sample_of(made, run.subset, run.seed)["folds"]["fold"] for run in found]
    assert samples == [1, 2, 3]


@pytest.mark.parametrize(
    ("condition", "model", "expected"),
    [
        ({"heads": "fgbg"}, {}, "Heads 'external' and models of family labels belong together"),
        ({"model": "net"}, {}, "Heads 'external' and models of family labels belong together"),
        ({"seed": [0, 1]}, {}, "would be the same predictions, predictions/cellpose"),
        ({}, {"path": "p/{model}"}, r"models.cellpose.path: there is no placeholder \{model\}"),
        ({}, {"path": "p/{"}, "models.cellpose.path: .* Write {{ for a brace"),
        ({}, {"scores": "p/{0}"}, r"models.cellpose.scores: there is no placeholder \{0\}"),
        ({}, {"path": "p/{seed:{a}}"}, r"path: p/\{seed:\{a\}\} cannot be filled in"),
        ({}, {"scores": "p/{subset:d}"}, "models.cellpose.scores: .* cannot be filled in"),
        ({}, {"path": ""}, "models.cellpose.path: the path is empty"),
        ({}, {"width": 4}, "models.cellpose: there is no key 'width'"),
        ({"heads": "externl"}, {}, "'externl' is not one of"),
    ],
)
def test_what_does_not_fit_is_refused(schema, condition, model, expected):
    with pytest.raises(UserError, match=expected):
        resolved(schema, [{**OUTSIDE, **condition}], {"cellpose": {**CELLPOSE, **model}})


def test_figures_of_trainings_are_refused_without_any(schema):
    content = study([OUTSIDE], {"cellpose": CELLPOSE})
    content["experiments"]["first"]["figures"] = ["errors", "learning-curves"]
    with pytest.raises(UserError, match="learning-curves shows what networks were trained on"):
        validation.resolve(copy.deepcopy(content), schema)
    content["experiments"]["first"]["conditions"] = [OUTSIDE, TRAINED]
    validation.resolve(content, schema)


def test_a_search_trains_nothing_of_them(schema):
    search = {"title": "Which rate?", "model": "cellpose", "heads": "external", "subset": "full",
              "trials": 2, "rungs": [1], "space": {"width": [1, 2]}}  # fmt: skip
    with pytest.raises(UserError, match=r"hyperparameter_searches.rates.*has nothing to train"):
        resolved(schema, [OUTSIDE], hyperparameter_searches={"rates": search})


def test_missing_predictions_are_refused_before_anything_is_trained(schema, tmp_path):
    model = {**CELLPOSE, "path": str(tmp_path / "cells")}
    made = resolved(schema, [TRAINED, OUTSIDE], {"cellpose": model})
    every = runs.all_runs(made)
    with pytest.raises(UserError, match=r"models.cellpose.path: .*cells does not exist"):
        outside.refuse_missing(made, every)
    (tmp_path / "cells").mkdir()
    outside.refuse_missing(made, every)


def test_content_changes_with_the_files_and_outlives_them(schema, tmp_path):
    folder = tmp_path / "cells"
    folder.mkdir()
    made = resolved(schema, [OUTSIDE], {"cellpose": {**CELLPOSE, "path": str(folder)}})
    [run] = runs.all_runs(made)
    memory = tmp_path / "memory.json"

    def content():
        return outside.content(made, run, memory)

    (folder / "a.tif").write_bytes(b"one")
    first = content()
    (folder / "a.tif").touch()
    assert content() == first
    (folder / "b.tif").write_bytes(b"two")
    assert content() not in (first, None)
    last = content()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert content() == last
