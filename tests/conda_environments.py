"""Install the pip part of each conda environment into an empty one, and run its scripts there.

    PYTHONPATH=scripts python tests/conda_environments.py [NAME ...]

conda itself is not needed: its part is Python and a C compiler, and both come from this machine.
`train-gpu`, several GB, is resolved only. Takes some minutes, and below the temporary folder 2.5 GB
or, for `train-torch`, 8 GB.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from workflow_runner import TINY, Workflow

CHECKOUT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"
RUNS = "results/tiny/runs/{}/{}/full/seed-0/{}"
OF_TORCH = {
    **TINY,
    "tilings": {**TINY["tilings"], "crop-64": {"mode": "crop", "size": 64}},
    "models": {
        "detector": {
            "family": "centermask",
            "preset": "small",
            "training": {"tiling": "crop-64"},
        },
        "cellpose": {"family": "cellpose", "width": 4, "training": {"clipnorm": None}},
        "cellpose-sam": {
            "family": "cellpose-sam",
            "size": 64,
            "depth": 4,
            "width": 16,
            "training": {"tiling": "crop-64"},
        },
    },
    "segmentation_by_heads": {"flows+fgbg": {"method": "flow-tracking"}},
    "experiments": {
        "first": {
            "title": "Do they run?",
            "conditions": [
                {"model": "detector", "heads": "instances", "subset": "full", "seed": 0},
                {
                    "model": ["cellpose", "cellpose-sam"],
                    "heads": "flows+fgbg",
                    "subset": "full",
                    "seed": 0,
                },
            ],
            "figures": [],
        }
    },
}
STUDIES = {"train-torch": OF_TORCH}
TARGETS = {
    "analysis": ["data"],
    "train-cpu": [  # of both families
        RUNS.format(model, "inner-distance+pixelwise", "weights.h5") for model in TINY["models"]
    ],
    "train-gpu": [],
    "train-torch": [
        RUNS.format("detector", "instances", "export.zip"),
        RUNS.format("cellpose", "flows+fgbg", "weights.h5"),
        RUNS.format("cellpose-sam", "flows+fgbg", "weights.h5"),
    ],
}


def install(name: str, folder: Path) -> Path:
    """Install environment `name` into `folder`; resolve it only where nothing is run in it.

    Returns
    -------
    pathlib.Path
        Its Python.
    """
    content = yaml.safe_load((CHECKOUT / f"envs/{name}.yaml").read_text())
    version = content["dependencies"][0].removeprefix("python=")
    packages = content["dependencies"][-1]["pip"]
    python = folder / "bin" / "python"
    # uv reads the settings of the checkout, which conda's pip does not know.
    uv = [UV, "--no-config", "--quiet"]
    subprocess.run([*uv, "venv", "--seed", "--python", version, folder], check=True)
    command = [*uv, "pip", "install", "--python", python]
    if not TARGETS[name]:
        subprocess.run([*command, "--dry-run", *packages], check=True)
        return python
    subprocess.run([*command, *packages], check=True)
    script = CHECKOUT / f"envs/{name}.post-deploy.sh"
    if script.exists():
        path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(["bash", script], check=True, env={**os.environ, "PATH": path})
    return python


def main() -> None:
    """Try the named environments, or all."""
    for name in sys.argv[1:] or TARGETS:
        with tempfile.TemporaryDirectory() as temporary:
            python = install(name, Path(temporary) / "env")
            listed = subprocess.run(
                [UV, "pip", "list", "--format", "json", "--python", python],
                check=True,
                stdout=subprocess.PIPE,
            )
            names = {package["name"] for package in json.loads(listed.stdout)}
            assert len(names & {"tensorflow", "tensorflow-cpu"}) <= 1, names
            if TARGETS[name]:
                workflow = Workflow.copy(
                    CHECKOUT, Path(temporary) / "checkout", STUDIES.get(name, TINY)
                )
                done = workflow.call(*TARGETS[name], python=str(python))
                assert done.returncode == 0, done.stdout
            print(f"{name}: {'runs' if TARGETS[name] else 'resolves'}", flush=True)


if __name__ == "__main__":
    main()
