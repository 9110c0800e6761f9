"""Prints what a job takes before its first useful line, rule by rule, as a Markdown table.

PYTHONPATH=scripts:tests python tests/bench_overhead.py

A job on this machine starts its script at once. A job of Slurm starts Snakemake twice before that,
one process within the other. Each time is the median of five; rules of a fresh demo study.
"""

import ast
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from workflow_runner import TINY, Workflow

CHECKOUT = Path(__file__).resolve().parent.parent
REPEATS = 5


def seconds(command: list[str], folder: Path) -> float:
    """Median wall time of a command that has to succeed."""
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def imports_of(script: Path) -> str:
    """The import statements at the top of a script."""
    found = [node for node in ast.parse(script.read_text()).body
             if isinstance(node, ast.Import | ast.ImportFrom)]  # fmt: skip
    return "\n".join(map(ast.unparse, found))


def scripts() -> dict[str, Path]:
    """Script of each rule that has one of its own."""
    rules = {}
    for file in sorted((CHECKOUT / "workflow/rules").glob("*.smk")):
        for name, body in re.findall(
            r"^rule (\w+):\n(.*?)(?=^\S|\Z)", file.read_text(), re.M | re.S
        ):
            if match := re.search(r'script:\s+"\.\./\.\./(.*?)"', body):
                rules[name] = CHECKOUT / match[1]
    return rules


def main() -> None:
    os.environ["PYTHONPATH"] = str(CHECKOUT / "scripts")
    with tempfile.TemporaryDirectory() as folder:
        workflow = Workflow.copy(CHECKOUT, Path(folder) / "checkout", TINY)
        snakemake = seconds(
            [sys.executable, "-m", "snakemake", "-n", "--quiet", "--configfile", "study.yaml",
             "--replace-workflow-config", "--cores", "1", "results/data/tiny/source.json"],
            workflow.folder,
        )  # fmt: skip
    print(f"One start of Snakemake with this workflow: {snakemake:.2f} s\n")
    print(
        "| rule | its script's imports, s | two starts of Snakemake and these, s |\n|---|---|---|"
    )
    for rule, script in scripts().items():
        own = seconds([sys.executable, "-c", imports_of(script)], CHECKOUT)
        print(f"| `{rule}` | {own:.2f} | {2 * snakemake + own:.2f} |", flush=True)


if __name__ == "__main__":
    main()
