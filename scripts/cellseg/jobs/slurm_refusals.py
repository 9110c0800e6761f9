"""Jobs that sbatch refuses: what to change, in one line, and no further attempt."""

import re
from collections.abc import Callable

from cellseg.jobs.cluster import PLACE

REFUSED = ("SLURM sbatch failed", "Job submission failed")
"""How messages begin that Snakemake's Slurm plugin reports then."""

PASSING = re.compile(
    r"timed out|unable to contact|temporarily|connection (refused|reset|failure)|"
    r"job submit limit|zero bytes|transmitted|communication",
    re.I,
)
"""Answers of a cluster that is busy or away: another attempt may do."""

CAUSES = (
    (r"memory specification", "no node has that much memory. Lower `max_mem_mb` in {place}"),
    (
        r"cpu count|processors",
        "no node has that many processors. Ask for fewer: --set-threads {rule}=N",
    ),
    (r"partition specified|partition name", "there is no such `slurm_partition` in {place}"),
    (r"account", "`slurm_account` in {place} is missing or none of yours"),
    (r"time limit", "the partition allows less time. Lower `max_runtime` in {place}"),
    (r"feature", "no node has the features of `constraint` in {place}"),
    (r"gres|generic resource|gpu", "no node has the GPU of `gpu_model` or `gres` in {place}"),
    (r"qos", "change `qos` in {place}"),
    (
        r"node configuration|partition",
        "no node of the partition has what it asks for. Look at `slurm_partition`, `gpu_model`, "
        "`gres` and `constraint` in {place}, or ask for fewer processors: --set-threads {rule}=N",
    ),
)
"""What sbatch's answer says of the cause, the surer ones first."""


def advice(message: str, rule: str) -> str | None:
    """One line on what to change; None for what is no final refusal.

    Parameters
    ----------
    message : that the plugin reports of a job
    rule : of the job, or the name of its group
    """
    if not message.startswith(REFUSED):
        return None
    said, _, call = message.partition("sbatch call:")
    said = " ".join(said.split())
    answer = said.partition("The error message was '")[2] or said
    answer = answer.replace("sbatch: error: ", "").rstrip("'. ")
    if PASSING.search(answer):
        return None
    if excluded := re.search(r"--exclude=(\S+)", call):
        text = (
            f"jobs failed on {excluded[1]}, and no other node will do. Run the command again later"
        )
        return f"Slurm refuses jobs of {rule}: {text}. ({answer})"
    for cause, text in CAUSES:
        if re.search(cause, answer, re.I):
            text = text.format(place=PLACE, rule=rule)
            return f"Slurm refuses jobs of {rule}: {text}. ({answer})"
    return f"Slurm refuses jobs of {rule}: {answer}. Look at {PLACE}."


def watch(executor: type, say: Callable[[str], None]) -> None:
    """Say what to change when sbatch refuses a job, and let no attempt of it follow.

    Each attempt would ask for more. Snakemake shows of a group not even what sbatch said.

    Parameters
    ----------
    executor : class of Snakemake's executor plugin; its ``report_job_error`` is wrapped
    say : called once with each line
    """
    report, printed = executor.report_job_error, set()

    def report_job_error(self, job_info, msg=None, **more):
        job = job_info.job
        line = advice(msg or "", str(getattr(job, "name", "a rule")))
        if line is not None:
            # The last attempt: Snakemake compares the number of attempts with that of retries.
            job.attempt = max(job.attempt, job.restart_times + 1)
            if line not in printed:
                printed.add(line)
                say(line)
        return report(self, job_info, msg=msg, **more)

    executor.report_job_error = report_job_error
