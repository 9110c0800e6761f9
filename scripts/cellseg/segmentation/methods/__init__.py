"""Segmentation methods: each a module found by name, from the maps of an image to its cells.

A method's module offers

``segment(maps, settings) -> labels, scores``
    segments one image. `maps` is a dict of head name to ndarray (H, W, channels), as predicted, or
    to dict of channel to ndarray (H, W), as of :mod:`cellseg.inference.map_store`, float32. The
    settings are those of the method; any may be missing and has a default. `labels` is an ndarray
    (H, W), int32, 0 for background and cells 1..n; `scores` an ndarray (n,), float64: how sure the
    network is of each cell.

and, where it gains by them,

``segment_all(maps, settings) -> iterator of (number, labels)``
    segments one image with each of many settings, in any order, sharing work between them. Cells
    may be numbered in any way. Without it, `segment` is called for each.
``searched(heads) -> tuple``
    those of the entry's `searched` that count for a network of these heads.
``meaning(heads, settings) -> hashable``
    equal for settings that give the same cells with these heads, so that a search tries them once.
``example(heads, settings, source_of) -> str`` and ``EXAMPLE_NOTE``
    lines of Python for the example of an export, which make ``cells`` (a label image) of ``maps``
    and ``image``, and how these cells differ; ``source_of(head, channel)`` is the code of a map.

What a configuration needs to know of a method is in :mod:`cellseg.study.segmentation_methods`.
Here and everywhere else, settings of a segmentation are a method's with its name as ``method``.
Modules are imported when they are used.
"""

import importlib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from cellseg.study import segmentation_methods

if TYPE_CHECKING:
    import numpy as np

Maps = Mapping[str, "np.ndarray | Mapping[int, np.ndarray]"]


def load(settings: Mapping) -> ModuleType:
    """The module of the method that settings name.

    Raises
    ------
    UserError
        There is no such method.
    """
    method = segmentation_methods.named(settings["method"], "segmentation.method")
    return importlib.import_module(method.module)


def own(settings: Mapping) -> dict:
    """The settings of the method alone."""
    return {key: value for key, value in settings.items() if key != "method"}


def segment(maps: Maps, settings: Mapping) -> "tuple[np.ndarray, np.ndarray]":
    """Cells of one image, and how sure the network is of each.

    Returns
    -------
    labels : ndarray of shape (H, W), int32; cells 1..n
    scores : ndarray of shape (n,), float64

    Raises
    ------
    UserError
        There is no such method, or it cannot use these heads.
    """
    segmentation_methods.check(settings["method"], maps, "the predicted maps")
    return load(settings).segment(maps, own(settings))


def segment_all(maps: Maps, settings: Sequence[Mapping]) -> "Iterator[tuple[int, np.ndarray]]":
    """Segment one image with each of many settings of one method.

    Yields
    ------
    number : of the settings, in any order
    labels : ndarray of shape (H, W), int32; cells are numbered in any way
    """
    method = load(settings[0])
    segmentation_methods.check(settings[0]["method"], maps, "the predicted maps")
    options = [own(one) for one in settings]
    if hasattr(method, "segment_all"):
        yield from method.segment_all(maps, options)
    else:
        yield from ((number, method.segment(maps, one)[0]) for number, one in enumerate(options))


def searched(heads: Sequence[str], settings: Mapping) -> tuple[str, ...]:
    """Settings of a method that can be searched for a network of these heads."""
    method = load(settings)
    if hasattr(method, "searched"):
        return method.searched(heads)
    return segmentation_methods.METHODS[settings["method"]].searched


def meaning(heads: Sequence[str], settings: Mapping) -> Hashable:
    """Equal for settings of a method that give the same cells with these heads."""
    method = load(settings)
    if hasattr(method, "meaning"):
        return method.meaning(heads, own(settings))
    return tuple(sorted(own(settings).items()))
