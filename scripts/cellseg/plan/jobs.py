"""The jobs that Snakemake would run, read from what its dry run prints."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from cellseg.errors import UserError
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

_JOB = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):\n((?:[ \t]+.*\n)*)", re.M)
_FIELD = re.compile(r"^    (reason|wildcards): (.*)$", re.M)
_COUNT = re.compile(r"^(\w+) +(\d+)$", re.M)


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


def read(printed: str) -> Jobs:
    """Read what ``snakemake --dry-run`` printed on stdout.

    Raises
    ------
    UserError
        It is in another form than this version of Snakemake prints.
    """
    _, stats, table = printed.rpartition("Job stats:\n")
    if not stats:
        if "Nothing to be done" in printed:
            return Jobs({}, {}, ())
        raise _unread("it has no table of jobs")
    # The table ends at the first empty line.
    counts = {rule: int(count) for rule, count in _COUNT.findall(table.partition("\n\n")[0])}
    total = counts.pop("total", None)
    if total != sum(counts.values()):
        raise _unread("the jobs of its table do not add up to the total")
    reasons: dict[str, Counter] = {}
    trainings = []
    for rule, body in _JOB.findall(printed):
        fields = dict(_FIELD.findall(body))
        if "reason" in fields:
            reasons.setdefault(rule, Counter())[_reason(fields["reason"])] += 1
        if rule == "train":
            trainings.append(_run(fields.get("wildcards", "")))
    if len(trainings) != counts.get("train", 0):
        raise _unread(f"it lists {len(trainings)} trainings of {counts.get('train', 0)}")
    return Jobs(counts, reasons, tuple(sorted(trainings)))


def _reason(text: str) -> str:
    for beginning, words in REASONS.items():
        if re.search(rf"(?:^|; ){beginning}", text):
            return words
    return "always"  # a rule without input, or without output


def _run(wildcards: str) -> Run:
    values = dict(part.partition("=")[::2] for part in wildcards.split(", "))
    try:
        return Run(**{**values, "seed": int(values["seed"])})
    except (KeyError, TypeError, ValueError):
        raise _unread(f"a training has the wildcards '{wildcards}'") from None


def _unread(what: str) -> UserError:
    return UserError(
        f"the dry run of Snakemake cannot be read: {what}. Run `snakemake --dry-run` and read the "
        "plan there."
    )
