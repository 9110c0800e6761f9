"""`pip install .`: the package alone, what it needs, and the checkout that goes before it."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

import installed_packages
from workflow_runner import TINY, Workflow

PAGE = "docs/how-to/library.md"
LIGHT = ["numpy", "scipy", "numba", "llvmlite", "opencv-python-headless"]
WITHOUT_OPENCV = ["cellseg.scoring.metrics", "cellseg.segmentation.watershed"]
HEAVY = ("cv2", "keras", "matplotlib", "pandas", "skimage", "snakemake", "tensorflow", "yaml")


@pytest.fixture(scope="module")
def source(checkout, tmp_path_factory):
    """Copy of what a wheel is built of: the build leaves its files next to it."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(checkout / name, folder / name)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(checkout / "scripts", folder / "scripts", ignore=ignored)
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    """The wheel, built by the packages of this environment."""
    to = tmp_path_factory.mktemp("wheel")
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(to)!r})"
    done = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(to.glob("*.whl"))


@pytest.fixture(scope="module")
def example(checkout):
    """The example of the page, and what the page says that it prints."""
    page = (checkout / PAGE).read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    (printed,) = re.findall(r"^```text\n(.*?)^```$", page, re.M | re.S)
    return code, printed


def test_the_wheel_is_the_package(wheel, checkout):
    """All files of the package, none of the scripts next to it, and the one version."""
    scripts = checkout / "scripts"
    files = {path for path in (scripts / "cellseg").rglob("*") if path.is_file()}
    expected = {
        path.relative_to(scripts).as_posix() for path in files if path.parent.name != "__pycache__"
    }
    names = set(zipfile.ZipFile(wheel).namelist())
    (info,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
    assert {name for name in names if not name.startswith(info)} == expected
    version = yaml.safe_load((checkout / "CITATION.cff").read_text(encoding="utf-8"))["version"]
    assert info == f"livecell_bench-{version}.dist-info"


@pytest.fixture(scope="module")
def light(wheel, tmp_path_factory):
    """An environment with the wheel and the packages that it asks for, and nothing else."""
    folder = tmp_path_factory.mktemp("light") / "packages"
    installed_packages.link(LIGHT, folder)
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def _run(light, folder, code, **variables):
    script = folder / "script.py"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [*installed_packages.command(light), script],
        cwd=folder,
        env={"PATH": os.defpath, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_needs_no_more_than_the_wheel_asks_for(light, example, tmp_path):
    """Without compiling, which takes most of the time; the slow test below compiles."""
    code, printed = example
    assert _run(light, tmp_path, code, NUMBA_DISABLE_JIT="1") == printed


@pytest.mark.parametrize("module", WITHOUT_OPENCV)
def test_scores_and_watershed_import_little(light, tmp_path, module):
    code = f"import sys, {module}\nprint(*sys.modules, sep='\\n')"
    modules = set(_run(light, tmp_path, code).split())
    assert module in modules and "numba" in modules
    assert modules & {*HEAVY} == set()


def _environment(folder, wheel):
    """Python with all packages of this one, and an installed copy that fails when imported."""
    venv.create(folder, symlinks=True, with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    (packages / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    zipfile.ZipFile(wheel).extractall(packages)
    (packages / "cellseg/errors.py").write_text("raise RuntimeError('the installed copy')\n")
    return folder / "bin" / "python"


def test_the_checkout_goes_before_an_installed_copy(wheel, checkout, tmp_path):
    """In the workflow, in its jobs, in scripts and behind PYTHONPATH."""
    python = _environment(tmp_path / "env", wheel)
    without = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    imported = subprocess.run(
        [python, "-c", "import cellseg.errors"], env=without, capture_output=True, text=True
    )
    assert "the installed copy" in imported.stderr  # else the rest shows nothing

    workflow = Workflow.copy(checkout, tmp_path / "checkout", TINY)
    picture = "results/data/tiny/report/data.png"
    variables = {"PYTHONPATH": ""}
    done = workflow.call(picture, python=str(python), variables=variables)
    assert done.returncode == 0, done.stdout
    assert (workflow.folder / picture).is_file()
    for arguments in (
        ["scripts/progress.py", "--configfile", "study.yaml", "--replace-workflow-config"],
        ["-m", "pytest", "-q"],
    ):
        test = workflow.folder / "tests/test_own.py"
        test.parent.mkdir(exist_ok=True)
        test.write_text("import cellseg.errors\n\n\ndef test_import():\n    pass\n")
        shutil.copy(checkout / "pyproject.toml", workflow.folder)
        called = subprocess.run(
            [python, *arguments], cwd=workflow.folder, env=without, capture_output=True, text=True
        )
        assert called.returncode == 0, called.stdout + called.stderr


@pytest.mark.slow
def test_pip_installs_the_library(source, example, tmp_path):
    """In a new environment, from the package index of this machine."""
    venv.create(tmp_path / "env", symlinks=True, with_pip=True)
    python = tmp_path / "env/bin/python"
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    reach = [*pip, "download", "--no-deps", "--dest", tmp_path / "reached", "setuptools>=77"]
    reached = subprocess.run(reach, capture_output=True, text=True)
    if reached.returncode:
        pytest.skip(f"no package index is reachable: {reached.stderr.strip().splitlines()[-1]}")
    done = subprocess.run([*pip, "install", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    folder = tmp_path / "empty"
    folder.mkdir()
    without = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def printed(code):
        called = subprocess.run(
            [python, "-W", "error", "-c", code],
            cwd=folder,
            env=without,
            capture_output=True,
            text=True,
        )
        assert called.returncode == 0, called.stderr
        return called.stdout

    code, expected = example
    assert printed(code) == expected
    find = f"from importlib.util import find_spec\nprint([n for n in {HEAVY!r} if find_spec(n)])"
    assert printed(find) == "['cv2']\n"
    assert Path(printed("import cellseg; print(cellseg.__file__)").strip()).is_relative_to(
        tmp_path / "env"
    )
    assert list(folder.iterdir()) == []
