"""Whether the packages of the instance detectors are installed. Import this before them."""

import importlib.util

from cellseg.errors import UserError

for package in ("torch", "torchvision", "timm"):
    if importlib.util.find_spec(package) is None:
        raise UserError(
            f"instance detectors need the package {package}, which is not installed here. Install "
            "it into .venv: make detectors"
        )
