"""Subsets with pseudo-labels: the run that finds the cells, and what is refused before training."""

from pathlib import Path

import pytest
import yaml

from cellseg.errors import UserError
from cellseg.study import pseudo_labels, runs, starts
from cellseg.study.runs import Run
from cellseg.study.validation import resolve

HEADS = "inner-distance+fgbg"
ENTRY = {"images": "unlabelled", "model": "unet", "heads": HEADS, "subset": "full"}
TRAINING = {"count": 3, "images": "training", "validation": "held-out", "scored": "split",
            "ensemble": True}  # fmt: skip


@pytest.fixture(scope="module")
def schema():
    path = Path(__file__).resolve().parents[2] / "workflow/schemas/config.schema.yaml"
    return yaml.safe_load(path.read_text())


def study(schema, entry=None, own=None, others=None, seed=3, **more):
    """One run on the subset `more`, whose other settings are `own`."""
    config = {
        "dataset": "mine",
        "datasets": {"mine": {"kind": "simulated"}, "second": {"kind": "simulated"}},
        "models": {
            "unet": {"family": "unet", "width": 4},
            "many": {"family": "unet", "ensemble": "cell-type"},
            "outside": {"family": "labels", "path": "given"},
            **more.pop("models", {}),
        },
        "threshold_searches": {"grid": {"maxima_threshold": [0.1]}},
        "subsets": {
            "full": {},
            **(others or {}),
            "more": {**(own or {}), "pseudo_labels": {**ENTRY, **(entry or {})}},
        },
        "experiments": {
            "one": {
                "title": "?",
                "figures": [],
                "conditions": [
                    {"model": more.pop("model", "unet"), "heads": HEADS, "subset": "more",
                     "seed": seed}
                ],
            }
        },
        **more,
    }  # fmt: skip
    return resolve(config, schema)


OWN = Run("mine", "unet", HEADS, "more", 3)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, Run("mine", "unet", HEADS, "full", 3)),
        ({"seed": 0}, Run("mine", "unet", HEADS, "full", 0)),
        (
            {"dataset": "second", "heads": "pixelwise"},
            Run("second", "unet", "pixelwise", "full", 3),
        ),
    ],
)
def test_the_run_that_finds_the_cells_is_needed_first(schema, entry, expected):
    made = study(schema, entry)
    assert pseudo_labels.teacher(made, OWN) == expected
    assert starts.with_sources(made, runs.all_runs(made)) == sorted([OWN, expected])
    assert pseudo_labels.teacher(made, expected) is None


def test_other_subsets_have_the_settings_that_they_had(schema):
    settings = runs.run_settings(study(schema), "unet", HEADS, "full", 3)
    assert "pseudo_labels" not in settings["subset"]
    settings = runs.run_settings(study(schema), "unet", HEADS, "more", 3)
    assert settings["subset"]["pseudo_labels"]["confidence"] == 0.8


def test_a_fold_learns_of_the_run_of_the_same_fold(schema):
    folds = {"folds": {"count": 3}}
    made = study(schema, {"subset": "three"}, folds, {"three": folds})
    taught = {run.subset: pseudo_labels.teacher(made, run).subset for run in runs.all_runs(made)}
    assert taught == {f"more-fold-{n}": f"three-fold-{n}" for n in (1, 2, 3)}
    together = {"folds": TRAINING}
    made = study(schema, {"subset": "three"}, together, {"three": together})
    needed = {run.subset for run in starts.with_sources(made, runs.all_runs(made))}
    folds_of = [f"{name}-fold-{n}" for name in ("more", "three") for n in (1, 2, 3)]
    assert needed == {"more-all-folds", *folds_of}  # those together of `three` are not needed


REFUSED = {
    "model": ({"model": "unte"}, {}, {}, "subsets.more.pseudo_labels.model.*unet"),
    "subset": ({"subset": "fall"}, {}, {}, "subsets.more.pseudo_labels.subset.*full"),
    "data set": ({"dataset": "mein"}, {}, {}, "pseudo_labels.dataset.*mine"),
    "search": ({"threshold_search": "gird"}, {}, {}, "pseudo_labels.threshold_search.*grid"),
    "no network": ({"model": "outside"}, {}, {}, "family labels, which has no network"),
    "ensemble": ({"model": "many"}, {}, {}, "types of unlabelled images are not known"),
    "heads": ({"heads": "fgbk"}, {}, {}, "pseudo_labels.heads.*fgbg"),
    "distances": ({"heads": "inner-distance+outer-distance"}, {}, {},
                  "mean outer-distance, which is no probability. Name heads with fgbg"),
    "itself": ({"subset": "more"}, {}, {}, "needs .*/more/seed-3: a circle"),
    "each other": ({"subset": "other"}, {},
                   {"other": {"pseudo_labels": {**ENTRY, "subset": "more"}}},
                   "more/seed-3 needs .*other/seed-3 needs .*more/seed-3: a circle"),
    "folds without": ({}, {"folds": {"count": 3, "fold": 1}}, {},
                      "'full' has other folds than 'more'.*Give both the same `folds`"),
    "other fold": ({"subset": "two"}, {"folds": {"count": 3, "fold": 1}},
                   {"two": {"folds": {"count": 3, "fold": 2}}}, "'two' has other folds"),
    "other deal": ({"subset": "two"}, {"folds": {"count": 3}},
                   {"two": {"folds": {"count": 3, "seed": 1}}}, "has other folds than"),
    "another count": ({"subset": "two"}, {"folds": {"count": 3}}, {"two": {"folds": {"count": 4}}},
                      "more-fold-1.pseudo_labels.subset: 'two' is 4 folds, and this one of 3"),
    "all of the folds": ({"subset": "two"}, {}, {"two": {"folds": {"count": 4}}},
                         "more.pseudo_labels.subset: 'two' is 4 folds. Name one, such as two-fo"),
    "no folder": ({"images": ""}, {}, {}, "more.pseudo_labels.images: the path is empty"),
    "without folds": ({"subset": "two"}, {}, {"two": {"folds": {"count": 3, "fold": 2}}},
                      "'two' has other folds than 'more'"),
    "all folds": ({"subset": "two-all-folds"}, {}, {"two": {"folds": TRAINING}},
                  "trained on the validation images of more. Name one fold"),
    "wells": ({}, {"validation": "by-well"}, {}, "'full' has validation official, and 'more' by-w"),
    "seed of wells": ({"subset": "two", "seed": 1}, {"validation": "by-well"},
                      {"two": {"validation": "by-well"}}, "seed.*1 draws others than 3"),
    "types of wells": ({"subset": "two"}, {"validation": "by-well"},
                       {"two": {"validation": "by-well", "cell_types": ["BV2"]}},
                       "Give both the same `cell_types`"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_learnt_from_is_refused(schema, name):
    entry, own, others, why = REFUSED[name]
    with pytest.raises(UserError, match=why):
        study(schema, entry, own, others)


def test_what_is_allowed_elsewhere(schema):
    """Of another data set, no image is validated with here."""
    study(schema, {"dataset": "second", "subset": "two-all-folds"}, {},
          {"two": {"folds": TRAINING}})  # fmt: skip
    study(schema, {"subset": "two"}, {"validation": "by-well"}, {"two": {"validation": "by-well"}})


def test_an_ensemble_cannot_learn_images_of_unknown_type(schema):
    with pytest.raises(UserError, match=r"models.many is an ensemble.*without pseudo-labels"):
        study(schema, model="many")


def test_thresholds_are_not_chosen_on_scored_images(schema):
    entry = {"threshold_search": "grid"}
    study(schema, entry)
    with pytest.raises(
        UserError, match=r"pseudo_labels.threshold_search: thresholds are chosen on"
    ):
        study(schema, entry, scoring={"data_split": "val"})


def test_a_circle_through_a_start_is_named(schema):
    started = {"family": "unet", "width": 4, "start_from": {"model": "unet", "subset": "more"}}
    with pytest.raises(UserError, match=r"subsets.more.pseudo_labels: .*: a circle"):
        study(schema, {"model": "started"}, models={"started": started})


def test_cells_found_with_knowledge_of_the_scored_images_are_refused(schema):
    """By way of a run on another data set."""
    started = {"family": "unet", "width": 4,
               "start_from": {"model": "unet", "dataset": "mine", "subset": "all-one"}}  # fmt: skip
    folds = {"all-one": {"folds": {"count": 3, "fold": 1}}}
    with pytest.raises(
        UserError, match=r"more.pseudo_labels: mine/.*/all-one/.* was trained on im"
    ):
        study(schema, {"model": "started", "dataset": "second"}, others=folds,
              models={"started": started})  # fmt: skip


@pytest.mark.parametrize(
    ("figure", "types", "refused"),
    [("data-size", [], True), ("transfer", ["BV2"], True), ("transfer", [], False)],
)
def test_figures_that_go_by_annotated_images_are_refused(schema, figure, types, refused):
    block = {"model": "unet", "heads": HEADS, "subset": ["full", "more"], "seed": 0}
    one = {"title": "?", "figures": [figure], "conditions": [block]}
    own = {"cell_types": types}
    if not refused:
        study(schema, own=own, experiments={"one": one})
        return
    with pytest.raises(UserError, match=f"experiments.one.figures: {figure} goes by annotated"):
        study(schema, own=own, experiments={"one": one})


def test_a_missing_folder_is_named(schema, tmp_path):
    made = study(schema, {"images": str(tmp_path / "none")})
    with pytest.raises(UserError, match=r"subsets.more.pseudo_labels.images: .*none is no folder"):
        pseudo_labels.refuse_missing(made, "more")
    assert pseudo_labels.files(tmp_path / "none") == []
    made = study(schema, {"images": str(tmp_path)})
    with pytest.raises(UserError, match=r"pseudo_labels.images: .* holds no images"):
        pseudo_labels.refuse_missing(made, "more")
    labels = {split: str(tmp_path / "labels") for split in ("train", "val", "test")}
    local = {"kind": "local", "images": str(tmp_path), "labels": labels}
    for name in ("labels/a.png", "new/b.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    made = study(schema, {"images": str(tmp_path)}, datasets={"mine": local})
    found = pseudo_labels.files(tmp_path, pseudo_labels.without(made["datasets"]))
    assert found == [tmp_path / "new/b.png"]  # label images are no images
    made = study(schema, {"images": "~/cells"})
    assert "~" not in made["subsets"]["more"]["pseudo_labels"]["images"]
