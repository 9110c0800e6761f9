"""Write the conda environments from the lock files, so that both give the same versions.

Called by `make lock`. conda itself only brings Python and a C compiler: every package comes from
pip, in the version of the lock. deepcell goes in afterwards, without its outdated requirements.
"""

from pathlib import Path

from packaging.requirements import Requirement

ENVS = Path(__file__).parent
PYTHON = "3.12"
PLATFORM = {
    "sys_platform": "linux",
    "platform_machine": "x86_64",
    "platform_system": "Linux",
    "python_version": PYTHON,
    "python_full_version": f"{PYTHON}.0",
}
DEEPCELL = ("deepcell", "deepcell-toolbox", "deepcell-tracking")
NAMES = {
    "analysis": ("analysis", "Everything but training and prediction: no TensorFlow."),
    "train-cpu": ("cpu", "Training and prediction without a GPU."),
    "train-gpu": ("gpu", "Training and prediction on NVIDIA GPUs; CUDA comes with TensorFlow."),
}


def pins(lock: Path) -> dict[str, str]:
    """Package to version, for Linux and the Python above."""
    found = {}
    for line in lock.read_text().splitlines():
        if "==" in line and not line.startswith((" ", "#")):
            requirement = Requirement(line.rstrip("\\ "))
            if requirement.marker is None or requirement.marker.evaluate(PLATFORM):
                found[requirement.name] = str(requirement.specifier).removeprefix("==")
    return found


def main() -> None:
    """Write one YAML an environment and, where deepcell is in it, its post-deploy script."""
    for name, (lock, purpose) in NAMES.items():
        packages = pins(ENVS / f"{lock}.lock")
        lines = [
            f"# {purpose}",
            f"# Written by envs/render.py from envs/{lock}.lock: edit pyproject.toml, `make lock`.",
            "channels:",
            "  - conda-forge",
            "  - nodefaults",
            "dependencies:",
            f"  - python={PYTHON}",
            "  - pip",
            *(["  - c-compiler  # deepcell-toolbox is compiled"] if "deepcell" in packages else []),
            "  - pip:",
            *(f"      - {p}=={v}" for p, v in packages.items() if p not in DEEPCELL),
        ]
        (ENVS / f"{name}.yaml").write_text("\n".join(lines) + "\n")
        if "deepcell" in packages:
            build = pins(ENVS / "build.lock")
            (ENVS / f"{name}.post-deploy.sh").write_text(
                "#!/usr/bin/env bash\n"
                "# deepcell declares TensorFlow 2.8 and Python < 3.11 but runs on today's: see\n"
                "# scripts/cellseg/deepcell_compat.py. Written by envs/render.py.\n"
                "set -euo pipefail\n"
                "constraints=$(mktemp)\n"
                f"printf '%s\\n' {' '.join(f'{p}=={v}' for p, v in build.items())} > $constraints\n"
                "# What the isolated build may use; newer versions of pip read the first name.\n"
                "export PIP_BUILD_CONSTRAINT=$constraints PIP_CONSTRAINT=$constraints\n"
                "pip install --no-deps --ignore-requires-python \\\n"
                f"  {' '.join(f'{p}=={packages[p]}' for p in DEEPCELL)}\n"
            )


if __name__ == "__main__":
    main()
