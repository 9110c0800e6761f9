"""Former names of keys and values are refused, wherever they were valid, with the present ones."""

import copy

import pytest
import yaml
from snakemake.cli import parse_config

from cellseg.errors import UserError
from cellseg.study import overrides, renamed_keys, validation
from cellseg.study.runs import merged
from workflow_runner import TINY

GRID = {"grid": {"maxima_threshold": [0.1, 0.2]}}
SEARCH = {
    "title": "Which rate?",
    "model": "net",
    "heads": "fgbg",
    "subset": "full",
    "trials": "all",
    "rungs": [1, 2],
    "space": {"training.learning_rate": [0.001, 0.01]},
}
CONDITIONS = [{"model": "net", "heads": "fgbg", "subset": "full", "seed": 0}]
STUDY = {
    "dataset": "cells",
    "datasets": {"cells": {"kind": "simulated"}},
    "tilings": {"cut-256": {}},
    "models": {"net": {"family": "panopticnet", "backbone": "featurenet"}},
    "subsets": {"full": {}},
    "threshold_searches": GRID,
    "hyperparameter_searches": {"rates": SEARCH},
    "experiments": {"first": {"title": "One?", "conditions": CONDITIONS, "figures": []}},
}
NAMES = {
    "datasets": "cells",
    "tilings": "cut-256",
    "models": "net",
    "subsets": "full",
    "threshold_searches": "grid",
    "hyperparameter_searches": "rates",
    "experiments": "first",
}
"""By block with names that the user chooses, the one in STUDY."""
NORM = "is now `clipnorm` or, with `clip_norm_by: global`, `global_clipnorm`"
NORM_BY = "is now the name of the norm: `clipnorm` (variable) or `global_clipnorm` (global)"
VIEWS = "test_time_augmentation"

TABLE = [
    # (keys around it, former key with a value, present key with the same meaning, what is said)
    ("", {"tunings": GRID}, {"threshold_searches": GRID}, "tunings is now `threshold_searches`"),
    ("", {"searches": {}}, {"hyperparameter_searches": {}},
     "searches is now `hyperparameter_searches`"),
    ("", {"extension": {"seed": 1}}, {"synthesis": {"seed": 1}}, "extension is now `synthesis`"),
    ("", {"keep_maps": True}, {"keep_predictions": True}, "keep_maps is now `keep_predictions`"),
    ("datasets.*", {"policy": "deduplicated"}, {"duplicates": "drop"},
     "datasets.cells: `policy: deduplicated` is now `duplicates: drop`"),
    ("datasets.*", {"policy": "as-published"}, {"duplicates": "keep"},
     "datasets.cells: `policy: as-published` is now `duplicates: keep`"),
    ("datasets.*", {"policy": "another"}, {"duplicates": "keep"},
     "datasets.cells.policy is now `duplicates`"),
    ("datasets.*", {"duplicates": "deduplicated"}, {"duplicates": "drop"},
     "datasets.cells: `duplicates: deduplicated` is now `duplicates: drop`"),
    ("datasets.*", {"overlap": "later"}, {"overlap_policy": "later"},
     "datasets.cells.overlap is now `overlap_policy`"),
    ("tilings.*", {"overlap": 8}, {"tile_overlap": 8},
     "tilings.cut-256.overlap is now `tile_overlap`"),
    ("subsets.*", {"extend": 5}, {"synthetic_per_image": 5},
     "subsets.full.extend is now `synthetic_per_image`"),
    ("prediction", {"overlap": 0.5}, {"window_overlap": 0.5},
     "prediction.overlap is now `window_overlap`"),
    ("prediction", {"flips": True}, {VIEWS: {"flips": True}},
     f"prediction.flips is now `{VIEWS}.flips`"),
    ("prediction", {"rotations": True}, {VIEWS: {"rotations": True}},
     f"prediction.rotations is now `{VIEWS}.rotations`"),
    ("prediction", {"scales": [1, 2]}, {VIEWS: {"scales": [1, 2]}},
     f"prediction.scales is now `{VIEWS}.scales`"),
    ("", {"watershed": {"radius": 3}}, {"segmentation": {"radius": 3}},
     "watershed is now `segmentation`"),
    ("segmentation", {"small_objects_threshold": 9}, {"min_size": 9},
     "segmentation.small_objects_threshold is now `min_size`"),
    ("threshold_searches.*", {"small_objects_threshold": [9]}, {"min_size": [9]},
     "threshold_searches.grid.small_objects_threshold is now `min_size`"),
    ("threshold_searches.*", {"every": 2}, {"subsample": 2},
     "threshold_searches.grid.every is now `subsample`"),
    ("scoring", {"small_objects_threshold": 9}, {"min_size": 9},
     "scoring.small_objects_threshold is now `min_size`"),
    ("scoring", {"every": 2}, {"subsample": 2}, "scoring.every is now `subsample`"),
    ("hyperparameter_searches.*", {"tuning": "grid"}, {"threshold_search": "grid"},
     "hyperparameter_searches.rates.tuning is now `threshold_search`"),
    ("hyperparameter_searches.*", {"keep_one_in": 2}, {"reduction_factor": 2},
     "hyperparameter_searches.rates.keep_one_in is now `reduction_factor`"),
    ("experiments.*", {"tuning": "grid"}, {"threshold_search": "grid"},
     "experiments.first.tuning is now `threshold_search`"),
    ("experiments.*", {"runs": CONDITIONS}, {"conditions": CONDITIONS},
     "experiments.first.runs is now `conditions`"),
    ("models.*", {"leak": 0.1}, {"negative_slope": 0.1},
     "models.net.leak is now `negative_slope`"),
    ("models.*", {"pyramid_levels": ["P3"]}, {},
     "models.net.pyramid_levels is gone: it changed nothing. Leave it out"),
    *((place, old, new, f"{place.replace('*', 'net')}.{said}")
      for place in ("training", "models.*.training")
      for old, new, said in (
          ({"keep": "last"}, {"checkpoint": "last"}, "keep is now `checkpoint`"),
          ({"clip_norm": 0.5}, {"clipnorm": 0.5}, f"clip_norm {NORM}"),
          ({"clip_norm_by": "global"}, {"global_clipnorm": 0.5}, f"clip_norm_by {NORM_BY}"),
          ({"batch_norm_batches": 8}, {"precise_batch_norm_batches": 8},
           "batch_norm_batches is now `precise_batch_norm_batches`"),
      )),
]  # fmt: skip


@pytest.fixture(scope="module")
def schema(checkout):
    return yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())


def changed(place: str, settings: dict) -> dict:
    """The study with settings in the mapping that `place` leads to."""
    for key in reversed(place.split(".") if place else []):
        settings = {key: settings}
    for block, name in NAMES.items():
        if block in settings and "*" in settings[block]:
            settings = {block: {name: settings[block]["*"]}}
    return merged(copy.deepcopy(STUDY), settings)


def said(config: dict, schema: dict) -> list[str]:
    with pytest.raises(UserError) as error:
        validation.resolve(config, schema)
    first, *lines = str(error.value).split("\n")
    assert "keys of an earlier version" in first and "CHANGELOG.md" in first
    return lines


@pytest.mark.parametrize(("place", "old", "new", "expected"), TABLE)
def test_a_former_key_names_the_present_one(place, old, new, expected, schema):
    assert said(changed(place, old), schema) == [f"- {expected}"]
    study = validation.resolve(changed(place, new), schema)
    assert study["dataset"] == "cells"


def test_every_row_has_a_case_and_the_other_way_round():
    cases = {(place, *old) for place, old, _, _ in TABLE}
    assert cases == {(row.place, row.old) for row in renamed_keys.RENAMED}


def test_keys_within_former_blocks_are_named_at_once(schema):
    former = {**SEARCH, "tuning": None, "keep_one_in": 2, "space": {"leak": [0, 0.1]}}
    config = merged(STUDY, {"tunings": {"grid": {"every": 2}}, "extension": {}})
    del config["hyperparameter_searches"]
    assert said({**config, "searches": {"rates": former}}, schema) == [
        "- tunings is now `threshold_searches`",
        "- searches is now `hyperparameter_searches`",
        "- extension is now `synthesis`",
        "- tunings.grid.every is now `subsample`",
        "- searches.rates.tuning is now `threshold_search`",
        "- searches.rates.keep_one_in is now `reduction_factor`",
        "- searches.rates.space.leak is now `negative_slope`",
    ]


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ({"training.clip_norm": {"log": [0.1, 1]}}, f"training.clip_norm {NORM}"),
        ({"training.keep": ["best", "last"]}, "training.keep is now `checkpoint`"),
        ({"leak": [0, 0.1]}, "leak is now `negative_slope`"),
        ({"training": [{"keep": "last"}, {"epochs": 2}]}, "training.keep is now `checkpoint`"),
        (
            {"levels": {"sets": {"fine": {"pyramid_levels": ["P2"]}, "coarse": {"width": 2}}}},
            "levels.sets.fine.pyramid_levels is gone: it changed nothing. Leave it out",
        ),
        (
            {"norm": {"sets": {"on": {"training": {"batch_norm_batches": 2}}}}},
            "norm.sets.on.training.batch_norm_batches is now `precise_batch_norm_batches`",
        ),
    ],
)
def test_spaces_of_searches_are_looked_through(space, expected, schema):
    config = copy.deepcopy(STUDY)
    config["hyperparameter_searches"]["rates"]["space"] = space
    assert said(config, schema) == [f"- hyperparameter_searches.rates.space.{expected}"]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("keep_maps=true", "keep_maps is now `keep_predictions`"),
        ("scoring={every: 2}", "scoring.every is now `subsample`"),
        ("prediction={scales: [1, 2]}", f"prediction.scales is now `{VIEWS}.scales`"),
        (
            "datasets={tiny: {policy: as-published}}",
            "datasets.tiny: `policy: as-published` is now `duplicates: keep`",
        ),
    ],
)
def test_former_keys_on_the_command_line(argument, expected, schema):
    given = parse_config([argument])
    config = overrides.typed(merged(TINY, given), given, schema)
    assert said(config, schema) == [f"- {expected}"]


def test_what_is_no_mapping_is_left_to_the_schema(schema):
    for wrong in (None, [], 3, "text", {"grid": None}, {"grid": []}):
        with pytest.raises(UserError, match="the configuration is not valid"):
            validation.resolve({**STUDY, "threshold_searches": wrong}, schema)
    for space in (None, [], {"levels": {"sets": None}}, {"levels": {"sets": {"fine": 3}}}):
        config = copy.deepcopy(STUDY)
        config["hyperparameter_searches"]["rates"]["space"] = space
        with pytest.raises(UserError, match="the configuration is not valid"):
            validation.resolve(config, schema)


def test_keys_that_stay_are_not_touched(schema):
    """`apply` has a `tuning`, and names that the user chooses may be former keys."""
    config = merged(STUDY, {"apply": {"tuning": "grid"}, "subsets": {"extend": {}, "every": {}}})
    config["models"]["keep"] = config["models"]["net"]
    assert validation.resolve(config, schema)["apply"]["tuning"] == "grid"
