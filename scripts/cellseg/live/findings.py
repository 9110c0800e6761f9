"""What a finished job found, in a few words: from what it wrote into its files and its log."""

from collections.abc import Callable
from pathlib import Path
from statistics import mean

from cellseg.io import run_files, tolerant
from cellseg.io.terminal import duration
from cellseg.io.wording import number_of
from cellseg.jobs import logs
from cellseg.live.job import DOING, Job

WARNING = "Warning:"
FOUND = "Found "
"""How the line of a log begins that says how many cells ``apply`` found."""


def of(job: Job) -> str:
    """What the job found; empty if no file says.

    A rule has a function in :data:`READ`. Of others it is the last line of the log, else the path
    of the picture or page that was written.
    """
    read = READ.get(job.rule)
    return (read(job) if read else "") or _in_sentence(_last_line(job), job) or _shown(job)


def warnings(job: Job) -> list[str]:
    """Lines of the job's log that a user should read: those that begin with ``Warning:``.

    Of ``apply`` also its doubts, which come between what it found and the page to open.
    """
    lines = _lines(job)
    said = [line for line in lines if line.startswith(WARNING)]
    if job.rule == "apply":
        found = [number for number, line in enumerate(lines) if line.startswith(FOUND)]
        said += lines[found[-1] + 1 : -1] if found else []
    return said


def last_line(job: Job) -> str:
    """The last line of the log of a job that runs; empty where there is none."""
    return _last_line(job)


def _trained(job: Job) -> str:
    """Steps, time and the validation loss of the last epoch."""
    history = tolerant.table(_output(job, run_files.HISTORY))
    record = tolerant.json_file(_output(job, run_files.PROVENANCE))
    if not history or not isinstance(record, dict):
        return ""
    steps, seconds = (tolerant.number(record.get(name)) for name in ("steps", "seconds"))
    loss = tolerant.number(history[-1].get("val_loss"))
    said = [] if steps is None else [f"{number_of(int(steps), 'step')} in {duration(seconds)}"]
    return ", ".join([*said, *([] if loss is None else [f"validation loss {loss:.4f}"])])


def _scored(job: Job) -> str:
    """Mean F1 over images, small objects included."""
    rows = tolerant.table(_output(job, run_files.METRICS))
    kept = [row for row in rows if row.get("small_objects") == "kept"]
    scores = [tolerant.number(row.get("f1_50")) for row in kept]
    known = [score for score in scores if score is not None]
    if not known:
        return ""
    return f"F1 at IoU 0.5 {mean(known):.3f}, mean of {number_of(len(known), 'image')}"


def _applied(job: Job) -> str:
    said = [line for line in _lines(job) if line.startswith(FOUND)]
    return said[-1].removeprefix(FOUND).removesuffix(".") if said else ""


READ: dict[str, Callable[[Job], str]] = {
    "train": _trained,
    "score": _scored,
    "score_from_outside": _scored,
    "apply": _applied,
}


def _output(job: Job, name: str) -> Path:
    """The output of that name; a path that does not exist where there is none."""
    return next((Path(path) for path in job.outputs if Path(path).name == name), Path(name, name))


def _lines(job: Job) -> list[str]:
    text = "\n".join(logs.end(Path(path)) for path in job.logs)
    return [line.strip() for line in text.splitlines() if line.strip()]


def _last_line(job: Job) -> str:
    said = [line for line in _lines(job) if not line.startswith(WARNING)]
    return said[-1].removesuffix(".") if said else ""


def _in_sentence(line: str, job: Job) -> str:
    """A line of a log behind a colon, without the verb that is in front of it already."""
    first, _, rest = line.partition(" ")
    if first.lower() == DOING.get(job.rule, (job.rule,))[-1].split()[0]:
        return rest
    return first[:1].lower() + first[1:] + (f" {rest}" if rest else "") if first.istitle() else line


def _shown(job: Job) -> str:
    """What a person would open."""
    for ending in (".html", ".png", ".jpg", ".pdf", ".csv"):
        found = [path for path in job.outputs if path.endswith(ending)]
        if found:
            return found[0]
    return ""
