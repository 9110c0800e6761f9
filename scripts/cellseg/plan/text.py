"""The plan of a study as text for a terminal: one screen, at most 100 columns wide."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from cellseg.io.terminal import UNKNOWN, aligned, cut, duration, wrapped
from cellseg.io.wording import number_of
from cellseg.plan.hours import ASSUMED, GIVEN, ModelHours
from cellseg.plan.jobs import Jobs

MODELS = 12
"""Models that get a row."""
NAME, REASON = 18, 18
"""Width of a rule's name and of its reason, in two columns of rules."""


def lines(
    jobs: Jobs,
    space: Sequence[str],
    models: Sequence[ModelHours],
    early_stopping: bool,
    accelerator: str = "cpu",
) -> list[str]:
    """What to print.

    Parameters
    ----------
    space : see :func:`cellseg.space.plan.lines`
    early_stopping : whether a training may end before its last epoch
    accelerator : of the configuration; time on a GPU is given in GPU-hours
    """
    parts = [_jobs(jobs), _space(space), _trainings(models, early_stopping, accelerator == "gpu")]
    return [cut(line.rstrip()) for part in parts for line in (*part, "")][:-1]


def _jobs(jobs: Jobs) -> list[str]:
    if not jobs.counts:
        return ["Jobs: none, all results exist and are up to date."]
    cells = [
        f"{rule:<{NAME}} {count:>6,}  {_reason(jobs.reasons.get(rule, {})):<{REASON}}"
        for rule, count in jobs.counts.items()
    ]
    half = -(-len(cells) // 2)
    pairs = zip_longest(cells[:half], cells[half:], fillvalue="")
    rows = [f"  {one}    {other}" for one, other in pairs]
    return [f"Jobs: {sum(jobs.counts.values()):,}, by rule, with the most frequent reason", *rows]


def _reason(counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    most = max(counts, key=counts.get)
    return f"{most}, …" if len(counts) > 1 else most


def _space(space: Sequence[str]) -> list[str]:
    return [
        line
        for sentence in space
        for line in wrapped(sentence.strip(), "  ", "  " if sentence.startswith(" ") else "")
    ]


def _trainings(models: Sequence[ModelHours], early_stopping: bool, on_gpu: bool) -> list[str]:
    if not models:
        return ["Trainings: none."]
    largest = sorted(models, key=lambda model: -model.steps)
    time = "GPU-hours" if on_gpu else "time"
    rows = [["model", "runs", "steps", "tiles seen", "ms a step", time, "step time from"]]
    rows += [_row(model, on_gpu) for model in largest[:MODELS]]
    if len(models) > 1:
        in_part = any(model.n_unknown or not model.source for model in models)
        rows.append(_row(_total(models), on_gpu, at_least=in_part))
    table = aligned(rows)
    rest = largest[MODELS:]
    more = [f"  and {number_of(len(rest), 'more model')}"] if rest else []
    return [
        f"Trainings: {sum(model.trainings for model in models):,}, by model",
        *table,
        *more,
        *(line for note in _notes(models, early_stopping) for line in wrapped(note, "  ", "  ")),
    ]


def _row(model: ModelHours, on_gpu: bool, at_least: bool = False) -> list[str]:
    """Cells of a row; `at_least` marks a time in which that of some models is missing."""
    about = "" if model.exact else "~"
    numbers = [f"{about}{number:,}" if model.steps else UNKNOWN
               for number in (model.steps, model.tiles)]  # fmt: skip
    known = model.hours is not None and model.steps
    pace = f"{3_600_000 * model.hours / model.steps:,.0f}" if known and model.model else ""
    time = UNKNOWN
    if model.hours is not None:
        time = f"{model.hours:,.1f}" if on_gpu else duration(3600 * model.hours)
    time = time if model.hours is None else f"{'>' if at_least else about}{time}"
    return [model.model or "all", f"{model.trainings:,}", *numbers, pace or UNKNOWN, time,
            model.source or UNKNOWN]  # fmt: skip


def _total(models: Sequence[ModelHours]) -> ModelHours:
    """All models in one, with the hours that are known."""
    hours = [model.hours for model in models if model.hours is not None]
    return ModelHours(
        model="",
        trainings=sum(model.trainings for model in models),
        n_unknown=sum(model.n_unknown for model in models),
        steps=sum(model.steps for model in models),
        tiles=sum(model.tiles for model in models),
        hours=sum(hours) if hours else None,
        exact=all(model.exact for model in models),
        source="",
    )


def _notes(models: Sequence[ModelHours], early_stopping: bool) -> list[str]:
    """Sentences on what the numbers rest on."""
    total = _total(models)
    notes = []
    if total.n_unknown:
        notes.append(
            f"Steps of {number_of(total.n_unknown, 'training')} are not known before their images "
            "are read (snakemake data), and not counted."
        )
    if not total.exact:
        notes.append(
            "~: estimated, for the images are not read yet. Every cell type counts as equally "
            "frequent."
        )
    untimed = [model.model for model in models if not model.source]
    if untimed:
        others = f" and {len(untimed) - 3} more" if len(untimed) > 3 else ""
        notes.append(
            f"Time of {', '.join(untimed[:3])}{others}: not known until one run of this model has "
            "finished with these settings. Or give milliseconds a step: STEP_MS=120, or "
            "STEP_MS='MODEL=120 …', or `step_ms` in the configuration."
        )
    if len(untimed) < len(models):
        notes.append("Time: of training alone, one training at a time.")
    if any(model.source in (GIVEN, ASSUMED) for model in models):
        notes.append(
            "Given and assumed times: a step of validation is included as a third of a training "
            "step, waiting for data is not."
        )
    if early_stopping:
        notes.append("Early stopping may end a training before its last epoch.")
    return notes
