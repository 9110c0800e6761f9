"""A run that is fused of others: the settings that say so, and its detector.

An export of such a run holds a copy of this module and of what it imports. What a plan of the
workflow asks is here too: NumPy and the rest are imported where they are used.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cellseg.io import run_files, run_format
from cellseg.study.fusion_names import MEMBERS, is_fused

if TYPE_CHECKING:
    import numpy as np

    from cellseg.targets.instances import Detections
    from cellseg.training.family import Family

OF_RUN = ("heads", "model")
"""What the settings of a run hold that is fused of others."""
OF_MEMBER = (*OF_RUN, "training")
"""What is read of the settings of a member."""


class Member(NamedTuple):
    """The folder of a run that is fused, and its weight."""

    folder: Path
    weight: float


def members(run: Mapping, folder: Path) -> list[Member]:
    """What a run is fused of, in order; nothing for other runs.

    Parameters
    ----------
    run : settings of the run
    folder : of the run
    """
    if not is_fused(run["model"]):
        return []
    # Links on the way are followed before `..` is.
    return [
        Member(Path(os.path.relpath((folder / one["folder"]).resolve())), float(one["weight"]))
        for one in run["model"][MEMBERS]
    ]


def read(folder: Path) -> dict:
    """Settings of a member.

    Raises
    ------
    UserError
        They are missing, damaged or of another version.
    """
    return run_format.read(folder / run_files.SETTINGS, *OF_MEMBER)


def _by_one_network(make: Callable, *of_run: Any) -> Callable:
    return make(*of_run)


def by_members(
    load_family: Callable[[Mapping], "Family"], by: Callable[..., Callable] = _by_one_network
) -> Callable[..., Callable[["np.ndarray"], "Detections"]]:
    """What makes the detector of a fused run, from what makes those of its members.

    Its detections are those that the rules of the workflow store: each member predicts the image,
    and :func:`cellseg.inference.fusion.fuse` takes what all found.

    Parameters
    ----------
    load_family : from the settings of a member's model to what has its ``Predictor``
    by : of one member, see :func:`cellseg.segmentation.of_image.finder`
    """
    from cellseg.inference import fusion

    def made(
        make: Callable, run: Mapping, family: object, folder: Path, options: Mapping
    ) -> Callable[["np.ndarray"], "Detections"]:
        del family  # members may be of several
        each, weights = [], []
        for member in members(run, folder):
            own = read(member.folder)
            each.append(by(make, own, load_family(own["model"]), member.folder, options))
            weights.append(member.weight)
        iou = run["model"]["iou"]
        return lambda image: fusion.fuse([detect(image) for detect in each], weights, iou)

    return made
