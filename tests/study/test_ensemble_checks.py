"""Ensembles that cannot predict all images that are scored are refused before they are trained."""

import copy

import pandas as pd
import pytest
import yaml

from cellseg.errors import UserError
from cellseg.report import data_report
from cellseg.study import ensembles as ensemble_checks
from cellseg.study import validation

SUBSET = {"cell_types": [], "fraction": 1, "selection": "seeded", "validation": "official"}


@pytest.fixture(scope="module")
def schema(checkout):
    return yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())


def study(dataset, **subset):
    run = {"model": "each", "heads": "fgbg", "subset": "some", "seed": [0, 1]}
    one = {"title": "A title", "figures": [], "conditions": [run]}
    return {
        "dataset": "cells",
        "datasets": {"cells": dataset},
        "models": {"each": {"family": "unet", "ensemble": "cell-type"}},
        "subsets": {"some": subset},
        "experiments": {"one": one},
    }


def images(*rows):
    """Images by split and cell type."""
    table = pd.DataFrame(rows, columns=["split", "cell_type"])
    return table.assign(image=[f"i{n}" for n in table.index], order=table.index, well="A1")


BOTH = [(split, kind) for split in ("train", "val", "test") for kind in ("BV2", "mine")]


@pytest.mark.parametrize(
    ("dataset", "chosen", "missing"),
    [
        ({"kind": "download", "url": "http://nowhere/"}, ["SHSY5Y"], "A172, BT474, BV2, Huh7"),
        ({"kind": "simulated", "cell_types": ["BV2", "SkBr3"]}, ["BV2"], "SkBr3,"),
    ],
)
def test_known_cell_types_are_checked_with_the_configuration(schema, dataset, chosen, missing):
    given = study(dataset, cell_types=chosen)
    with pytest.raises(UserError, match=f"'each' on subset 'some' gets no network .*{missing}"):
        validation.resolve(given, schema)
    alone = copy.deepcopy(given)
    alone["models"]["each"]["ensemble"] = None
    validation.resolve(alone, schema)
    for enough in ([], dataset.get("cell_types", [])):
        given["subsets"]["some"]["cell_types"] = enough
        validation.resolve(given, schema)
    given["subsets"]["some"]["cell_types"] = chosen
    given["datasets"]["cells"] = {"kind": "simulated", "cell_types": chosen}
    validation.resolve(given, schema)


def test_an_ensemble_that_no_experiment_uses_is_not_refused(schema):
    given = study({"kind": "simulated"}, cell_types=["BV2"])
    given["models"]["net"] = {"family": "unet"}
    given["experiments"]["one"]["conditions"][0]["model"] = "net"
    assert ensemble_checks.runs_on(validation.resolve(given, schema), "cells") == []


def test_local_cell_types_are_checked_with_the_images(schema):
    complete = validation.resolve(study({"kind": "local", "path": "x"}, cell_types=["BV2"]), schema)
    ensembles = ensemble_checks.runs_on(complete, "cells")
    assert [run["seed"] for run in ensembles] == [0, 1]
    assert ensemble_checks.runs_on(complete, "others") == []
    with pytest.raises(UserError, match=r"runs/each/fgbg/some/seed-0: .*cell type mine, .*train"):
        ensemble_checks.check_images(ensembles, images(*BOTH))
    ensemble_checks.check_images(ensembles, images(*BOTH[:-1]))


def test_a_subset_that_happens_to_lack_a_type_is_refused():
    rows = [*BOTH[:2], *BOTH[:2], ("val", "BV2"), ("test", "BV2"), ("test", "mine")]
    run = {"folder": "cells/runs/x", "scored": "test", "seed": 0, "subset": SUBSET}
    with pytest.raises(UserError, match=r"cell type mine, .*no image in the val split"):
        ensemble_checks.check_images([run], images(*rows))
    ensemble_checks.check_images([{**run, "scored": "val"}], images(*rows))
    by_well = images(*rows)
    by_well["well"] = [f"A{n}" for n in by_well.index]
    with_wells = {**run, "subset": {**SUBSET, "validation": "by-well"}}
    ensemble_checks.check_images([with_wells], by_well)


def test_the_data_report_refuses_them_before_it_writes(tmp_path):
    images(*BOTH[:-1]).drop(index=1).to_parquet(tmp_path / "all.images.parquet")
    run = {"folder": "cells/runs/x", "scored": "val", "seed": 0, "subset": SUBSET}
    with pytest.raises(UserError, match=r"cells/runs/x: .*no image in the train split"):
        data_report.write([tmp_path / "all.images.parquet"], [], "none", {}, "cells", [run])
