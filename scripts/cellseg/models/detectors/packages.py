"""Imports the packages of the instance detectors, or says that they are missing."""

import os

from cellseg.errors import UserError

# Read once, when torch is imported. Threads that wait would else spin: on a machine that others
# use, a step on two threads took five times the processor time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
PACKAGES = ("torch", "torchvision", "timm")

try:
    import torch  # noqa: F401
    import torchvision  # noqa: F401
    import timm  # noqa: F401  isort: skip
except ModuleNotFoundError as error:
    if error.name not in PACKAGES:
        raise
    raise UserError(
        f"instance detectors need the package {error.name}, which is not installed here. Install "
        "it into .venv: make detectors"
    ) from error
