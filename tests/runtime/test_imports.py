"""Which code a script runs, and when its fingerprint changes."""

import ast
from pathlib import Path

import pytest

from cellseg import models
from cellseg.runtime import code_fingerprint


@pytest.fixture
def library(tmp_path):
    """A package of three modules, one of which nobody imports, and a script."""
    package = tmp_path / "scripts" / "package"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text('"""A package."""\n')
    (package / "inner" / "__init__.py").write_text("")
    (package / "inner" / "deep.py").write_text("VALUE = 1\n")
    (package / "direct.py").write_text("def f():\n    from package.inner import deep\n")
    (package / "other.py").write_text("import package.direct\n")
    (tmp_path / "scripts" / "script.py").write_text("import numpy\nfrom package import direct\n")
    return package


def _fingerprint(library, *modules):
    for function in (
        code_fingerprint.fingerprint,
        code_fingerprint._tree,
        code_fingerprint._code,
        code_fingerprint._imported,
    ):
        function.cache_clear()
    return code_fingerprint.fingerprint(library.parent / "script.py", library, modules)


def _names(library, *modules):
    found = code_fingerprint.used_by(library.parent / "script.py", library, modules)
    return [path.relative_to(library.parent).as_posix() for path in found]


def test_imports_are_followed(library):
    assert _names(library) == [
        "package/__init__.py", "package/direct.py", "package/inner/__init__.py",
        "package/inner/deep.py", "script.py",
    ]  # fmt: skip
    assert "package/other.py" in _names(library, "package.other")


def test_code_counts_and_words_do_not(library):
    before = _fingerprint(library)
    (library / "inner" / "deep.py").write_text('"""Explained."""\n\n# why\nVALUE = 1  # so\n')
    (library / "direct.py").write_text(
        'def f():\n    """Explained."""\n    from package.inner import deep\n'
    )
    assert _fingerprint(library) == before
    (library / "other.py").write_text("changed = True\n")
    assert _fingerprint(library) == before
    (library / "inner" / "deep.py").write_text("VALUE = 2\n")
    assert _fingerprint(library) != before


def test_a_new_family_changes_the_fingerprint_of_none(library):
    (library / "models").mkdir()
    (library / "models" / "__init__.py").write_text("NAMES = ['first']\n")
    (library.parent / "script.py").write_text("from package import models\n")
    before = _fingerprint(library)
    (library / "models" / "__init__.py").write_text("NAMES = ['first', 'second']\n")
    assert _fingerprint(library) == before


def test_indentation_counts(library):
    deep = library / "inner" / "deep.py"
    deep.write_text("if x:\n    y()\n    z()\n")
    before = _fingerprint(library)
    deep.write_text("if x:\n    y()\nz()\n")
    assert _fingerprint(library) != before


def test_the_fingerprint_does_not_depend_on_the_place(library, tmp_path):
    before = _fingerprint(library)
    moved = tmp_path / "elsewhere"
    library.parent.rename(moved)
    assert _fingerprint(moved / "package") == before


def _used(scripts, script, *modules):
    """Modules of the library that a script uses, relative to it."""
    library = scripts / "cellseg"
    used = code_fingerprint.used_by(scripts / script, library, modules)
    return {path.relative_to(library).as_posix() for path in used if library in path.parents}


def test_training_watches_its_family_and_scoring_does_not(checkout):
    scripts = checkout / "scripts"

    def names(script, *modules):
        return _used(scripts, script, *modules)

    family = models.FAMILIES["deepcell"]
    train = names("train.py", family)
    assert {"training/loop.py", "training/batches.py", "targets/transforms.py"} <= train
    assert {"models/deepcell/family.py", "models/deepcell/compat.py"} <= train
    assert not {"scoring/objects.py", "segmentation/watershed.py", "figures/style.py"} & train
    assert "inference/sliding_window.py" not in train
    ours = names("train.py", models.FAMILIES["panopticnet"])
    assert {
        *("models/panopticnet/family.py", "models/panopticnet/network.py"),
        *("models/panopticnet/semantic_heads.py", "models/keras3/backend.py"),
    } <= ours
    assert "models/deepcell/compat.py" not in ours
    assert "models/panopticnet/network.py" not in train
    unet = names("train.py", models.FAMILIES["unet"])
    assert {
        *("models/unet/family.py", "models/unet/sizes.py"),
        *("models/keras3/learner.py", "models/keras3/steps.py"),
    } <= unet
    assert "models/panopticnet/semantic_heads.py" not in unet
    assert "models/unet/sizes.py" not in ours
    score = names("score.py")
    assert {"scoring/objects.py", "scoring/coco_average_precision.py"} <= score
    assert (
        not {
            *("training/loop.py", "models/deepcell/family.py"),
            *("segmentation/watershed.py", "targets/transforms.py"),
        }
        & score
    )


def test_tuning_does_not_watch_the_scores_of_many_images(checkout):
    scripts = checkout / "scripts"
    found = _used(scripts, "tune.py")
    assert "scoring/objects.py" in found
    others = ("coco_average_precision.py", "pooled_pixels.py", "run.py")
    assert not {f"scoring/{name}" for name in others} & found


def test_overlays_do_not_watch_the_other_figures(checkout):
    scripts = checkout / "scripts"
    found = _used(scripts, "overlay.py")
    assert "figures/overlay.py" in found and "figures/backbones.py" not in found


def test_seaborn_is_imported_by_what_draws_and_only_when_it_does(checkout):
    """It takes a second, which no plan and no script that draws nothing has to wait for."""
    scripts = checkout / "scripts"
    drawing = set()
    for path in sorted(scripts.rglob("*.py")):
        tree = ast.parse(path.read_text())
        inside = {
            line for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
            for line in range(node.lineno, node.end_lineno + 1)
        }  # fmt: skip
        for node in ast.walk(tree):
            names = [alias.name for alias in getattr(node, "names", []) if hasattr(alias, "name")]
            names += [getattr(node, "module", None) or ""]
            if isinstance(node, ast.Import | ast.ImportFrom) and "seaborn" in str(names):
                assert node.lineno in inside, path
                drawing.add(path.relative_to(scripts / "cellseg").as_posix())
    assert drawing and all(name.startswith("figures/") for name in drawing)


def test_no_module_of_the_library_knows_the_workflow(checkout):
    for path in sorted((checkout / "scripts/cellseg").rglob("*.py")):
        text = path.read_text()
        assert "import snakemake" not in text and "results/" not in text, path


def test_scripts_are_thin(checkout):
    for path in sorted(Path(checkout / "scripts").glob("*.py")):
        assert len(path.read_text().splitlines()) <= 40, path
