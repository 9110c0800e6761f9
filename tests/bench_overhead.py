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

from workflow_runner import TINY, Workflow, rule_bodies

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
    statements = ast.parse(script.read_text()).body
    found = [node for node in statements if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.unparse, found))


def scripts() -> dict[str, Path]:
    """Script of each rule that has one of its own."""
    rules = {}
    for name, body in rule_bodies(CHECKOUT).items():
        if match := re.search(r'script:\s+"\.\./\.\./(.*?)"', body):
            rules[name] = CHECKOUT / match[1]
    return rules


def main() -> None:
    os.environ["PYTHONPATH"] = str(CHECKOUT / "scripts")
    with tempfile.TemporaryDirectory() as folder:
        workflow = Workflow.copy(CHECKOUT, Path(folder) / "checkout", TINY)
        plan = [sys.executable, "-m", "snakemake", "-n", "--quiet", "--cores", "1"]
        plan += ["--configfile", "study.yaml", "--replace-workflow-config"]
        snakemake = seconds([*plan, "results/data/tiny/source.json"], workflow.folder)
    print(f"One start of Snakemake with this workflow: {snakemake:.2f} s\n")
    print(
        "| rule | its script's imports, s | two starts of Snakemake and these, s |\n|---|---|---|"
    )
    for rule, script in scripts().items():
        own = seconds([sys.executable, "-c", imports_of(script)], CHECKOUT)
        print(f"| `{rule}` | {own:.2f} | {2 * snakemake + own:.2f} |", flush=True)


if __name__ == "__main__":
    main()
