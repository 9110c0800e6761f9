"""The Python example of an export: loads its SavedModel and segments an image."""

from collections.abc import Iterable, Mapping

from cellseg.export.bioimage_io import output_name
from cellseg.segmentation.watershed import options_of
from cellseg.targets.channels import USED, marker_head, mask_head

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
peaks = {peak_map}
{markers}
interior = {interior_map}
cells = segmentation.watershed(-interior, markers, mask=interior > {threshold})
{small}np.savez("maps.npz", **maps)
io.imsave("cells.tif", cells.astype("uint16"), check_contrast=False)
print(len(np.unique(cells)) - 1, "cells in cells.tif")
'''


def example(heads: Iterable[str], watershed: Mapping) -> str:
    """Source of the example, with the thresholds of a run.

    Parameters
    ----------
    heads : of the network
    watershed : settings of :func:`cellseg.segmentation.watershed.segment_maps`
    """
    heads = list(heads)
    options = options_of(heads, watershed)
    if options["peaks"] == "h_maxima":
        markers = (
            f"markers = measure.label(morphology.h_maxima(peaks, {options['maxima_threshold']}))"
        )
    else:
        markers = (
            "markers = np.zeros(image.shape, int)\n"
            f"places = feature.peak_local_max(peaks, min_distance={options['radius']}, "
            f"threshold_abs={options['maxima_threshold']})\n"
            "markers[tuple(places.T)] = np.arange(len(places)) + 1"
        )
    least = options["min_size"]
    small = f"cells = morphology.remove_small_objects(cells, max_size={least - 1})\n"
    peak_map = _map(marker_head(heads), options["maxima_smooth"])
    interior_map = _map(mask_head(heads), options["interior_smooth"])
    body = markers + peak_map + interior_map + (small if least else "")
    names = ("feature", "filters", "io", "measure", "morphology", "segmentation")
    modules = [name for name in names if f"{name}." in body or name in ("io", "segmentation")]
    return TEMPLATE.format(
        install=INSTALL,
        modules=", ".join(modules),
        peak_map=peak_map,
        markers=markers,
        interior_map=interior_map,
        threshold=options["interior_threshold"],
        small=small if least else "",
    )


def _map(head: str, smooth: float) -> str:
    values = f'maps["{output_name(head)}"][..., {USED[head][0]}]'
    return f"filters.gaussian({values}, {smooth})" if smooth else values
