"""The Python example of an export: loads its SavedModel and segments an image."""

from collections.abc import Iterable, Mapping

from cellseg.export.bioimage_io import output_name
from cellseg.segmentation import methods

PACKAGES = ("tensorflow", "scikit-image", "imagecodecs")
"""What the example needs of PyPI; imagecodecs for compressed TIFFs, such as LIVECell's."""

INSTALL = f"pip install {' '.join(PACKAGES)}"

TEMPLATE = '''\
"""Cells of one image: python example.py IMAGE  ({install})"""
import os, shutil, sys
import numpy as np
from skimage import {modules}

shutil.unpack_archive("model.zip", "model")
stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
os.dup2(nowhere, 2)  # TensorFlow writes several lines when it starts, whatever its log level
try:
    import tensorflow as tf
    model = tf.saved_model.load("model")
finally:
    os.dup2(stderr, 2)
image = io.imread(sys.argv[1])  # grey values from 0 to 255, (height, width)
maps = {{name: values.numpy() for name, values in model.maps(image.astype("float32")).items()}}
{steps}np.savez("maps.npz", **maps)
{shown}'''

FOUND = """\
io.imsave("cells.tif", cells.astype("uint16"), check_contrast=False)
print(len(np.unique(cells)) - 1, "cells in cells.tif")
"""
LEFT = """\
print("maps in maps.npz")
"""


def example(heads: Iterable[str], segmentation: Mapping) -> str:
    """Source of the example, with the thresholds of a run.

    Parameters
    ----------
    heads : of the network
    segmentation : settings of a segmentation, see :mod:`cellseg.segmentation.methods`; a method
        without an example leaves the maps
    """
    method = methods.load(segmentation)
    steps, shown = "", LEFT
    if hasattr(method, "example"):
        steps = method.example(list(heads), methods.own(segmentation), _source_of) + "\n"
        shown = FOUND
    names = ("feature", "filters", "io", "measure", "morphology", "segmentation")
    modules = [name for name in names if f"{name}." in steps or name == "io"]
    return TEMPLATE.format(install=INSTALL, modules=", ".join(modules), steps=steps, shown=shown)


def note(segmentation: Mapping) -> str:
    """How the cells of the example differ from those of the run."""
    no_example = "The example writes the maps and finds no cells."
    return getattr(methods.load(segmentation), "EXAMPLE_NOTE", no_example)


def _source_of(head: str, channel: int) -> str:
    return f'maps["{output_name(head)}"][..., {channel}]'
