"""Images are segmented with the thresholds of their cell type."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from snakemake.iocontainers import Namedlist

import typed_cells
from cellseg.errors import UserError
from cellseg.io import atomic, run_format
from cellseg.segmentation import by_cell_type
from cellseg.tables import collect

KINDS = {"a": "bright", "b": "dim", "c": "bright", "d": "dim", "e": "bright"}
TYPES = {"a": "bright", "b": "dim", "c": "rare", "d": "rare", "e": None}
CHOSEN = {
    "segmentation": {**typed_cells.OWN, "interior_threshold": 0.3},
    by_cell_type.KEY: {
        name: {**typed_cells.OWN, "interior_threshold": value}
        for name, value in typed_cells.BEST.items()
    },
    by_cell_type.AS_ALL: {"cells": "unknown type"},
}
"""Of all images, the threshold that suits the dim ones."""
CONDITION = {"dataset": "mine", "model": "net", "heads": "pixelwise", "subset": "full", "seed": 0}


@pytest.fixture
def segment(checkout, tmp_path):
    """Segment made maps as the rule does; labels and the record of the segmentation."""

    def call(chosen=CHOSEN, types=TYPES, images="images.parquet") -> tuple:
        typed_cells.write(tmp_path, KINDS, types)
        atomic.write_json(tmp_path / "chosen.json", run_format.stamped(chosen))
        names = {"labels": "labels.npz", "cells": "cells.parquet", "settings": "segmentation.json"}
        output = {name: str(tmp_path / file) for name, file in names.items()}
        files = {"maps": "predictions.zip", "tuned": "chosen.json"}
        given = {name: str(tmp_path / file) for name, file in files.items()}
        given["images"] = str(tmp_path / images) if images else []
        job = SimpleNamespace(
            input=Namedlist(fromdict=given), output=Namedlist(fromdict=output), threads=1,
            params=SimpleNamespace(condition=CONDITION, tuning="grid", segmentation=None),
            log=[str(tmp_path / "log")], rule="segment", wildcards={},
        )  # fmt: skip
        runpy.run_path(str(Path(checkout) / "scripts/segment.py"), {"snakemake": job})
        return np.load(output["labels"]), json.loads(Path(output["settings"]).read_text())

    return call


def test_an_image_gets_the_thresholds_of_its_type(segment, tmp_path):
    labels, _ = segment()
    cells = {image: int(labels[image].max()) for image in KINDS}
    # Of two types with their own all cells are found. Those of all join bright cells in pairs.
    assert cells == {"a": 12, "b": 12, "c": 6, "d": 12, "e": 6}
    said = (tmp_path / "log").read_text()
    assert (
        "Images with the thresholds of their cell type: bright (1), dim (1); with those of all: "
        "cells (1), rare (2).\n"
    ) in said


def test_the_record_says_which_thresholds_each_type_got(segment):
    _, record = segment()
    assert record["segmentation"] == CHOSEN["segmentation"] and record["tuning"] == "grid"
    assert record[by_cell_type.KEY] == CHOSEN[by_cell_type.KEY]
    assert record[by_cell_type.AS_ALL] == {
        "cells": "unknown type", "rare": "no validation image",
    }  # fmt: skip


def test_a_choice_without_types_is_that_of_all_images(segment):
    """As earlier versions wrote it, and as a search that does not choose by cell type does."""
    labels, record = segment({"segmentation": CHOSEN["segmentation"]}, images=None)
    assert [int(labels[image].max()) for image in KINDS] == [6, 12, 6, 12, 6]
    assert by_cell_type.KEY not in record and by_cell_type.AS_ALL not in record


def test_an_image_without_a_known_row_is_named(segment, tmp_path):
    with pytest.raises(SystemExit):
        segment(types={name: kind for name, kind in TYPES.items() if name != "b"})
    assert "image b of" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("cell_type", "threshold"), [(None, 0.3), ("bright", 0.7), ("dim", 0.3), ("sk-ov-3", 0.9)]
)
def test_thresholds_of_a_type_are_found_by_its_name(cell_type, threshold):
    own = {"SKOV3": {**typed_cells.OWN, "interior_threshold": 0.9}, **CHOSEN[by_cell_type.KEY]}
    found = by_cell_type.of_type({**CHOSEN, by_cell_type.KEY: own}, cell_type, "segmentation.json")
    assert found["interior_threshold"] == threshold


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (CHOSEN, "It has those of bright, dim."),
        ({"segmentation": CHOSEN["segmentation"]}, "under apply.tuning"),
    ],
)
def test_a_type_without_thresholds_is_refused(content, remedy):
    with pytest.raises(
        UserError, match=rf"s\.json has no thresholds of cell type 'rare'\. .*{remedy}"
    ):
        by_cell_type.of_type(content, "rare", "s.json")


def test_the_table_of_runs_has_the_thresholds_of_each_type(segment, tmp_path):
    segment()
    types = ["all", "bright", "dim", "rare"]
    runs = pd.DataFrame([{**CONDITION, "cell_type": name} for name in types])
    table = collect.with_segmentation(runs, [tmp_path / "segmentation.json"])
    assert (table["tuning"] == "grid").all() and (table["tuned_by"] == "cell-type").all()
    values = dict(zip(types, table["interior_threshold"].tolist(), strict=True))
    assert np.isnan(values.pop("all"))  # no single one is true
    assert values == {"bright": 0.7, "dim": 0.3, "rare": 0.3}
    assert (table["grow"] == 0).all() and (table["method"] == "threshold-components").all()
    alike = collect.with_segmentation(
        runs[runs["cell_type"].isin(["all", "dim", "rare"])], [tmp_path / "segmentation.json"]
    )
    assert (alike["interior_threshold"] == 0.3).all()
