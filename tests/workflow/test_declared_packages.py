"""Every package that the code imports is declared in pyproject.toml, where it is needed."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement

from cellseg.runtime import code_fingerprint

OPTIONAL = {"jax", "torch"}
"""Backends that nobody has to install."""
FOLDERS = {
    "scripts": ("base", "cpu", "stardist", "detectors"),
    "workflow": ("base", "cpu"),
    "envs": ("base", "cpu", "dev"),
    "tests": ("base", "cpu", "dev", "detectors"),
}


def _name(text):
    return re.sub(r"[-_.]+", "-", text).lower()


@pytest.fixture(scope="module")
def declared(checkout):
    """Extra to the distributions that it names; with those of the extras in it.

    `library` is what comes without an extra, and `base` that and the workflow's.
    """
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    groups = {
        "library": project["dependencies"],
        **extras,
        "base": [*project["dependencies"], *extras["workflow"]],
    }
    found = {}
    for extra, lines in groups.items():
        requirements = [Requirement(line) for line in lines]
        names = {_name(r.name) for r in requirements}
        for inner in (one for r in requirements if r.name == project["name"] for one in r.extras):
            names |= {_name(Requirement(line).name) for line in groups[inner]}
        found[extra] = names
    return found


def _top_level(path):
    """Packages that a file imports, at any depth of it, also with pytest.importorskip."""
    text = re.sub(r"^(include|configfile|report):.*$", "", path.read_text(), flags=re.M)
    if path.suffix == ".smk" or path.name == "Snakefile":  # no Python: only its lines are
        text = "\n".join(re.findall(r"^(?:from \S+ import \w+|import \w+)", text, flags=re.M))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "importorskip":
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant))


def _undeclared(paths, allowed, own):
    """Imports of `paths` that no distribution in `allowed` brings."""
    brings = packages_distributions()
    for path in paths:
        for module in sorted(set(_top_level(path))):
            top = module.partition(".")[0]
            if top in sys.stdlib_module_names or top in own | OPTIONAL:
                continue
            distributions = {_name(one) for one in brings.get(top, [top])}
            if not distributions & allowed:
                yield f"{path.name}: {module}, of {sorted(distributions)}"


@pytest.fixture(scope="module")
def own(checkout):
    """Modules of the checkout."""
    tests = (checkout / "tests").rglob("*.py")
    return {path.stem for path in [*(checkout / "scripts").iterdir(), *tests]}


@pytest.mark.parametrize("folder", FOLDERS)
def test_all_imports_are_declared(checkout, declared, own, folder):
    allowed = set().union(*(declared[extra] for extra in FOLDERS[folder]))
    paths = sorted(
        path for path in (checkout / folder).rglob("*") if path.suffix in {".py", ".smk"}
    )
    assert paths
    assert list(_undeclared(paths, allowed, own)) == []


def test_jobs_without_tensorflow_do_with_the_analysis_environment(checkout, declared, own):
    """Also imports within functions, but for those of families and their TensorFlow."""
    library = checkout / "scripts/cellseg"
    rules = "".join(
        path.read_text() for path in sorted((checkout / "workflow/rules").glob("*.smk"))
    )
    scripts = {
        script
        for body in re.split(r"^rule \w+:$", rules, flags=re.M)
        if "envs/analysis.yaml" in body
        for script in re.findall(r'"(\.\./\.\./scripts/\w+\.py)"', body)
    }
    assert len(scripts) > 10
    paths = {
        path
        for script in scripts
        for path in code_fingerprint.used_by(checkout / "workflow/rules" / script, library)
    }
    assert list(_undeclared(sorted(paths), declared["base"], own)) == []


LIGHT = ("targets/heads.py", "segmentation/watershed.py", "scoring/metrics.py")
BY_CHOICE = {"pandas", "pycocotools", "scikit-image"}
"""Imported in single functions only: docs/how-to/library.md says which."""
TRAINING = ("training/run.py", "inference/run.py", "segmentation/run.py")
KERAS_3 = ("models/panopticnet/family.py", "models/unet/family.py")


@pytest.mark.parametrize(("modules", "extras"), [(LIGHT, ()), ((*TRAINING, *KERAS_3), ("keras3",))])
def test_the_library_does_with_what_its_installation_brings(
    checkout, declared, own, modules, extras
):
    library = checkout / "scripts/cellseg"
    paths = {path for name in modules for path in code_fingerprint.used_by(library / name, library)}
    allowed = declared["library"].union(*(declared[extra] for extra in extras))
    assert len(paths) > len(modules)
    by_choice = set() if extras else BY_CHOICE
    assert list(_undeclared(sorted(paths), allowed | by_choice, own)) == []
