"""The network that comes with the library: to segment with at once, and to start training from.

An export (:mod:`cellseg.export`) of a light U-Net that was trained on simulated images alone, with
a card that says what it is and what it scores. ``make starter`` makes both.
"""

import json
import os
from pathlib import Path

from cellseg.errors import UserError

NAME = "starter"
"""Its name in the configuration."""
FAMILY = "unet"

FILE = Path(__file__).with_name("starter.zip")
CARD = Path(__file__).with_name("card.json")


def path() -> Path:
    """Where the export is; relative to the working directory if it lies within that.

    Absolute paths would make Snakemake train again what was moved with its checkout.

    Raises
    ------
    UserError
        This copy of the library lacks it.
    """
    if not FILE.is_file():
        raise UserError(
            f"this copy of livecell-bench has no starter network ({FILE} does not exist). Get the "
            "file from the repository, make it by `make starter`, or name a run or an export."
        )
    here = Path.cwd()
    return FILE.relative_to(here) if here in FILE.parents else FILE


def resolved(file: str | os.PathLike) -> Path:
    """A file that the configuration names, which may be the starter by its name."""
    return path() if str(file) == NAME else Path(file)


def card() -> dict:
    """What is known of it: sha256, bytes, pixel_size (micrometres) and scores."""
    return json.loads(CARD.read_text(encoding="utf-8"))


def about() -> str:
    """What it is, for those whose images it segments."""
    return (
        "The starter network comes with livecell-bench. It was trained on simulated "
        "phase-contrast images alone, never on a real one, and is free to use (MIT licence). It "
        f"expects pixels of about {card()['pixel_size']:g} µm. Look at the outlines before you use "
        "the numbers; a network that is trained on your images finds more."
    )
