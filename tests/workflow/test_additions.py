"""A backbone, a metric, an augmentation and a partition, added as the contributing page says.

Each is added to a copy of the checkout. Nothing but the files of its row may change, and it works.
Families, heads, segmentation methods and kinds of data sets have tests of their own.
"""

import copy
import filecmp
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from workflow_runner import TINY, Workflow

LIBRARY = "scripts/cellseg/"
SCHEMA = "workflow/schemas/config.schema.yaml"
PROFILE = "workflow/profiles/slurm/config.yaml"


class Copy(Workflow):
    """A copy of the checkout that is added to."""

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text()
        assert text.count(old) == 1, (path, old)
        (self.folder / path).write_text(text.replace(old, new))

    def python(self, code: str) -> str:
        """What code prints that imports this library, and the helpers of these tests."""
        tests = str(Path(__file__).resolve().parents[1])
        found = os.pathsep.join([str(self.folder / "scripts"), tests])
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=self.folder, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": found, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def changed(self, checkout: Path) -> set[str]:
        """Files that are not as in the checkout."""
        paths = [
            path
            for folder in ("scripts", "workflow")
            for path in (self.folder / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        ]
        names = [path.relative_to(self.folder).as_posix() for path in paths]
        return set(filecmp.cmpfiles(self.folder, checkout, names, shallow=False)[1])


@pytest.fixture
def grown(checkout, tmp_path):
    return Copy.copy(checkout, tmp_path / "checkout", copy.deepcopy(TINY))


@pytest.fixture(scope="session")
def table(checkout) -> Mapping[str, set[str]]:
    """By addition, the files that its row on the contributing page names."""
    text = (checkout / "docs/contributing.md").read_text()
    rows = re.findall(r"^\| ([\w ]+) \| (.*) \| (.*) \|$", text, re.M)
    return {
        name: {f"{LIBRARY}{path}" for path in re.findall(r"`([\w/]+\.py)`", code)}
        | set(re.findall(r"`(workflow/[^`]+)`", config))
        | ({SCHEMA} if "schema" in config else set())
        for name, code, config in rows
    }


def check_touched(grown: Copy, checkout: Path, named: set[str]) -> None:
    changed = grown.changed(checkout)
    assert changed and changed <= named
    code = [path for path in changed if path.startswith(LIBRARY)]
    assert len(code) <= 3 and len(changed) - len(code) <= 1


@pytest.fixture
def with_backbone(grown, checkout, table):
    """One of Keras that nobody declared."""
    declaration = """    "mobilenetv3small": Backbone(
        builder="MobileNetV3Small",
        taps=("conv_bn", "expanded_conv_project_bn", "expanded_conv_2_add", "expanded_conv_7_add",
              "expanded_conv_10_add"),
        preprocessing="tf",
        stride=32,
        smallest=32,
        parameters=1_515_646,
        weights=(),
        in_deepcell=False,
    ),
"""
    declarations = f"{LIBRARY}models/panopticnet/declarations.py"
    grown.replace(declarations, '    "vgg16": _vgg(', f'{declaration}    "vgg16": _vgg(')
    schema = (grown.folder / SCHEMA).read_text()
    grown.replace(SCHEMA, ", vgg16,", ", mobilenetv3small, vgg16,")
    assert schema.count(", vgg16,") == 1
    check_touched(grown, checkout, table["backbone"])

    return grown


def test_a_backbone_is_planned(with_backbone):
    study = copy.deepcopy(TINY)
    study["models"]["featurenet"]["backbone"] = "mobilenetv3small"
    with_backbone.configure(study)
    assert with_backbone.planned()["train"] == 2


@pytest.mark.slow
def test_a_backbone_is_trained_and_applied(with_backbone):
    """And its size is as declared. test_backbones.py builds one in every run of the tests."""
    with_backbone.python("""
from pathlib import Path

import numpy as np

import small_training
from cellseg import models

folder = Path("run")
folder.mkdir()
run = small_training.settings(2, family="panopticnet", backbone="mobilenetv3small")
family = small_training.load("panopticnet")
family.set_threads(1)
with small_training.without_tracing():
    history = family.train(run, *small_training.streams(0), folder, small_training.state(folder))
    found = family.Predictor(run, folder)(np.zeros((1, 40, 50, 1), np.float32))
assert np.isfinite(history[["loss", "val_loss"]]).all(axis=None) and len(history) == 2
assert all(np.isfinite(maps).all() and maps.shape[:3] == (1, 40, 50) for maps in found.values())
built, said = family.parameters(run), models.expected_parameters(run["model"], 2)
assert abs(built / said - 1) < 0.03, (built, said)
""")


def test_a_metric(grown, checkout, table):
    """A column of images, runs and formatted tables; trainings do not depend on it."""
    names, objects = f"{LIBRARY}scoring/names.py", f"{LIBRARY}scoring/objects.py"
    glossary = f"{LIBRARY}tables/glossary.py"
    grown.replace(names, '("msa", "sa50", "sa75")', '("msa", "sa50", "sa75", "count_error")')
    grown.replace(
        objects,
        '        "n_true": len(table.true_area),\n        "n_pred"',
        '        "count_error": abs(len(table.pred_area) / max(len(table.true_area), 1) - 1),\n'
        '        "n_true": len(table.true_area),\n        "n_pred"',
    )
    grown.replace(
        glossary,
        '    Score("sa50",',
        '    Score("count_error", "count error", "wrong share", higher_is_better=False),\n'
        '    Score("sa50",',
    )
    grown.replace(glossary, '*("f1_50", "msa", "ap"', '*("f1_50", "msa", "count_error", "ap"')
    check_touched(grown, checkout, table["metric"])
    said = grown.python("""
import numpy as np

from cellseg.scoring import objects
from cellseg.tables import comparisons
from cellseg.tables.formatted import content
from cellseg.tables.formatted.captions import Experiment
from score_tables_testing import experiment

true = np.zeros((20, 40), int)
for cell in range(4):
    true[5:15, 10 * cell : 10 * cell + 8] = cell + 1
kept, _ = objects.score_image(true, np.where(true < 4, true, 0), 0)
assert kept["count_error"] == 0.25 and kept["n_true"] == 4
kept, _ = objects.score_image(0 * true, true, 0)
assert np.isnan(kept["count_error"])  # of no cells there is no score
made = experiment({"a": {0: {"x": 0.1, "y": 0.3}}, "b": {0: {"x": 0.5, "y": 0.5}}})
assert list(made["runs"].query("cell_type == 'all'")["count_error"]) == [0.2, 0.2, 0.5, 0.5]
about = Experiment("counting", "Which counts?", "simulated", "keep", 1, 15)
tables = content.build(made, comparisons.compare(made["images"], made["runs"]), [], about)
print([score.heading for score in tables[0].scores])
""")
    assert "count error" in said

    def digits(folder: Path, script: str) -> str:
        code = "from cellseg.runtime.code_fingerprint import fingerprint; from pathlib import Path;"
        code += f"f = Path({str(folder / 'scripts')!r});"
        code += (
            f"print(fingerprint(f / {script!r}, f / 'cellseg', ('cellseg.models.unet.family',)))"
        )
        return grown.python(code)

    assert digits(grown.folder, "train.py") == digits(checkout, "train.py")
    assert digits(grown.folder, "score.py") != digits(checkout, "score.py")


def test_an_augmentation(grown, checkout, table):
    """Grey values are inverted now and then, as the study says; the default changes no tile."""
    intensity = f"{LIBRARY}training/intensity.py"
    field = "    noise: float = 0.0\n"
    grown.replace(intensity, field, f"{field}    invert: float = 0.0\n")
    grown.replace(
        intensity,
        "        sigma = abs(blur) * self.blur\n",
        "        if self.invert and random.uniform() < self.invert:\n"
        "            image = WHITE - image\n"
        "        sigma = abs(blur) * self.blur\n",
    )
    grown.replace(
        SCHEMA,
        "      warp:\n",
        "          invert:\n"
        "            description: Share of tiles whose grey values are inverted.\n"
        "            type: number\n"
        "            minimum: 0\n"
        "            maximum: 1\n"
        "            default: 0\n"
        "      warp:\n",
    )
    check_touched(grown, checkout, table["augmentation"])
    grown.python("""
import numpy as np
import yaml

from cellseg.study import runs, validation
from cellseg.training.intensity import Intensity

schema = yaml.safe_load(open("workflow/schemas/config.schema.yaml"))
image = np.linspace(0, 255, 400, dtype=np.float32).reshape(20, 20)


def tile(**intensity):
    study = yaml.safe_load(open("study.yaml"))
    study["training"]["intensity"] = intensity
    study = validation.resolve(study, schema)
    options = runs.training_of(study, "featurenet")["intensity"]
    return Intensity(**options).apply(image, np.random.default_rng(1))


np.testing.assert_allclose(tile(invert=1), 255 - image, atol=1e-3)
np.testing.assert_array_equal(tile(), image)
np.testing.assert_array_equal(tile(invert=0, gamma=2), tile(gamma=2))
""")
    study = copy.deepcopy(TINY)
    study["training"]["intensity"] = {"invert": 0.5}
    grown.configure(study)
    assert grown.planned()["train"] == 2
    study["training"]["intensity"] = {"invert": 2}
    grown.configure(study)
    refused = grown.call("--dry-run")
    assert refused.returncode and "training.intensity.invert" in refused.stdout


def test_a_partition(grown, checkout, table, sinfo):
    """Long CPU jobs go to another partition: a line of the profile, read by every rule."""
    sinfo("cpu*|8000", "long|8000", "gpu|8000")
    grown.replace(PROFILE, "      slurm_partition: cpu\n", "      slurm_partition: long\n")
    check_touched(grown, checkout, table["cluster partition"])
    grown.configure({**TINY, "accelerator": "gpu"})
    done = grown.call("--dry-run", "--profile", "workflow/profiles/slurm")
    assert done.returncode == 0, done.stdout
    asked = re.findall(r"slurm_partition=(\w+)", done.stdout)
    assert set(asked) == {"long", "gpu"}
    assert asked.count("gpu") == 4  # two runs, trained and predicted
