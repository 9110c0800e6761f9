"""What the command that shows a study's plan is called with."""

import argparse
from collections.abc import Iterable, Mapping

from cellseg.errors import UserError
from cellseg.study import config_files

EVERY = ""
"""Means every model that is not named."""


def read() -> argparse.Namespace:
    """Arguments of the command line: config files as Snakemake takes them, and times of steps."""
    parser = argparse.ArgumentParser(
        description="Show what a study would run, and the disk space and hours it needs. "
        "Nothing is started."
    )
    config_files.add_arguments(parser)
    parser.add_argument(
        "--step-ms", nargs="+", default=[], type=_step_time, metavar="[MODEL=]MS",
        help="milliseconds of a training step, of every model or of one, instead of measured times",
    )  # fmt: skip
    return parser.parse_args()


def _step_time(text: str) -> tuple[str, float]:
    model, _, number = text.rpartition("=")
    try:
        milliseconds = float(number)
    except ValueError:
        milliseconds = 0.0
    if not 0 < milliseconds < float("inf"):
        raise argparse.ArgumentTypeError(
            f"'{text}' is no time. Write milliseconds, such as 120, or resnet50=120."
        )
    return model, milliseconds


def step_times(given: Iterable[tuple[str, float]], study: Mapping) -> dict[str, float]:
    """Milliseconds of a step by model, from what ``--step-ms`` was given.

    Raises
    ------
    UserError
        The study has no such model.
    """
    times = dict(given)
    for name in times:
        if name != EVERY and name not in study["models"]:
            known = ", ".join(study["models"])
            raise UserError(f"--step-ms: the study has no model '{name}'. Possible: {known}.")
    return {name: times.get(name, times.get(EVERY)) for name in study["models"]
            if name in times or EVERY in times}  # fmt: skip
