"""Runs snakemake on a copy of the checkout, and reads its rules."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

import forked_snakemake

TINY = {
    "dataset": "tiny",
    "datasets": {
        "tiny": {
            "kind": "simulated",
            "cell_types": ["BV2", "SkBr3"],
            "images": {"train": 2, "val": 1, "test": 2},
            "height": 128,
            "width": 160,
        }
    },
    "tilings": {"cut-64": {"size": 64, "tile_overlap": 8}},
    "training": {"tiling": "cut-64", "epochs": 2, "batch_size": 4, "precise_batch_norm_batches": 8},
    "models": {
        "featurenet": {"family": "panopticnet", "backbone": "featurenet"},
        "mobilenetv2": {"family": "deepcell", "backbone": "mobilenetv2"},
    },
    "subsets": {"full": {}, "round": {"cell_types": ["BV2"]}},
    "experiments": {
        "backbones": {
            "title": "Which backbone?",
            "conditions": [
                {
                    "model": ["featurenet", "mobilenetv2"],
                    "heads": "inner-distance+pixelwise",
                    "subset": "full",
                    "seed": 0,
                }
            ],
            "figures": [
                *("backbones", "f1-by-heads", "f1-by-cell-type", "learning-curves"),
                *("score-by-size", "contact-sheet"),
            ],
        }
    },
}


def rule_bodies(checkout: Path) -> dict[str, str]:
    """What is below the name of each rule; of rules made with `use rule`, nothing."""
    files = sorted((checkout / "workflow/rules").glob("*.smk"))
    rule = re.compile(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", re.M | re.S)
    return {name: body for file in files for name, body in rule.findall(file.read_text())}


COMPILED = (".pyc", ".nbi", ".nbc", ".json")
"""Ends of what Python and numba have compiled, and of fingerprints of code. They hold for a copy,
which keeps the dates: without them each copy compiles all kernels again."""


def _unfinished(folder: str, names: list[str]) -> list[str]:
    """What other processes are about to write next to compiled files."""
    cached = Path(folder).name == "__pycache__"
    return [name for name in names if cached and not name.endswith(COMPILED)]


def _copy(path: Path, to: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.copytree(path, to, symlinks=True, ignore=_unfinished)
    else:
        shutil.copy2(path, to, follow_symlinks=False)


class Workflow:
    """A checkout of its own with one configuration."""

    def __init__(self, folder: Path, config: dict) -> None:
        self.folder = folder
        self.configure(config)

    @classmethod
    def copy(cls, checkout: Path, folder: Path, config: dict) -> "Workflow":
        """Copy what the workflow needs of a checkout, links included, without results."""
        folder.mkdir(parents=True, exist_ok=True)
        links = [path.name for path in checkout.iterdir() if path.is_symlink()]
        for name in ("workflow", "scripts", "envs", "Snakefile", "config.yaml", *links):
            if not name.startswith("."):
                _copy(checkout / name, folder / name)
        return cls(folder, config)

    def configure(self, config: dict) -> None:
        """Write the configuration that the next calls use."""
        (self.folder / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def call(
        self,
        *arguments: str,
        study: bool = True,
        python: str = sys.executable,
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess:
        """Run snakemake; stdout and stderr come together as `stdout`."""
        chosen = ["--configfile", "study.yaml", "--replace-workflow-config"] if study else []
        cache = {"XDG_CACHE_HOME": str(self.folder / ".cache")}
        environment = {**os.environ, **cache, **(variables or {})}
        command = [*chosen, "--cores", "2", *arguments]
        plain = "--dry-run" in arguments and "--profile" not in arguments
        if plain and python == sys.executable and not variables:
            return forked_snakemake.run(command, self.folder, environment)
        return subprocess.run(
            [python, "-m", "snakemake", *command],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def planned(self, *arguments: str, study: bool = True) -> dict[str, int]:
        """Number of jobs of each rule that a dry run would start; empty when nothing is to do."""
        done = self.call("--dry-run", *arguments, study=study)
        assert done.returncode == 0, done.stdout
        if "Nothing to be done" in done.stdout:
            return {}
        table = done.stdout.rpartition("Job stats:")[2]
        rows = re.findall(r"^(\w+) +(\d+)$", table, flags=re.M)
        return {rule: int(count) for rule, count in rows if rule != "total"}
