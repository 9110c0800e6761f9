"""Which jobs of the workflow run or wait now: what Slurm says, and Snakemake's own marks."""

import binascii
import os
import shutil
import signal
import subprocess
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from cellseg.io import tolerant

RUNNING, QUEUED = "running", "queued"
TIMEOUT = 10  # seconds for squeue
WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"}
ENDED = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
    "PREEMPTED", "REVOKED", "TIMEOUT",
}  # fmt: skip


@dataclass
class SlurmJobs:
    """Jobs of this study that squeue lists, RUNNING or QUEUED, by their number and comment."""

    by_id: dict[str, str] = field(default_factory=dict)
    by_comment: dict[str, str] = field(default_factory=dict)


@dataclass
class Marks:
    """Outputs that Snakemake marked as begun, whether its lock is held, and its folder there.

    The mark of an output holds the number of its Slurm job until that job starts, then None. So a
    job of a group is found, whose comment in Slurm names rules and no run.
    """

    begun: dict[str, str | None] = field(default_factory=dict)
    locked: bool = False
    there: bool = False


def slurm_comment(rule: str, wildcards: Iterable[str]) -> str:
    """What the executor plugin writes into the comment of a rule's job.

    Wildcards are in the order in which they come in the rule's output; the plugin puts `_` for `/`.
    """
    return f"rule_{rule}_wildcards_" + "_".join(wildcards).replace("/", "_")


def job_name_prefix(profile: Path) -> str:
    """``slurm-jobname-prefix`` of a Snakemake profile; empty where there is none."""
    try:
        content = yaml.safe_load(profile.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return ""
    return str(content.get("slurm-jobname-prefix", "")) if isinstance(content, dict) else ""


def ask_slurm(prefix: str, folder: Path) -> tuple[SlurmJobs | None, str]:
    """Ask squeue once for this user's jobs of a checkout, see :func:`parse_squeue`.

    Returns
    -------
    SlurmJobs, or None where there is no squeue or it gave no answer
    str : what went wrong; empty when nothing did
    """
    if shutil.which("squeue") is None:
        return None, ""
    command = ["squeue", "--noheader", f"--user={os.getuid()}", "--format=%i|%T|%j|%Z|%k"]
    try:
        # A separate session: processes that squeue started end with it.
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            stdin=subprocess.DEVNULL, text=True, encoding="utf-8", errors="replace",
        ) as asked:  # fmt: skip
            try:
                answer, complaint = asked.communicate(timeout=TIMEOUT)
            except BaseException:
                os.killpg(asked.pid, signal.SIGKILL)
                raise
    except subprocess.TimeoutExpired:
        return None, f"squeue gave no answer within {TIMEOUT} s"
    except OSError as error:
        return None, f"squeue could not be started ({error.strerror})"
    if asked.returncode:
        lines = complaint.strip().splitlines()
        return None, f"squeue failed ({lines[-1] if lines else f'status {asked.returncode}'})"
    return parse_squeue(answer, prefix, folder), ""


def parse_squeue(answer: str, prefix: str, folder: Path) -> SlurmJobs:
    """Jobs of a checkout in lines ``number|state|name|working folder|comment``.

    Those whose name starts with `prefix` and whose working folder is `folder`: two checkouts of one
    user may have jobs of the same name and comment.
    """
    here = os.path.realpath(folder)
    jobs = SlurmJobs()
    for line in answer.splitlines():
        fields = line.strip().split("|", 4)
        if len(fields) < 5:
            continue
        number, state, name, place, comment = fields
        if not name.startswith(prefix) or os.path.realpath(place) != here:
            continue
        if state in ENDED or not comment.startswith("rule_"):
            continue
        state = QUEUED if state in WAITING else RUNNING
        jobs.by_id[number] = state
        if jobs.by_comment.get(comment) != RUNNING:
            jobs.by_comment[comment] = state
    return jobs


def read_marks(folder: Path) -> Marks:
    """Marks in a ``.snakemake`` folder; none where it is not there."""
    marks = Marks(there=folder.is_dir())
    try:
        marks.locked = any((folder / "locks").iterdir())
    except OSError:
        marks.locked = False
    root = folder / "incomplete"
    for place, _, names in os.walk(root):
        for name in names:
            path = Path(place, name)
            # A name too long for the file system is split into folders: @first/@second/rest.
            parts = [part.removeprefix("@") for part in path.relative_to(root).parts]
            try:
                output = urlsafe_b64decode("".join(parts)).decode()
            except (binascii.Error, UnicodeDecodeError):
                continue
            content = tolerant.json_file(path)
            number = content.get("external_jobid") if isinstance(content, dict) else None
            marks.begun[output] = None if number is None else str(number)
    return marks


def rules_besides(slurm: SlurmJobs, known: set[str]) -> dict[str, int]:
    """Number of jobs of each rule whose comment is not among the `known`; groups go as such."""
    others = (comment for comment in slurm.by_comment if comment not in known)
    return dict(
        Counter(
            comment.removeprefix("rule_").partition("_wildcards_")[0]
            if "_wildcards_" in comment
            else "group"
            for comment in others
        )
    )
