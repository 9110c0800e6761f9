"""How the images of a run were predicted: part of ``segmentation.json``, next to the thresholds.

With the weights and the thresholds it says which cells a run finds. It came with the maps: the
configuration at hand may be another one's.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from cellseg.errors import UserError
from cellseg.io import run_format

SETTINGS = ("batch_size", "test_time_augmentation", "window", "window_overlap")
"""What it holds, see :func:`cellseg.inference.run.predict`."""
VIEWS = ("flips", "rotations", "scales")
"""What ``test_time_augmentation`` holds."""


def read(path: str | Path) -> dict:
    """The settings of a run's prediction.

    Parameters
    ----------
    path : of the run's ``segmentation.json``

    Raises
    ------
    UserError
        The file is of another version, cannot be read or lacks a setting. The message names it
        and what to do.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path, repr(error)) from None
    if isinstance(content, dict):
        run_format.check(path, content)
    return of(content, path)


def of(content: Mapping, path: str | Path) -> dict:
    """As :func:`read`, from the content of the file.

    Parameters
    ----------
    content : of ``segmentation.json``, see :func:`cellseg.segmentation.record.read`
    path : of the file, for the error
    """
    try:
        settings = content["prediction"]
        missing = [name for name in SETTINGS if name not in settings]
        views = settings.get("test_time_augmentation", VIEWS)
        missing += [f"test_time_augmentation.{name}" for name in VIEWS if name not in views]
    except (TypeError, LookupError, AttributeError) as error:
        raise _unusable(path, repr(error)) from None
    if missing:
        raise _unusable(path, f"it lacks {', '.join(missing)}")
    return settings


def _unusable(path: str | Path, why: str) -> UserError:
    return UserError(
        f"{path} does not say how the run was predicted ({why}), as of runs of an earlier version. "
        f"Predict it again under the config that it was made with: "
        f"snakemake --cores 4 --forcerun predict -- {path}"
    )
