"""The cluster that jobs go to: the first block of the Slurm profile, and what Slurm says of it.

Snakemake replaces whole lists: ``--set-resources train:mem_mb=5000`` drops all that a profile has
below ``set-resources``. So partitions, kind of GPU and limits are in a block that Snakemake does
not read, and the rules take them from here.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from cellseg.errors import UserError
from cellseg.study import spelling

VARIABLE = "LIVECELL_CLUSTER"
"""Environment variable by which the profile passes its block on, as JSON; jobs inherit it."""

PLACE = "the block `cluster` of the Slurm profile (workflow/profiles/slurm/config.yaml)"

SIGNAL = "--signal=TERM@120"
"""For sbatch: TERM so many seconds before the time limit. The training saves its state on it."""

OF_RULES = {
    "gpu": "`accelerator` in the config",
    "mem": "`max_mem_mb`",
    "mem_mb": "`max_mem_mb`",
    "runtime": "`max_runtime`",
    "serial": "`groups` below the block",
}
"""Resources that rules ask for themselves, and what decides them."""

GROUPED = 50
"""Jobs that a group has at most, by `group-components` of the profile. Its time is their sum, and
Slurm never starts what asks for more time than its partition allows."""

TIMEOUT = 10  # seconds for sinfo


@dataclass(frozen=True)
class Cluster:
    """What a user says of a cluster.

    Attributes
    ----------
    jobs : resources of every job, such as slurm_partition and slurm_account
    gpu_jobs : those of jobs with a GPU, where they differ
    max_mem_mb : the most memory that a job asks for, MB; None takes what Slurm says
    max_runtime : the most time that a job asks for, minutes
    """

    jobs: Mapping[str, str | int] = field(default_factory=dict)
    gpu_jobs: Mapping[str, str | int] = field(default_factory=dict)
    max_mem_mb: int | None = None
    max_runtime: int = 24 * 60


@dataclass(frozen=True)
class Partition:
    """Memory of the largest node of a partition, MB, and whether jobs go there by default."""

    memory: int
    default: bool


def read(text: str | None) -> Cluster | None:
    """The block of the profile, checked; None without one.

    Parameters
    ----------
    text : value of :data:`VARIABLE`, or None

    Raises
    ------
    UserError
        A key is unknown, or a value is not of its kind.
    """
    if not text:
        return None
    block = json.loads(text) or {}
    if not isinstance(block, dict):
        raise UserError(f"{PLACE} is {block!r}. Write it as a mapping.")
    for key in block:
        spelling.check(PLACE, key, Cluster.__dataclass_fields__)
    given = {key: value for key, value in block.items() if value is not None}
    for key in ("jobs", "gpu_jobs"):
        if key in given:
            given[key] = _resources(key, given[key])
    for key in ("max_mem_mb", "max_runtime"):
        value = given.get(key, 1)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            unit = "MB" if key == "max_mem_mb" else "minutes"
            raise UserError(f"{PLACE}: `{key}` is {value!r}. Write a whole number of {unit}.")
    return Cluster(**given)


def of_networks(cluster: Cluster | None, gpu: bool) -> dict[str, str | int]:
    """Resources of jobs that train or apply networks, besides memory, time and the GPU itself.

    Parameters
    ----------
    gpu : whether the study computes on GPUs; without one such jobs go where all others go
    """
    if cluster is None:
        return {}
    chosen = {**cluster.gpu_jobs} if gpu else {}
    extra = chosen.get("slurm_extra", cluster.jobs.get("slurm_extra", ""))
    return {**chosen, "slurm_extra": f"{SIGNAL} {extra}".strip()}


def counts_gpus(cluster: Cluster | None) -> bool:
    """Whether GPUs are asked for by their number (``--gpus``), and not by ``gres``."""
    return cluster is None or "gpu" not in str(cluster.gpu_jobs.get("gres", ""))


def ask_slurm() -> dict[str, Partition]:
    """Partitions of the cluster by name, from sinfo; empty where it gives no answer."""
    command = ["sinfo", "--all", "--exact", "--noheader", "--format=%P|%m"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    return parse_sinfo(done.stdout)


def parse_sinfo(answer: str) -> dict[str, Partition]:
    """Partitions by name; lines ``name|memory``, the default partition's name with a star."""
    found: dict[str, Partition] = {}
    for line in answer.splitlines():
        name, _, memory = line.strip().partition("|")
        amount = memory.rstrip("+")
        if amount.isdecimal():
            default, name = name.endswith("*"), name.removesuffix("*")
            before = found.get(name, Partition(0, default)).memory
            found[name] = Partition(max(before, int(amount)), default)
    return found


def check_partitions(cluster: Cluster, gpu: bool, known: Mapping[str, Partition]) -> None:
    """Refuse partitions that the cluster does not have.

    Parameters
    ----------
    gpu : whether the study computes on GPUs
    known : from :func:`ask_slurm`; empty checks nothing

    Raises
    ------
    UserError
        Names the key and the nearest partition that exists.
    """
    parts = {"jobs": cluster.jobs, **({"gpu_jobs": cluster.gpu_jobs} if gpu else {})}
    for key, resources in parts.items():
        elsewhere = {"cluster", "clusters", "slurm_cluster"} & {*cluster.jobs, *resources}
        for name in _partitions(resources) if known and not elsewhere else []:
            spelling.check(f"{PLACE}: `{key}: slurm_partition`", name, known)


def most_memory(cluster: Cluster, gpu: bool, known: Mapping[str, Partition]) -> int | None:
    """The most memory that a job may ask for, MB: as the block says, else of the largest node.

    Where partitions differ it is the smaller one's, so that no job is refused anywhere.

    Parameters
    ----------
    gpu : whether the study computes on GPUs
    known : from :func:`ask_slurm`

    Returns
    -------
    int, or None where neither says
    """
    if cluster.max_mem_mb is not None:
        return cluster.max_mem_mb
    default = [name for name, partition in known.items() if partition.default]
    everywhere = _partitions(cluster.jobs) or default
    used = [everywhere, (_partitions(cluster.gpu_jobs) or everywhere) if gpu else everywhere]
    largest = [
        max(known[name].memory for name in group if name in known)
        for group in used
        if any(name in known for name in group)
    ]
    return min(largest, default=None)


def _partitions(resources: Mapping[str, str | int]) -> list[str]:
    """Names in a resource's comma-separated list."""
    return [name for name in str(resources.get("slurm_partition", "")).split(",") if name]


def _resources(key: str, value: object) -> dict[str, str | int]:
    """Resources of a part of the block; those without a value are left out."""
    if not isinstance(value, dict):
        raise UserError(f"{PLACE}: `{key}` is {value!r}. Write resources below it, `name: value`.")
    for name, inner in value.items():
        if name in OF_RULES:
            raise UserError(
                f"{PLACE}: `{key}` may not set `{name}`, which {OF_RULES[name]} decides. For one "
                f"rule: --set-resources RULE:{name}=VALUE."
            )
        if not str(name).isidentifier() or isinstance(inner, dict | list | float | bool):
            raise UserError(f"{PLACE}: `{key}: {name}` is {inner!r}. Write a word or whole number.")
    return {name: inner for name, inner in value.items() if inner is not None}
