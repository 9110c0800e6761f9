"""Imports the packages of the instance detectors, or says that they are missing."""

import os
import sys

from cellseg.errors import UserError

# Read once, when torch is imported. Threads that wait would else spin: on a machine that others
# use, a step on two threads took five times the processor time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# TensorFlow and Triton each bring an LLVM: a process that loads Triton second ends with a
# segmentation fault. torchvision asks for Triton and does without it: only compiling needs it.
if "tensorflow" in sys.modules:
    sys.modules.setdefault("triton", None)
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
