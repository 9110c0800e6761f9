"""The jobs that Snakemake would run, as :mod:`cellseg.live.dry_run` writes them."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from cellseg.errors import UserError
from cellseg.live.dry_run import COUNTS, JOB, NONE
from cellseg.study.runs import Run

REASONS = {
    "Missing output files": "not made yet",
    "Incomplete output files": "incomplete",
    "Code has changed": "code changed",
    "Params have changed": "settings changed",
    "Set of input files has changed": "other inputs",
    "Updated input files": "newer inputs",
    "Software environment definition has changed": "new environment",
    "Forced execution": "forced",
    "Input files updated by another job": "after other jobs",
}
"""How a reason of Snakemake begins, and the words for it. The first that holds is given."""


@dataclass(frozen=True)
class Jobs:
    """Jobs of a dry run.

    Attributes
    ----------
    counts : number of jobs of each rule, in Snakemake's order
    reasons : of each rule, reasons with the number of jobs; of some rules there may be none
    trainings : runs that would be trained, sorted
    """

    counts: Mapping[str, int]
    reasons: Mapping[str, Counter]
    trainings: tuple[Run, ...]


def read(written: str) -> Jobs:
    """Read the jobs of a dry run.

    Parameters
    ----------
    written : JSON objects, one a line

    Raises
    ------
    UserError
        Something is missing, as with another version of Snakemake.
    """
    lines = [json.loads(line) for line in written.splitlines()]
    if any(NONE in line for line in lines):
        return Jobs({}, {}, ())
    # Snakemake counts the jobs before it lists them, and again at the end.
    counted = [line[COUNTS] for line in lines if COUNTS in line]
    if not counted:
        raise _unread("it does not count its jobs")
    counts = {rule: int(count) for rule, count in counted[-1].items()}
    total = counts.pop("total", None)
    if total != sum(counts.values()):
        raise _unread("the jobs of its rules do not add up to the total")
    reasons: dict[str, Counter] = {}
    trainings = []
    for job in (line[JOB] for line in lines if JOB in line):
        if job["reason"]:
            reasons.setdefault(job["rule"], Counter())[_reason(job["reason"])] += 1
        if job["rule"] == "train":
            trainings.append(_run(job["wildcards"]))
    if len(trainings) != counts.get("train", 0):
        raise _unread(f"it lists {len(trainings)} trainings of {counts.get('train', 0)}")
    return Jobs(counts, reasons, tuple(sorted(trainings)))


def _reason(text: str) -> str:
    for beginning, words in REASONS.items():
        if re.search(rf"(?:^|; ){beginning}", text):
            return words
    return "always"  # a rule without input, or without output


def _run(wildcards: Mapping[str, str]) -> Run:
    try:
        return Run(**{**wildcards, "seed": int(wildcards["seed"])})
    except (KeyError, TypeError, ValueError):
        raise _unread(f"a training has the wildcards {dict(wildcards)}") from None


def _unread(what: str) -> UserError:
    return UserError(
        f"the dry run of Snakemake cannot be read: {what}. Run `snakemake --dry-run` and read the "
        "plan there."
    )
