"""Locks and conda environments: exact, hashed, the same versions, no address of a registry."""

import re

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
