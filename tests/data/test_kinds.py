"""The registry of kinds of data sets, and a kind that is only here."""

import ast
import copy
from pathlib import Path

import pandas as pd
import pytest
import yaml

import checkerboard
from cellseg.data import annotations, kinds, unreachable
from cellseg.data.splits import SPLITS
from cellseg.errors import UserError
from cellseg.export import bioimage_io
from cellseg.report import data_report, sections
from cellseg.space import plan
from cellseg.study import runs, validation
from cellseg.tables import published
from workflow_runner import TINY, rule_bodies


@pytest.fixture
def schema(checkout):
    return yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())


@pytest.fixture
def study(schema, monkeypatch):
    """A function: the complete configuration of a study on checkerboards, with some settings."""
    monkeypatch.setitem(kinds.SOURCES, "checkerboard", checkerboard.SOURCE)
    checkerboard.add_to(schema)

    def complete(subset=(), **entry):
        own = copy.deepcopy(TINY)
        own["datasets"] = {"tiny": {"kind": "checkerboard", **entry}}
        own["subsets"] = {"full": {}, **dict(subset)}
        return validation.resolve(own, schema)

    return complete


@pytest.fixture
def parsed(tmp_path):
    """Folder of a parsed data set of checkerboards."""
    described = checkerboard.write("tiny", tmp_path / "source", 64)
    annotations.parse(described, tmp_path / "annotations")
    return tmp_path


# --- the registry


def test_the_schema_knows_the_same_kinds(schema):
    dataset = schema["$defs"]["dataset"]
    assert dataset["properties"]["kind"]["enum"] == list(kinds.SOURCES)
    for name, source in kinds.SOURCES.items():
        keys = set(schema["$defs"][name]["properties"])
        assert keys >= {*source.settings, *source.paths}
    wanted = [found for found in _values(schema, "required") if {"train", "test"} & set(found)]
    assert len(wanted) == 3 and all(found == list(SPLITS) for found in wanted)


def _values(content, key):
    """Values of a key, however deep."""
    if isinstance(content, dict):
        found = [content[key]] if key in content else []
        return found + [one for inner in content.values() for one in _values(inner, key)]
    if isinstance(content, list):
        return [one for inner in content for one in _values(inner, key)]
    return []


def test_each_kind_has_a_rule_for_its_data_sets_alone(checkout):
    bodies = rule_bodies(checkout)
    for source in kinds.SOURCES.values():
        body = bodies[source.rule]
        assert 'source=f"{DATA}/source.json"' in body
        assert f'dataset=one_of(datasets_made_by("{source.rule}"))' in body
    own = [source.rule for source in kinds.SOURCES.values() if not hasattr(source, "layout")]
    assert len(set(own)) == len(own)


def test_nothing_else_asks_for_the_name_of_a_kind(checkout):
    library = checkout / "scripts/cellseg"
    own = library / "data/kinds"
    asked = []
    for path in sorted(library.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            compared = getattr(node, "comparators", []) if isinstance(node, ast.Compare) else []
            keys = node.keys if isinstance(node, ast.Dict) else []
            if not {getattr(key, "value", None) for key in keys} <= set(kinds.SOURCES):
                keys = []  # by something else, of which one has the name of a kind
            named = {one.value for one in (*compared, *keys) if isinstance(one, ast.Constant)}
            if named & set(kinds.SOURCES) and own not in path.parents:
                asked.append(f"{path.relative_to(library)}:{node.lineno}")
    for path in sorted((checkout / "workflow/rules").glob("*.smk")):
        lines = path.read_text(encoding="utf-8").splitlines()
        asked += [line for line in lines if '"kind"] ==' in line or '"kind"] !=' in line]
    assert not asked


# --- a new kind


def test_its_settings_are_checked_and_filled_in(study):
    assert study()["datasets"]["tiny"] == {
        "kind": "checkerboard", "side": 64, "duplicates": "drop", "overlap_policy": "smaller-on-top"
    }  # fmt: skip
    with pytest.raises(UserError, match=r"datasets\.tiny\.side: 66 pixels do not make"):
        study(side=66)
    with pytest.raises(UserError, match=r"there is no key 'sied'\. Did you mean 'side'"):
        study(sied=64)
    with pytest.raises(UserError, match=r"'squarse' is not defined\. Did you mean 'squares'"):
        study({"some": {"cell_types": ["squarse"]}})
    assert study({"some": {"cell_types": ["squares"]}})["subsets"]["some"]


def test_it_is_parsed_and_reported(study, parsed):
    tables = [
        [parsed / f"annotations/{split}.{table}.parquet" for split in SPLITS]
        for table in ("images", "cells")
    ]
    outputs = {
        name: parsed / f"report/{name}.{name if name in ('png', 'pdf') else 'csv'}"
        for name in ("counts", "problems", "sizes", "png", "pdf")
    }
    outputs["caption"] = parsed / "report/data.rst"
    data_report.write(*tables, parsed / "annotations/problems.csv", outputs, "tiny")
    counts = pd.read_csv(outputs["counts"])
    assert counts["cell_type"].tolist() == ["all", "squares"] * 3
    assert (counts["cells"] == 8).all() and (counts["area_median"] == 256).all()
    said = sections.data(study(), "tiny", counts)
    assert said.startswith("Data set ``tiny``: checkerboards.\n") and "squares" in said


def test_its_space_is_known_before_it_is_made_and_measured_after(study, parsed, tmp_path):
    own, results = study(), tmp_path / "results"
    said = plan.plan(own, results)
    assert said.unknown == () and said.n_unknown == 0 and said.used == 0
    assert plan.plan(study(side=128), results).data > 3 * said.data > 0
    (results / "data").mkdir(parents=True)
    (results / "data/tiny").symlink_to(parsed)
    (parsed / "source.json").touch()
    measured = plan.plan(own, results)
    assert measured.used == sum(path.stat().st_size for path in parsed.rglob("*.*"))
    assert measured.data == measured.used + said.data - 3 * 3 * 64**2  # its images are made


def test_captions_and_exports_say_what_it_is(study, tmp_path):
    assert len(runs.all_runs(study())) == 2
    said = published.obstacle(kind="checkerboard", subsample=1, small_objects="kept")
    assert "this data set is another (checkerboard)" in said
    for name in (
        *("README.md", "model.zip", "test_input.npy", "test_output.npy", "example.py"),
        *("settings.json", "segmentation.json", "provenance.json", "origin.json", "weights.h5"),
    ):
        (tmp_path / name).touch()
    condition = {"dataset": "tiny", "model": "m", "heads": "fgbg", "subset": "full", "seed": 0}
    made = ("checkerboard", "unet", "watershed", 64, ["fgbg"], "2", "2026-01-01T00:00:00")
    about = bioimage_io.describe(tmp_path, condition, *made)
    assert about["license"] == "CC0-1.0"


def test_what_it_could_not_fetch_is_listed(study, tmp_path):
    log = tmp_path / "logs/draw_checkerboard/tiny.log"
    assert unreachable.lines(study(), ["tiny"], [], tmp_path, 0) == []
    log.parent.mkdir(parents=True)
    log.write_text(f"{checkerboard.PATTERN} {unreachable.SAID}")
    first, *pairs = unreachable.lines(study(), ["tiny"], [], tmp_path, 0)
    assert first.startswith("Not fetched: 1 file.")
    belongs = Path(tmp_path / "data/tiny/pattern.txt")
    assert pairs == [f"  {checkerboard.PATTERN}", f"    -> {belongs}"]
