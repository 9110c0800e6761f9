"""The settings of a segmentation that suit a network best, found on its validation images.

All combinations of the listed values are tried; the method shares work between them.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from cellseg.scoring.objects import score_table
from cellseg.scoring.overlaps import overlaps
from cellseg.segmentation import methods


def combinations(tuning: Mapping, segmentation: Mapping, heads: Sequence[str]) -> list[dict]:
    """Settings to try for a network of these heads, the study's own first.

    Parameters
    ----------
    tuning : lists of values by name; those that the method cannot search are left out
    segmentation : the study's settings, with the name of the method

    Returns
    -------
    list of dict, each a whole set of settings of the segmentation
    """
    axes = [axis for axis in methods.searched(heads, segmentation) if axis in tuning]
    grid = [
        {**segmentation, **dict(zip(axes, values, strict=True))}
        for values in product(*(tuning[axis] for axis in axes))
    ]
    # Of several that mean the same for these heads, only the first.
    meant = {methods.meaning(heads, one): one for one in [*grid[::-1], dict(segmentation)]}
    own = meant.pop(methods.meaning(heads, segmentation))
    return [own, *list(meant.values())[::-1]]


def score_all(
    maps: methods.Maps, true: np.ndarray, settings: Sequence[Mapping], names: Sequence[str]
) -> np.ndarray:
    """Score one image with each of many settings, as if each were segmented by itself.

    Parameters
    ----------
    maps : see :mod:`cellseg.segmentation.methods`
    true : ndarray of shape (H, W), int32
    settings : of one method, complete, as of :func:`combinations`
    names : columns of :data:`cellseg.scoring.names.COLUMNS`

    Returns
    -------
    ndarray of shape (settings, names), float64; small objects kept, NaN where not defined
    """
    scores = np.empty((len(settings), len(names)))
    for number, labels in methods.segment_all(maps, settings):
        score = score_table(overlaps(true, labels))
        scores[number] = [score[name] for name in names]
    return scores


def best(scores: np.ndarray, preferred: int = 0) -> int:
    """Which settings have the highest mean score over images.

    Parameters
    ----------
    scores : ndarray of shape (images, settings); NaN does not count
    preferred : of equal ones these, else the first; by default the study's own

    Returns
    -------
    int; the preferred ones if no image has a score
    """
    defined = ~np.isnan(scores)
    number = defined.sum(axis=0)
    mean = np.where(defined, scores, 0).sum(axis=0) / np.maximum(number, 1)
    mean = np.where(number > 0, mean, -1)
    return preferred if mean[preferred] == mean.max() else int(np.argmax(mean))
