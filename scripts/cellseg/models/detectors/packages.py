"""Imports the packages of the instance detectors, or says that they are missing."""

from cellseg.models.pytorch import process  # isort: skip  (before torch)

PACKAGES = ("torch", "torchvision", "timm")

with process.needed_by("instance detectors need", PACKAGES):
    import torch  # noqa: F401
    import torchvision  # noqa: F401
    import timm  # noqa: F401  isort: skip
