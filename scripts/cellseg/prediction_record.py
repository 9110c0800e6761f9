"""How the images of a run were predicted: ``prediction.json``, beside the thresholds.

With the weights and the thresholds it says which cells a run finds. The configuration at hand may
be another one's.
"""

import json
from pathlib import Path

from cellseg.errors import UserError

NAME = "prediction.json"

SETTINGS = ("batch_size", "flips", "overlap", "rotations", "scales", "window")
"""What it holds, see :func:`cellseg.predict_run.predict`."""


def read(path: str | Path) -> dict:
    """The settings of a run's prediction.

    Raises
    ------
    UserError
        The file cannot be read or lacks a setting. The message names it and what makes it anew.
    """
    try:
        settings = json.loads(Path(path).read_text())
        missing = [name for name in SETTINGS if name not in settings]
    except (OSError, ValueError, TypeError) as error:
        raise _unusable(path, str(error)) from None
    if missing:
        raise _unusable(path, f"it lacks {', '.join(missing)}")
    return settings


def _unusable(path: str | Path, why: str) -> UserError:
    return UserError(
        f"{path} does not say how the run was predicted ({why}). Delete it, and make it anew under "
        f"the config that the run was made with: snakemake --cores 4 {path}"
    )
