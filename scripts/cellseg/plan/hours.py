"""Hours that trainings take, from the time of a step in finished runs with the same settings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from types import MappingProxyType

from cellseg.io import run_files, tolerant
from cellseg.io.wording import number_of
from cellseg.plan.steps import Training
from cellseg.study.runs import Run, is_trained, run_settings
from cellseg.training.ensemble import CELL_TYPE

NOT_TIMED = ("epochs", "steps", "learning_rate", "schedule", "early_stopping", "checkpoint")
"""Settings of a training that do not change the time of its steps."""
CPU = "cpu"
"""An accelerator of the configuration, and the device that a run on it records."""
FORWARD = 1 / 3
"""Of a training step's time, that a step of a validation is taken to need: a gradient costs about
two forward passes. Only where the time of a step was not measured with validations."""
GIVEN, ASSUMED = "given", "assumed, config"
"""Sources of times that were not measured."""


@dataclass(frozen=True)
class Measured:
    """A finished run: milliseconds a step, waiting and validation included, and on what."""

    run: Run
    step_ms: float
    device: str


@dataclass(frozen=True)
class ModelHours:
    """The trainings of one model.

    Attributes
    ----------
    trainings, n_unknown : all, and those whose steps are not known
    steps, tiles : of those whose steps are known
    hours : of the same; None where no time of a step is known
    exact : whether all steps were counted
    source : where the time of a step is from; empty if there is none
    """

    model: str
    trainings: int
    n_unknown: int
    steps: int
    tiles: int
    hours: float | None
    exact: bool
    source: str


def by_model(
    trainings: Sequence[Training],
    finished: Sequence[Measured],
    given: Mapping[str, float],
    assumed: Mapping[str, float] = MappingProxyType({}),
) -> list[ModelHours]:
    """Hours of trainings by model, in the order of the trainings.

    Parameters
    ----------
    finished : see :func:`measured`
    given : milliseconds a step by model, which count instead of measured ones
    assumed : the same, which count where none are given or measured
    """
    models: dict[str, list[Training]] = {}
    for training in trainings:
        models.setdefault(training.run.model, []).append(training)
    return [
        _of_model(model, some, [run for run in finished if run.run.model == model], given, assumed)
        for model, some in models.items()
    ]


def _of_model(
    model: str,
    trainings: Sequence[Training],
    finished: Sequence[Measured],
    given: Mapping[str, float],
    assumed: Mapping[str, float],
) -> ModelHours:
    known = [training for training in trainings if training.steps is not None]
    hours, source = None, ""
    if model in given:
        hours, source = _with_validation(known) * given[model], GIVEN
    elif finished:
        hours = sum(training.steps * _step_ms(training.run, finished) for training in known)
        devices = ", ".join(sorted({run.device for run in finished}))
        source = f"{number_of(len(finished), 'run')} on {devices}"
    elif model in assumed:
        hours, source = _with_validation(known) * assumed[model], ASSUMED
    return ModelHours(
        model=model,
        trainings=len(trainings),
        n_unknown=len(trainings) - len(known),
        steps=sum(training.steps for training in known),
        tiles=sum(training.tiles for training in known),
        hours=None if hours is None or not known else hours / 3_600_000,
        exact=all(training.exact for training in known),
        source=source,
    )


def _with_validation(trainings: Iterable[Training]) -> float:
    """Training steps that take as long as those of trainings and their validations."""
    return sum(one.steps + FORWARD * one.validation_steps for one in trainings)


def _step_ms(run: Run, finished: Sequence[Measured]) -> float:
    """Mean of the runs with the same heads, else of all of the model."""
    alike = [one for one in finished if one.run.heads == run.heads] or finished
    return mean(one.step_ms for one in alike)


def measured(study: Mapping, runs: Iterable[Run], results: Path) -> list[Measured]:
    """The runs that are trained with the settings and the accelerator that the study has now.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.study.validation.resolve`
    runs : to look for
    """
    found, wanted = [], study["accelerator"]
    for run in runs:
        if not is_trained(study, run):
            continue
        folder = results / run.folder
        settings = tolerant.json_file(folder / run_files.SETTINGS)
        record = tolerant.json_file(folder / run_files.PROVENANCE)
        if not isinstance(settings, dict) or not isinstance(record, dict):
            continue
        now = run_settings(study, run.model, run.heads, run.subset, run.seed)
        steps = tolerant.number(record.get("steps"))
        seconds = _epoch_seconds(folder)
        device = str(record.get("device", "an unknown device"))
        is_alike = _timed(settings) == _timed(now) and (device == CPU) == (wanted == CPU)
        if steps and seconds is not None and is_alike:
            found.append(Measured(run, 1000 * seconds / steps, device))
    return found


def _timed(settings: Mapping) -> tuple:
    """What of a run's settings decides the time of a step."""
    training = settings.get("training")
    training = training if isinstance(training, dict) else {}
    options = {key: value for key, value in training.items() if key not in NOT_TIMED}
    return settings.get("model"), settings.get("tiling"), options


def _epoch_seconds(folder: Path) -> float | None:
    """Seconds of all epochs; the first of each network, which compiles, as long as the others."""
    rows = tolerant.table(folder / run_files.HISTORY)
    seconds = [(row.get(CELL_TYPE), tolerant.number(row.get("seconds"))) for row in rows]
    known = [(network, time) for network, time in seconds if time is not None]
    if not known or len(known) < len(rows):
        return None
    networks = [network for network, _ in known]
    later = [time for place, (network, time) in enumerate(known) if network in networks[:place]]
    return len(known) * mean(later or [time for _, time in known])
