"""Locks and conda environments: exact, hashed, the same versions, no address of a registry."""

import os
import re
import shutil
import subprocess

import pytest
import yaml
from packaging.requirements import Requirement

LOCKS = ["analysis", "build", "cpu", "gpu", "uv"]


def _pins(path):
    lines = [line for line in path.read_text().splitlines() if re.match(r"[a-z0-9]", line, re.I)]
    return [Requirement(line.rstrip("\\ ")) for line in lines]


@pytest.mark.parametrize("name", LOCKS)
def test_locks_are_exact_and_hashed(checkout, name):
    path = checkout / "envs" / f"{name}.lock"
    blocks = re.split(r"\n(?=\S)", path.read_text().strip())
    assert blocks
    for block in blocks:
        assert re.match(r"[\w.-]+==[\w.]+", block), block
        assert "--hash=sha256:" in block, block


def test_no_lock_or_environment_names_a_registry(checkout):
    files = [path for path in (checkout / "envs").iterdir() if path.is_file()]
    for path in [*files, checkout / "pyproject.toml", checkout / "Makefile"]:
        assert "://" not in path.read_text(), path


@pytest.mark.parametrize(
    ("environment", "lock"), [("analysis", "analysis"), ("train-cpu", "cpu"), ("train-gpu", "gpu")]
)
def test_conda_environments_give_the_versions_of_the_locks(checkout, environment, lock):
    versions = {}
    for requirement in _pins(checkout / "envs" / f"{lock}.lock"):
        versions.setdefault(requirement.name, set()).add(str(requirement.specifier))
    content = yaml.safe_load((checkout / "envs" / f"{environment}.yaml").read_text())
    pip = content["dependencies"][-1]["pip"]
    for line in pip:
        requirement = Requirement(line)
        assert str(requirement.specifier) in versions[requirement.name], line
    names = {Requirement(line).name for line in pip}
    assert {"numpy", "pandas", "scikit-image", "snakemake"} <= names
    assert any(name.startswith("tensorflow") for name in names) == (environment != "analysis")


def test_gpu_environment_brings_cuda(checkout):
    names = {requirement.name for requirement in _pins(checkout / "envs" / "gpu.lock")}
    assert any(name.startswith("nvidia-cudnn") for name in names)
    assert not any(r.name.startswith("nvidia") for r in _pins(checkout / "envs" / "cpu.lock"))


def test_minimum_versions(checkout):
    versions = {r.name: str(r.specifier) for r in _pins(checkout / "envs" / "cpu.lock")}
    assert tuple(map(int, versions["snakemake"][2:].split(".")))[:2] >= (9, 19)
    assert tuple(map(int, versions["snakemake-executor-plugin-slurm"][2:].split("."))) >= (2, 7, 1)


@pytest.fixture
def make(checkout, tmp_path):
    """Calls make on copies of Makefile and locks; `python` in .venv prints its arguments."""
    shutil.copy2(checkout / "Makefile", tmp_path)
    shutil.copytree(checkout / "envs", tmp_path / "envs")
    # Of the make that runs the tests; below another one it would tell of its folder.
    of_make = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "VARIANT")
    environment = {name: value for name, value in os.environ.items() if name not in of_make}

    def call(*arguments, ready=None, older=False):
        if ready is not None:
            python = tmp_path / ".venv/bin/python"
            python.parent.mkdir(parents=True)
            python.write_text('#!/bin/sh\necho "$0 $@"\n')
            python.chmod(0o755)
            mark = tmp_path / f".venv/ready-{ready}"
            mark.touch()
            if older:
                os.utime(mark, (0, 0))
        return subprocess.run(
            ["make", *arguments, "PYTHON=python3"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )

    return call


USING = ["demo", "test", "lint", "bench", "side-by-side", "lock", "progress", "report"]


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("ready", ["cpu", "gpu"])
def test_no_target_but_setup_replaces_an_environment(make, ready, older):
    """Jobs may be running in it: neither another variant's name nor newer locks may clear it."""
    done = make("--dry-run", *USING, ready=ready, older=older)
    assert done.returncode == 0, done.stderr
    assert "report.py" in done.stdout and "--clear" not in done.stdout


@pytest.mark.parametrize("target", ["demo", "test", "bench", "setup"])
def test_targets_set_up_what_is_not_there(make, target):
    done = make("--dry-run", target)
    assert "-m venv --clear .venv" in done.stdout and "envs/cpu.lock" in done.stdout


@pytest.mark.parametrize(
    ("variant", "built"), [([], "gpu"), (["VARIANT=gpu"], "gpu"), (["VARIANT=cpu"], "cpu")]
)
def test_setup_brings_the_environment_up_to_date(make, variant, built):
    done = make("--dry-run", "setup", *variant, ready="gpu", older=True)
    assert "--clear" in done.stdout and f"touch .venv/ready-{built}" in done.stdout


def test_an_environment_that_is_up_to_date_is_left_alone(make):
    assert "--clear" not in make("--dry-run", "setup", ready="gpu").stdout


@pytest.mark.parametrize("target", ["progress", "report"])
def test_looking_builds_nothing(make, tmp_path, target):
    done = make(target)
    assert done.returncode != 0 and "make setup VARIANT=cpu" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_an_old_environment_is_used_with_a_word(make):
    done = make("progress", ready="gpu", older=True)
    assert done.returncode == 0 and done.stdout.strip() == ".venv/bin/python scripts/progress.py"
    assert "make setup" in done.stderr


def test_another_variant_is_not_put_in_its_place(make):
    done = make("progress", "VARIANT=cpu", ready="gpu")
    assert done.returncode != 0 and ".venv is the environment of VARIANT=gpu" in done.stderr
