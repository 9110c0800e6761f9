"""Write the conda environments, in the versions of the lock files.

Called by `make lock`, which first resolves what training needs, without what only tests need, into
.venv/train-*.txt. conda itself only brings Python and a C compiler: every package comes from pip.
Packages with wrong requirements go in afterwards, without these.
"""

from pathlib import Path

from packaging.requirements import Requirement

ENVS = Path(__file__).parent
RESOLVED = ENVS.parent / ".venv"
PYTHON = "3.12"
PLATFORM = {
    "sys_platform": "linux",
    "platform_machine": "x86_64",
    "platform_system": "Linux",
    "python_version": PYTHON,
    "python_full_version": f"{PYTHON}.0",
}
# deepcell asks for TensorFlow 2.8, tf-keras for `tensorflow` where `tensorflow-cpu` is installed,
# cellpose for NumPy below 2.1.
AFTERWARDS = ("tf-keras", "deepcell", "deepcell-toolbox", "deepcell-tracking", "cellpose")
COMPILED = "deepcell-toolbox"
NAMES = {
    "analysis": (
        ENVS / "analysis.lock",
        "analysis",
        "Everything but training and prediction: no TensorFlow.",
    ),
    "train-cpu": (RESOLVED / "train-cpu.txt", "cpu", "Training and prediction without a GPU."),
    "train-gpu": (
        RESOLVED / "train-gpu.txt",
        "gpu",
        "Training and prediction on NVIDIA GPUs; CUDA comes with TensorFlow.",
    ),
    "train-torch": (
        RESOLVED / "train-torch.txt",
        "detectors",
        "Instance detectors and Cellpose, with a GPU or without; CUDA comes with torch.",
    ),
}


def pins(lock: Path) -> dict[str, str]:
    """Package to version, for Linux and the Python above."""
    found = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if "==" in line and not line.startswith((" ", "#")):
            requirement = Requirement(line.rstrip("\\ "))
            if requirement.marker is None or requirement.marker.evaluate(PLATFORM):
                found[requirement.name] = str(requirement.specifier).removeprefix("==")
    return found


def write(name: str) -> None:
    """Write the YAML of an environment, and what is to run once it is made."""
    resolved, lock, purpose = NAMES[name]
    packages = pins(resolved)
    after = [f"{package}=={packages[package]}" for package in AFTERWARDS if package in packages]
    lines = [
        f"# {purpose}",
        f"# Written by envs/render.py from envs/{lock}.lock: edit pyproject.toml, `make lock`.",
        "channels:",
        "  - conda-forge",
        "  - nodefaults",
        "dependencies:",
        f"  - python={PYTHON}",
        "  - pip",
        *([f"  - c-compiler  # {COMPILED} is compiled"] if COMPILED in packages else []),
        "  - pip:",
        *(f"      - {p}=={v}" for p, v in packages.items() if p not in AFTERWARDS),
    ]
    (ENVS / f"{name}.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if after:
        reason = "models/deepcell/compat.py" if COMPILED in packages else "pyproject.toml"
        built = "Built with the environment's Cython and NumPy. " if COMPILED in packages else ""
        lines = [
            "#!/usr/bin/env bash",
            f"# Packages that ask for others than they run with; see {reason}.",
            f"# {built}Written by envs/render.py.",
            "set -euo pipefail",
            "pip install --no-deps --no-build-isolation --ignore-requires-python \\",
            f"  {' '.join(after)}",
        ]
        (ENVS / f"{name}.post-deploy.sh").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Write all environments."""
    for name in NAMES:
        write(name)


if __name__ == "__main__":
    main()
