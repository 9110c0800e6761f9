"""A kind of data set that is added to a checkout: a module, an entry, schema lines and a rule."""

import copy

import pandas as pd
import pytest
import yaml

import checkerboard
from workflow_runner import TINY, Workflow

RULE = """

rule draw_checkerboard:
    output:
        source=f"{DATA}/source.json",
    log:
        "results/logs/draw_checkerboard/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(datasets_made_by("draw_checkerboard")),
    params:
        code=code("draw_checkerboard"),
        folder=f"{DATA}/source",
        settings=settings_of_source,
    script:
        "../../scripts/draw_checkerboard.py"
"""
SCRIPT = '''
"""Draw checkerboards and say where they are."""

from pathlib import Path

from cellseg.data.kinds import checkerboard
from cellseg.io import atomic
from cellseg.runtime.script import running

with running(snakemake.log[0], snakemake.rule, snakemake.wildcards):
    name, folder = snakemake.wildcards.dataset, Path(snakemake.params.folder)
    described = checkerboard.write(name, folder, **snakemake.params.settings)
    atomic.write_json(snakemake.output.source, described)
'''


@pytest.fixture
def workflow(checkout, tmp_path):
    study = copy.deepcopy(TINY)
    study["datasets"] = {"board": {"kind": "checkerboard"}}
    study["dataset"] = "board"
    study["subsets"] = {"full": {}}
    own = Workflow.copy(checkout, tmp_path / "checkout", study)
    registry = own.folder / "scripts/cellseg/data/kinds/__init__.py"
    text = registry.read_text()
    text = text.replace("import converted,", "import checkerboard, converted,")
    entry = '    "local": local.SOURCE,\n'
    assert text.count(entry) == 1 and "checkerboard" in text
    registry.write_text(text.replace(entry, f'{entry}    "checkerboard": checkerboard.SOURCE,\n'))
    module = (checkout / "tests/checkerboard.py").read_text()
    (registry.parent / "checkerboard.py").write_text(module)
    path = own.folder / "workflow/schemas/config.schema.yaml"
    schema = yaml.safe_load(path.read_text())
    checkerboard.add_to(schema)
    path.write_text(yaml.safe_dump(schema, sort_keys=False))
    with (own.folder / "workflow/rules/data.smk").open("a") as file:
        file.write(RULE)
    (own.folder / "scripts/draw_checkerboard.py").write_text(SCRIPT)
    return own


def test_a_new_kind_is_planned_made_and_reported(workflow):
    study = yaml.safe_load((workflow.folder / "study.yaml").read_text())
    whole = workflow.planned()
    assert whole["draw_checkerboard"] == whole["parse"] == whole["overview"] == 1
    assert whole["rasterize"] == 3 and whole["train"] == 2
    target = "results/data/board/report/data.png"
    assert workflow.planned(target) == {"draw_checkerboard": 1, "parse": 1, "data_report": 1}
    done = workflow.call(target)
    assert done.returncode == 0, done.stdout
    counts = pd.read_csv(workflow.folder / "results/data/board/report/counts.csv")
    assert (counts["images"] == 1).all() and (counts["cells"] == 8).all()
    assert workflow.planned(target) == {}
    study["datasets"]["board"]["side"] = 128
    workflow.configure(study)
    assert workflow.planned(target) == {"draw_checkerboard": 1, "parse": 1, "data_report": 1}
