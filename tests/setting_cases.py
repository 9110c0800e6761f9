"""Cases of settings: a key of the schema, values of it, and what they change.

The modules ``settings_of_*`` list them, test_settings.py walks over them.
"""

import copy
import os
import runpy
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace

import planned_jobs
from planned_jobs import Change, Job, Plan
from recording_family import RecordingFamily

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
SCRIPT_OF = {"predict_validation": "predict", "paint": "segment", "fuse_validation": "fuse"}
"""Rules whose script has another name."""
ABSENT = "left out"
"""Value of a key that is left out."""
OTHER = "other"
"""Seen where no number can be given: what differs from all else that a case sees."""


@dataclass(frozen=True)
class Case:
    """One key of the schema.

    Attributes
    ----------
    key : as :func:`schema_keys.leaves` names it
    at : where it is in the base study, such as ``tilings.cut-64.size``
    seen : pairs of value and what `sees` gives for it; the first is the base's, and no two are seen
        alike
    sees : from :class:`World`, what the value reaches
    plan : what another value changes in the plan, as patterns ``"rule wildcards: fact"``: all jobs
        of such a label have such a change, and nothing else changes
    given : other keys of the base study that this case needs, by path
    alone : the plan is not shared with other cases, since jobs come and go
    """

    key: str
    at: str
    seen: Sequence[tuple[object, object]]
    sees: Callable[["World"], object]
    plan: Sequence[str] = ()
    given: Mapping[str, object] = field(default_factory=dict)
    alone: bool = False


@dataclass
class World:
    """The base study with one value of one case.

    Attributes
    ----------
    study : resolved
    plan : jobs of the base, with the changes of this case alone
    root : working directory of all jobs
    family : trains and predicts in the place of all model families
    """

    study: Mapping
    plan: Plan
    root: Path
    folder: Path
    family: RecordingFamily = field(default_factory=RecordingFamily)

    def run(self, pattern: str, **inputs) -> SimpleNamespace:
        """Run the script of a job here; its outputs are in a new folder.

        Parameters
        ----------
        pattern : of the job's label
        inputs : files that take the place of planned ones
        """
        job = self.plan.one(pattern)
        return self._run(job, Path(tempfile.mkdtemp(dir=self.folder)), inputs)

    def make(self, job: Job) -> None:
        """Run the script of a job where its outputs are planned."""
        self._run(job, self.root, {})

    def _run(self, job: Job, outputs: Path, inputs: Mapping) -> SimpleNamespace:
        snakemake = planned_jobs.as_snakemake(job, outputs, self.study, **inputs)
        script = SCRIPTS / f"{SCRIPT_OF.get(job.rule, job.rule)}.py"
        with working_in(self.root), self.family.in_place():
            runpy.run_path(str(script), {"snakemake": snakemake})
        return snakemake.output


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Paths are relative to `folder` in the block."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def changed(config: Mapping, values: Mapping[str, object]) -> dict:
    """A copy of a configuration with other values, by path; ``ABSENT`` takes a key out."""
    copied = copy.deepcopy(dict(config))
    for path, value in values.items():
        *parents, last = parts(path)
        node = copied
        for part in parents:
            node = node[part] if isinstance(node, list) else node.setdefault(part, {})
        if value is ABSENT:
            node.pop(last, None)
        else:
            node[last] = copy.deepcopy(value)
    return copied


def rounds(cases: Sequence[Case]) -> list[list[tuple[Case, object]]]:
    """Which cases are planned together: none changes a key of another, or what another changes."""
    shared: list[list[tuple[Case, object]]] = []
    for case in cases:
        for value, _ in case.seen[1:]:
            fitting = (one for one in shared if not case.alone and _fits(case, one))
            found = next(fitting, None)
            if found is None:
                shared.append([(case, value)])
            else:
                found.append((case, value))
    return shared


def _fits(case: Case, others: Sequence[tuple[Case, object]]) -> bool:
    if any(other.alone or other.given != case.given for other, _ in others):
        return False
    return not any(
        f"{other.at}.".startswith(f"{case.at}.")
        or f"{case.at}.".startswith(f"{other.at}.")
        or _facts(case) & _facts(other)
        for other, _ in others
    )


def _facts(case: Case) -> set[tuple[str, str]]:
    """Rule and fact of each pattern."""
    patterns = [pattern.split(": ") for pattern in case.plan]
    return {(job.split()[0], fact) for job, fact in patterns}


def own_changes(case: Case, found: Mapping[Change, tuple]) -> dict[Change, tuple]:
    """Those changes of a plan that a case accounts for."""
    patterns = [pattern.split(": ") for pattern in case.plan]
    return {
        (label, fact): values
        for (label, fact), values in found.items()
        if any(fnmatchcase(label, job) and fnmatchcase(fact, what) for job, what in patterns)
    }


def missing_changes(case: Case, base: Plan, found: Mapping[Change, tuple]) -> list[str]:
    """What a case expects and a plan does not change: pattern and job."""
    missing = []
    for pattern in case.plan:
        job, what = pattern.split(": ")
        labels = {label for label, fact in found if fnmatchcase(fact, what)}
        wanted = [one.label for one in base.find(job)]
        if what in ("added", "removed"):
            wanted = [] if any(fnmatchcase(label, job) for label in labels) else [job]
        elif not wanted:
            missing.append(f"{pattern} (there is no such job)")
        missing += [f"{label}: {what}" for label in wanted if label not in labels]
    return missing


def with_changes(base: Plan, found: Mapping[Change, tuple]) -> Plan:
    """The jobs of a plan with some changes."""
    jobs = dict(base.jobs)
    for label in {label for label, _ in found}:
        jobs[label] = copy.deepcopy(jobs[label])
    for (label, fact), (_, value) in found.items():
        _set(jobs[label], fact, value)
    return Plan(jobs)


def _set(job: Job, fact: str, value: object) -> None:
    kind, *parts = fact.split(".")
    if not parts:
        setattr(job, kind, value)
        return
    node = getattr(job, kind)
    for part in parts[:-1]:
        node = node.setdefault(part, {})
    node[parts[-1]] = value


def parts(path: str) -> list[str | int]:
    """The keys and places of a path such as ``experiments.first.conditions.0.seed``."""
    return [int(part) if part.isdigit() else part for part in path.split(".")]
