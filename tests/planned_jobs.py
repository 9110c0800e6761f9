"""The jobs that Snakemake plans for a configuration, without a process for each plan."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import yaml
from snakemake.api import SnakemakeApi
from snakemake.io import is_flagged
from snakemake.iocontainers import Namedlist
from snakemake.parser import parse
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
)

import loaded_rules
from cellseg.runtime import fingerprint_store

Files = dict[str, "str | list[str]"]
Change = tuple[str, str]
"""Label of a job and what of it changes, such as ``params.settings.seed``."""


@dataclass
class Job:
    """What Snakemake gives a job, and what decides whether it runs again.

    Attributes
    ----------
    label : rule and wildcards, such as ``tile squares/cut-64/train``
    temporary : names of outputs that are deleted when no job needs them any more
    """

    rule: str
    label: str
    wildcards: dict[str, str]
    params: dict[str, object]
    input: Files
    output: Files
    temporary: list[str]
    gpu: int
    environment: str
    log: str
    threads: int

    def facts(self) -> Iterator[tuple[str, object]]:
        """Names and values of all that a rerun depends on."""
        for kind in ("params", "input", "output"):
            for name, value in getattr(self, kind).items():
                yield from _leaves(f"{kind}.{name}", value)
        for name in ("temporary", "gpu", "environment"):
            yield name, getattr(self, name)


@dataclass
class Plan:
    """Jobs by label."""

    jobs: dict[str, Job] = field(default_factory=dict)

    def find(self, pattern: str) -> list[Job]:
        """Jobs whose label matches a pattern of the shell."""
        return [job for label, job in self.jobs.items() if fnmatchcase(label, pattern)]

    def one(self, pattern: str) -> Job:
        """The first job that matches."""
        found = self.find(pattern)
        assert found, f"no job {pattern} among {', '.join(self.jobs)}"
        return found[0]


def plan(checkout: Path, folder: Path, config: Mapping, targets: Sequence[str]) -> Plan:
    """Plan targets of a configuration in a folder, as ``snakemake --dry-run`` does.

    Parameters
    ----------
    folder : working directory; relative paths of the configuration start there
    targets : rules and files. None of the files needs to exist or be missing.
    """
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(dict(config), sort_keys=False))
    with _quick(), SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        opened = api.workflow(
            resource_settings=ResourceSettings(cores=2),
            config_settings=ConfigSettings(configfiles=[path], replace_workflow_config=True),
            snakefile=checkout / "Snakefile",
            workdir=folder,
        )
        opened.dag(dag_settings=DAGSettings(targets=list(targets), force_incomplete=True))
        workflow = opened._workflow  # the API shows no jobs
        workflow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True)
        workflow._build_dag()
        jobs = [_job(job) for job in workflow.dag.jobs if job.output]
    return Plan({job.label: job for job in sorted(jobs, key=lambda job: job.label)})


def changes(before: Plan, after: Plan) -> dict[Change, tuple[object, object]]:
    """What another plan changes: values before and after, by job and name of the fact.

    A job that is only in one of the plans is a change ``removed`` or ``added``.
    """
    found: dict[Change, tuple[object, object]] = {}
    for label in before.jobs.keys() | after.jobs.keys():
        if label not in after.jobs or label not in before.jobs:
            found[label, "added" if label in after.jobs else "removed"] = (None, None)
            continue
        old, new = (dict(plan.jobs[label].facts()) for plan in (before, after))
        for name in old.keys() | new.keys():
            if repr(old.get(name)) != repr(new.get(name)):
                found[label, name] = (old.get(name), new.get(name))
    return found


def as_snakemake(job: Job, outputs: Path, config: Mapping, **inputs) -> SimpleNamespace:
    """The object ``snakemake`` of a script, whose outputs and log lie in a folder.

    Parameters
    ----------
    inputs : take the place of planned ones
    """
    moved = {name: _moved(value, outputs) for name, value in job.output.items()}
    log = _moved(job.log, outputs)
    return SimpleNamespace(
        params=Namedlist(fromdict=job.params),
        input=Namedlist(fromdict={**job.input, **inputs}),
        output=Namedlist(fromdict=moved),
        wildcards=Namedlist(fromdict=job.wildcards),
        log=Namedlist([log]),
        config=config,
        threads=1,
        rule=job.rule,
    )


def _moved(value: object, folder: Path) -> object:
    if isinstance(value, list):
        return [_moved(one, folder) for one in value]
    path = folder / str(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)


def _job(job) -> Job:
    wildcards = dict(job.wildcards.items())
    output = _named(job.output)
    return Job(
        rule=job.rule.name,
        label=" ".join([job.rule.name, "/".join(wildcards.values())]).strip(),
        wildcards=wildcards,
        params=dict(job.params.items()),
        input=_named(job.input),
        output=output,
        temporary=[
            name for name in output if any(is_flagged(f, "temp") for f in _list(job.output[name]))
        ],
        gpu=job.resources.get("gpu", 0),
        environment=loaded_rules.environment_of(job),
        log=str(job.log[0]) if job.log else "none.log",
        threads=job.threads,
    )


def _named(files: Namedlist) -> Files:
    named = {
        name: [str(f) for f in value] if isinstance(value, list) else str(value)
        for name, value in files.items()
    }
    unnamed = [str(file) for file in files if not named]
    return {**named, **({"": unnamed} if unnamed else {})}


def _list(value: object) -> list:
    return list(value) if isinstance(value, list) else [value]


def _leaves(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}", inner)
    else:
        yield name, value


_read: dict[tuple[str, int], tuple] = {}


def _parse(path, workflow, linemap: dict, overwrite_shellcmd=None, rulecount: int = 0) -> tuple:
    """As Snakemake's own, which reads each file of rules once only here."""
    key = (str(path), rulecount)
    if key not in _read:
        lines: dict[int, int] = {}
        _read[key] = (*parse(path, workflow, lines, overwrite_shellcmd, rulecount), lines)
    code, rules, lines = _read[key]
    linemap.update(lines)
    return code, rules


@contextmanager
def _quick() -> Iterator[None]:
    """Leave out what takes long and does not depend on the configuration."""
    with (
        mock.patch("snakemake.workflow.parse", _parse),
        mock.patch.object(sys, "argv", ["snakemake"]),  # where misspelt files are looked for
        mock.patch.object(fingerprint_store, "fingerprint", lambda *modules: "code"),
    ):
        yield
