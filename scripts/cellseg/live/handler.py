"""What a call of Snakemake shows: a line for each finished job, and a sign of life in between.

It takes the place of the handler that writes Snakemake's own words to the terminal. The log file
of Snakemake has those. What is neither about a job nor part of every call is shown as Snakemake
has it.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cellseg.errors import printable
from cellseg.io.terminal import WIDTH, cut, duration, path_lines, wrapped
from cellseg.io.wording import number_of
from cellseg.jobs import logs
from cellseg.live import findings
from cellseg.live.job import Job, Names
from cellseg.live.screen import Screen
from cellseg.live.work import Work, training_of

ORDINARY = (
    "Assuming unrestricted shared filesystem usage.", "Building DAG of jobs...",
    "Complete log(s):", "Conda environments: ignored", "Elapsed time:", "Execute ",
    "Group jobs: inactive", "Job stats:", "Reading ", "Removing temporary output ",
    "Select jobs to execute...", "Singularity containers: ignored", "Touching output file ",
    "Updating ", "Using shell:", "Workflow has started", "Write-protecting output file ",
)  # fmt: skip
"""How lines begin that every call prints."""

OF_JOBS = {"JOB_STARTED", "SHELLCMD", "RESOURCES_INFO", "RULEGRAPH", "DEBUG_DAG"}
"""Events that are not shown."""

OFTEN, SELDOM = 10.0, 300.0
"""Seconds without a line after which there is a sign of life, where lines cannot be rewritten."""
LONG = 1800.0
"""Seconds from which signs of life are seldom."""
REWRITTEN = 1.0
"""Seconds between two looks at what runs."""

COLUMN = 24
"""Width of the share and the time left in front of what was done."""


class Handler(logging.Handler):
    """Shows jobs by what they found.

    Parameters
    ----------
    instead_of : handler of Snakemake, for what is shown in its words
    planned : the jobs that the call will run, by their number; asked once they are known
    measured : seconds that jobs like one took in earlier calls, or None
    log_file : path of Snakemake's own log, or None; asked once it is known
    show_failed_logs : whether the logs of failed jobs are shown whole
    """

    def __init__(
        self,
        instead_of: logging.StreamHandler,
        planned: Callable[[], Mapping[int, Job]],
        measured: Callable[[Job], float | None],
        log_file: Callable[[], str | None],
        show_failed_logs: bool,
    ) -> None:
        super().__init__(instead_of.level)
        self.name = instead_of.name
        self._plain, self._planned, self._measured = instead_of, planned, measured
        self._log_file, self._show_failed_logs = log_file, show_failed_logs
        for chosen in instead_of.filters:
            self.addFilter(chosen)
        self.screen = Screen(instead_of.stream)
        self.work = Work([], measured)
        self.names = Names([])
        self._jobs: Mapping[int, Job] = {}
        self._failed: set[int] = set()
        self._done = self._n_jobs = 0
        self._began = self._shown = time.monotonic()
        self._ended = threading.Event()
        self._alive: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record, or leave it to Snakemake's log."""
        try:
            event = getattr(getattr(record, "event", None), "name", "")
            show = getattr(self, f"_on_{event.lower()}", None) if event else None
            if show is not None:
                show(vars(record))
            elif event not in OF_JOBS and not self._is_ordinary(record):
                self._in_snakemakes_words(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """End the signs of life. Snakemake closes its handlers at the end of a call."""
        self._ended.set()
        if self._alive is not None and self._alive is not threading.current_thread():
            self._alive.join(timeout=2 * REWRITTEN)
        self.screen.clear()
        super().close()

    # --- events of Snakemake ---

    def _on_workflow_started(self, _record: Mapping) -> None:
        """A run begins, or a plan that may take long."""
        self._began = self._shown = time.monotonic()
        self._alive = threading.Thread(target=self._stay_alive, daemon=True)
        self._alive.start()

    def _on_run_info(self, _record: Mapping) -> None:
        """All jobs are known."""
        self._jobs = self._planned()
        jobs = [job for job in self._jobs.values() if job.outputs]
        self.work, self.names = Work(jobs, self._measured), Names(jobs)
        self._n_jobs = len(jobs)
        self._began = time.monotonic()
        trainings = sum(1 for job in jobs if job.rule == "train")
        among = f", {number_of(trainings, 'training')} among them" if trainings else ""
        log_file = self._log_file()
        where = path_lines(f"Snakemake's log: {log_file}", "") if log_file else []
        self._lines([f"{number_of(self._n_jobs, 'job')}{among}.", *where])

    def _on_job_info(self, record: Mapping) -> None:
        job = self._jobs.get(record["jobid"])
        if job is not None:
            self._failed.discard(record["jobid"])
            self.work.start(job, time.monotonic())

    def _on_job_finished(self, record: Mapping) -> None:
        job = self._jobs.get(record["job_id"])
        if job is None or not job.outputs:
            return
        self._done += 1
        now = time.monotonic()
        self.work.finish(job, now)
        found = findings.of(job)
        self._lines(
            [
                *_entry(self._where(now), self.names.done(job) + (f": {found}" if found else "")),
                *(line for said in findings.warnings(job) for line in _entry("", said)),
            ]
        )

    def _on_progress(self, record: Mapping) -> None:
        if record["done"] == record["total"]:
            took = duration(time.monotonic() - self._began)
            jobs = number_of(self._n_jobs, "job")
            self._lines([f"{'100 %':<{COLUMN}}done: {jobs} in {took}"])

    def _on_job_error(self, record: Mapping) -> None:
        number = record["jobid"]
        job = self._jobs.get(number)
        if number in self._failed or job is None:
            return
        self._failed.add(number)
        self.work.fail(job)
        self._lines(["", f"FAILED: {self.names.doing(job)}", *self._error_of(job, record), ""])

    def _on_error(self, record: Mapping) -> None:
        """An exception; of a job that failed, JOB_ERROR follows with the job's own message."""
        text = str(record["msg"])
        of_script = record.get("exception") == "RuleException" and "CalledProcessError" in text
        if not of_script:
            self._lines(printable(text, kept="\n\t").splitlines())

    # --- words ---

    def _error_of(self, job: Job, record: Mapping) -> list[str]:
        """The job's own message, with its log whole if asked for."""
        lines = []
        for path in job.logs:
            text = logs.end(Path(path))
            if self._show_failed_logs and text.strip():
                lines += [f"Log {path}:", *text.rstrip().splitlines()]
            else:
                lines += [*_error_in(text), f"Log: {path}"]
            if logs.last_error(text) is None:
                lines += wrapped(
                    "Its log names no error: the job was killed, perhaps for want of memory, or "
                    "could not start. See above for what it printed."
                )
        if not job.logs:
            lines.append(str(record.get("rule_msg") or record.get("msg") or ""))
        return [printable(line, kept="\t") for line in lines]

    def _where(self, now: float) -> str:
        """Share of the work that is done and the time left; of jobs, where that is not known."""
        known = self.work.estimate(now, self._began)
        if known is None:
            return f"{self._done:3d} of {number_of(self._n_jobs, 'job')}"
        share, left = known
        return f"{min(int(100 * share), 99):3d} %  {duration(left):>10} left"

    def _doing(self, now: float) -> str:
        """What runs now, the longest running first, and how far each is; in short if need be."""
        running = sorted(self.work.running(), key=lambda one: one[1])
        whole = "; ".join(self._how_far(job, now - began) for job, began in running)
        if len(whole) <= WIDTH - COLUMN - 2:
            return whole
        return "; ".join(self._in_short(job, now - began) for job, began in running)

    def _in_short(self, job: Job, seconds: float) -> str:
        """As ``train featurenet/…/seed-1 (75 %)``."""
        parts = self.names.doing(job).split("/")
        name = "/".join([parts[0], "…", parts[-1]] if len(parts) > 2 else parts)
        training = training_of(job)
        how = duration(seconds) if training is None else f"{training.share:.0%}".replace("%", " %")
        return f"{name} ({how})"

    def _how_far(self, job: Job, seconds: float) -> str:
        name = self.names.doing(job)
        training = training_of(job)
        if training is None:
            last = findings.last_line(job)
            return f"{name} ({duration(seconds)}{f': {last}' if last else ''})"
        epoch = min(training.epoch + 1, training.epochs)
        within = f", step {training.step}/{training.steps_per_epoch}" * bool(training.step)
        return f"{name} (epoch {epoch}/{training.epochs}{within})"

    def _now(self, now: float) -> str:
        if not self._n_jobs:
            return f"planning ({duration(now - self._began)})"
        doing = printable(self._doing(now) or "starting the next jobs")
        return f"{self._where(now):<{COLUMN}}… {doing}"

    def _lines(self, lines: Sequence[str]) -> None:
        self._shown = time.monotonic()
        self.screen.lines(lines)

    def _in_snakemakes_words(self, record: logging.LogRecord) -> None:
        self.screen.clear()
        self._shown = time.monotonic()
        self._plain.emit(record)

    def _is_ordinary(self, record: logging.LogRecord) -> bool:
        return record.levelno < logging.WARNING and (
            not record.msg or str(record.msg).lstrip().startswith(ORDINARY)
        )

    # --- signs of life ---

    def _stay_alive(self) -> None:
        while not self._ended.wait(REWRITTEN):
            # Whoever has the lock shows something, or waits for this thread to end.
            if self.lock.acquire(blocking=False):
                with suppress(Exception):  # no call fails for want of its sign of life
                    self._show_life(time.monotonic())
                self.lock.release()

    def _show_life(self, now: float) -> None:
        often = OFTEN if now - self._began < LONG else SELDOM
        if self.screen.interactive:
            self.screen.status(self._now(now))
        elif now - self._shown >= often - REWRITTEN:
            self._lines([cut(self._now(now))])


def _entry(where: str, text: str) -> list[str]:
    """A text behind the share and time left, on as many lines as it takes.

    Lines end at spaces; of a path that is too long for one, after a slash.
    """
    lines = [f"{where:<{COLUMN}}"]
    room = WIDTH - COLUMN
    for word in printable(text).split(" "):
        for piece in [word] if len(word) <= room else re.findall(r"[^/]*/|[^/]+", word):
            if len(lines[-1]) + len(piece) > WIDTH and lines[-1].strip():
                lines.append(" " * COLUMN)
            lines[-1] += piece
        lines[-1] += " "
    return [line.rstrip() for line in lines]


def _error_in(log: str) -> list[str]:
    """The last error of a log: from its first line on to the end of the log."""
    lines = log.rstrip().splitlines()
    error = logs.last_error(log)
    if error is None:
        return []
    return lines[len(lines) - 1 - lines[::-1].index(error) :]
