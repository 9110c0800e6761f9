"""What a result was made with: versions, machine, state of the checkout."""

import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from cellseg.training.checkpoint import stamp

SETTINGS = ("heads", "model", "tiling", "training")
"""What makes a network, of the settings of a run, see :func:`cellseg.study.runs.run_settings`."""


def record(settings: object, versions: Mapping[str, str], device: str, **more: object) -> dict:
    """Provenance of a run.

    Parameters
    ----------
    settings : all settings of the run; their fingerprint is recorded
    versions : of the packages that computed it
    device : GPU name or ``cpu``
    more : further facts, such as training images or parameters
    """
    return {
        "settings_stamp": stamp(settings),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device,
        "platform": platform.platform(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__, **versions},
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
        **more,
    }


def _git(*arguments: str) -> str | None:
    """Output of git, or None outside a checkout or without git."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
