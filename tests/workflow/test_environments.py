"""Locks and conda environments: exact, hashed, the same versions, no address of a registry."""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

LOCKS = ["analysis", "build", "cpu", "detectors", "gpu"]


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
    ("environment", "locks"),
    [("analysis", ["analysis"]), ("train-cpu", ["cpu"]), ("train-gpu", ["gpu"]),
     ("train-torch", ["cpu", "detectors"])],
)  # fmt: skip
def test_conda_environments_give_the_versions_of_the_locks(checkout, environment, locks):
    versions = {}
    for lock in locks:
        for requirement in _pins(checkout / "envs" / f"{lock}.lock"):
            versions.setdefault(requirement.name, set()).add(str(requirement.specifier))
    content = yaml.safe_load((checkout / "envs" / f"{environment}.yaml").read_text())
    pip = content["dependencies"][-1]["pip"]
    for line in pip:
        requirement = Requirement(line)
        assert str(requirement.specifier) in versions[requirement.name], line
    names = {Requirement(line).name for line in pip}
    assert {"numpy", "pandas", "scikit-image", "snakemake"} <= names
    tensorflow = {"train-cpu": {"tensorflow-cpu"}, "train-gpu": {"tensorflow"}}
    assert names & {"tensorflow", "tensorflow-cpu"} == tensorflow.get(environment, set())
    # Of what pip resolves nothing may ask for the other TensorFlow, or for deepcell's old one.
    assert not names & {"tf-keras", "deepcell"}
    after = checkout / "envs" / f"{environment}.post-deploy.sh"
    assert after.exists() == (environment != "analysis")
    if environment == "train-torch":
        assert {"torch", "torchvision", "timm", "safetensors", "tensorboard"} <= names
        # Its requirement of NumPy is not that of the others.
        assert "cellpose" not in names and f"cellpose{versions['cellpose'].pop()}" in (
            after.read_text()
        )
    elif after.exists():
        assert f"tf-keras{versions['tf-keras'].pop()} deepcell==" in after.read_text()
        assert {"cython", "setuptools"} <= names  # they build deepcell-toolbox
        assert (environment == "train-gpu") == any(name.startswith("nvidia-") for name in names)


@pytest.mark.parametrize("environment", ["analysis", "train-cpu", "train-gpu", "train-torch"])
def test_conda_environments_hold_nothing_that_only_tests_use(checkout, environment):
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    content = yaml.safe_load((checkout / "envs" / f"{environment}.yaml").read_text())
    names = {Requirement(line).name for line in content["dependencies"][-1]["pip"]}
    only_tests = {Requirement(line).name for line in project["optional-dependencies"]["dev"]}
    of_snakemake = {"docutils", "jinja2", "packaging", "pydantic"}
    assert names & only_tests <= of_snakemake


def test_what_installs_the_rest_is_part_of_each_lock(checkout):
    """A sync must keep uv, and must not find other versions than deepcell-toolbox is built with."""
    build = (checkout / "envs/build.lock").read_text()
    assert {pin.name for pin in _pins(checkout / "envs/build.lock")} == {
        *("cython", "numpy", "setuptools", "uv"),
    }
    for name in ("cpu", "gpu"):
        blocks = re.split(r"\n(?=\S)", (checkout / f"envs/{name}.lock").read_text().strip())
        assert set(re.split(r"\n(?=\S)", build.strip())) <= set(blocks)


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
    shutil.copytree(checkout / "scripts/cellseg", tmp_path / "scripts/cellseg")
    # Of the make that runs the tests; below another one it would tell of its folder.
    of_make = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "VARIANT")
    environment = {name: value for name, value in os.environ.items() if name not in of_make}

    def call(*arguments, ready=None, older=False, folder=tmp_path, python="python3", **more):
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
            ["make", *arguments, f"PYTHON={python}"],
            cwd=folder,
            env=environment | more,
            capture_output=True,
            text=True,
        )

    return call


USING = [
    *("demo", "test", "lint", "bench", "side-by-side", "lock"),
    *("plan", "progress", "report", "docs"),
]


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
    done = make("--dry-run", "setup", ready="gpu")
    assert done.returncode == 0, done.stderr
    assert "--clear" not in done.stdout and "touch" not in done.stdout


@pytest.mark.parametrize("target", ["plan", "progress", "report"])
def test_looking_builds_nothing(make, tmp_path, target):
    done = make(target)
    assert done.returncode != 0 and "make setup VARIANT=cpu" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_plan_is_of_the_study_and_the_times_that_are_given(make):
    done = make("plan", "CONFIG=mine.yaml", "STEP_MS=unet=40 120", ready="cpu")
    assert done.returncode == 0 and done.stdout.strip() == (
        ".venv/bin/python scripts/plan.py --configfile mine.yaml --replace-workflow-config "
        "--step-ms unet=40 120"
    )


def test_an_old_environment_is_used_with_a_word(make):
    done = make("progress", ready="gpu", older=True)
    assert done.returncode == 0 and done.stdout.strip() == ".venv/bin/python scripts/progress.py"
    assert "make setup" in done.stderr


def test_another_variant_is_not_put_in_its_place(make):
    done = make("progress", "VARIANT=cpu", ready="gpu")
    assert done.returncode != 0 and ".venv is the environment of VARIANT=gpu" in done.stderr


@pytest.fixture
def bare(tmp_path):
    """Folder for PATH with the tools of every system; a function puts more into it."""
    folder = tmp_path / "path"
    folder.mkdir()
    tools = (
        "sh",
        "make",
        "mktemp",
        "rm",
        "mkdir",
        "test",
        "echo",
        "touch",
        "find",
        "cc",
        "as",
        "ld",
    )

    def put(*names, **scripts):
        for name in names:
            (folder / name).symlink_to(shutil.which(name))
        for name, text in scripts.items():
            (folder / name).write_text(f"#!{shutil.which('sh')}\n{text}\n")
            (folder / name).chmod(0o755)
        return {"PATH": str(folder)}

    put(*tools)
    return put


VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


def _this_python(hidden="pass"):
    """Shell script: this Python, after the statement `hidden` where it gets code to run."""
    before = f"import sys; {hidden}; code = sys.argv.pop(1); sys.argv[0] = '-c'; exec(code)"
    return (
        f'[ "$1" = -c ] && {{ shift; exec {sys.executable} -c "{before}" "$@"; }}\n'
        f'exec {sys.executable} "$@"'
    )


NO_VENV = _this_python("sys.modules['ensurepip'] = None")
NO_HEADERS = _this_python("import sysconfig; sysconfig.get_path = lambda name: '/nowhere'")
OLD = "echo Python 3.9.2; exit 1"


@pytest.mark.parametrize(
    ("python3", "compiler", "said", "packages"),
    [
        (None, True, "Python 3.11, 3.12 or 3.13", "python3 python3-venv python3-dev"),
        (None, False, "a C compiler", "python3 python3-venv python3-dev build-essential"),
        (OLD, True, "(found Python 3.9.2;", "python3.12 python3.12-venv python3.12-dev"),
        (NO_VENV, True, "the venv module", f"python{VERSION}-venv"),
        (NO_HEADERS, True, "Python.h", f"python{VERSION}-dev"),
        (NO_HEADERS, False, "a C compiler (cc), Python.h", f"build-essential python{VERSION}-dev"),
        (_this_python(), False, "a C compiler (cc)", "build-essential"),
    ],
)
def test_what_is_missing_is_one_line_before_anything_is_installed(
    make, bare, tmp_path, python3, compiler, said, packages
):
    environment = bare(**({} if python3 is None else {"python3": python3}))
    if not compiler:
        (tmp_path / "path/cc").unlink()
    old = tmp_path / ".venv"
    old.mkdir()
    (old / "precious").touch()
    done = make("setup", python="", CC="cc", **environment)
    assert done.returncode != 0
    line, of_make = done.stderr.splitlines()
    assert line.startswith("Missing: ") and of_make.startswith("make: ***")
    assert said in line and re.search(f"apt install {re.escape(packages)}( |$)", line), line
    assert [path.name for path in old.iterdir()] == ["precious"]


def test_a_machine_that_has_all_is_not_stopped(bare, checkout):
    script = checkout / "envs/check.sh"
    environment = bare(python3=_this_python()) | {"CC": "cc"}
    done = subprocess.run(
        ["/bin/sh", script], cwd=checkout, env=environment, capture_output=True, text=True
    )
    assert done.stdout == "python3\n", done.stderr


def test_a_named_python_of_another_version_is_refused(make, bare, tmp_path):
    environment = bare(python3=_this_python(), old="echo Python 3.10.1; exit 1")
    done = make("setup", python=str(tmp_path / "path/old"), **environment)
    assert done.returncode != 0 and "found Python 3.10.1" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_folder_that_snakemake_cannot_work_in_is_refused(make, checkout, tmp_path):
    folder = tmp_path / "my projects"
    shutil.copytree(checkout / "envs", folder / "envs")
    shutil.copytree(checkout / "scripts/cellseg", folder / "scripts/cellseg")
    shutil.copy2(checkout / "Makefile", folder)
    done = make("demo", folder=folder)
    assert done.returncode != 0 and "cannot work with a space in the path" in done.stderr
    assert not (folder / ".venv").exists()


def test_a_home_that_cannot_be_written_to_is_not_needed(make, tmp_path):
    """Caches go below .venv then: uv and Snakemake end with an error without one."""
    home = tmp_path / "home"
    home.mkdir()
    show = ["--eval", "show: ; @echo $$XDG_CACHE_HOME", "show"]
    assert make(*show, HOME=str(home), XDG_CACHE_HOME="").stdout.strip() == ""
    shutil.rmtree(home)
    home.touch()  # root may write to any folder
    cache = make(*show, HOME=str(home), XDG_CACHE_HOME="").stdout.strip()
    assert cache == str(tmp_path / ".venv/cache")


# --- signs of life ---


def test_a_silent_command_gives_a_sign_of_life_and_its_status(checkout):
    script = checkout / "envs/alive.sh"
    began = time.monotonic()
    done = subprocess.run(
        ["sh", script, "Installing", "sh", "-c", "sleep 11; echo said; exit 3"],
        capture_output=True, text=True,
    )  # fmt: skip
    # The reader does not wait for the sleep that is still running.
    assert time.monotonic() - began < 19
    assert done.returncode == 3 and done.stderr == ""
    assert done.stdout.splitlines() == ["Installing: 10 s", "said"]


def test_a_quick_command_shows_only_what_it_says(checkout):
    command = ["sh", checkout / "envs/alive.sh", "Installing", "echo", "a  b"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "a  b\n", "")
