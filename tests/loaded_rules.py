"""The rules of a checkout and the jobs that they make of a study, as Snakemake sees them."""

import gc
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import yaml
from snakemake.api import SnakemakeApi
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
)


@dataclass
class Rule:
    """A rule with a script: its file, and the names that the rule declares."""

    script: Path
    names: dict[str, set[str]]


@dataclass
class Job:
    """A job of a plan that would start from nothing."""

    rule: str
    wildcards: dict[str, str]
    inputs: list[str]
    params: dict[str, object]
    log: list[str]
    benchmark: str | None
    environment: str


def load(folder: Path, config: dict, targets: Sequence[str]) -> tuple[dict[str, Rule], dict]:
    """Rules of the checkout in `folder`, and the jobs that make the targets by their outputs."""
    try:
        return _load(folder, config, targets)
    finally:
        with warnings.catch_warnings():  # Snakemake leaves its temporary folders to Python
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def _load(folder: Path, config: dict, targets: Sequence[str]) -> tuple[dict[str, Rule], dict]:
    study = folder / "loaded.yaml"
    study.write_text(yaml.safe_dump(config, sort_keys=False))
    before = os.getcwd()
    quiet = OutputSettings(quiet={Quietness.ALL})
    given = ConfigSettings(configfiles=[study], replace_workflow_config=True)
    try:
        # Rules look at the arguments of the call of Snakemake.
        with patch.object(sys, "argv", ["snakemake"]), SnakemakeApi(quiet) as api:
            workflow = api.workflow(
                resource_settings=ResourceSettings(cores=1),
                config_settings=given,
                snakefile=folder / "Snakefile",
                workdir=folder,
            )
            workflow.dag(DAGSettings(targets=frozenset(targets)))
            loaded = workflow._workflow
            loaded._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True)
            loaded._build_dag()
            rules = {rule.name: _rule(rule) for rule in loaded.rules if rule.script}
            jobs = {tuple(map(str, job.output)): _job(job) for job in loaded.dag.jobs if job.output}
    finally:
        os.chdir(before)
    return rules, jobs


def _rule(rule) -> Rule:
    kinds = ("input", "output", "params")
    names = {kind: set(getattr(rule, kind).keys()) for kind in kinds}
    names["wildcards"] = set(rule.wildcard_names)
    return Rule((Path(str(rule.basedir)) / rule.script).resolve(), names)


def _job(job) -> Job:
    wildcards = dict(job.wildcards.items())
    return Job(
        job.rule.name,
        wildcards,
        list(map(str, job.input)),
        dict(job.params.items()),
        list(map(str, job.log)),
        str(job.benchmark) if job.benchmark else None,
        environment_of(job),
    )


def environment_of(job) -> str:
    """File name of a job's conda environment; empty for none."""
    found = job.rule.conda_env
    found = found(job.wildcards) if callable(found) else found
    return Path(str(found or "")).name
