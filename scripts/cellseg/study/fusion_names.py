"""What says that a run is fused of others, in a study and in the settings of the run.

Apart from :mod:`.fusions`: an export of such a run brings this module along, and no study.
"""

from collections.abc import Mapping, Sequence

from cellseg.targets import head_names

FUSION = "fusion"
"""Family of models whose runs are fused of others."""
MEMBERS = "members"
"""Key of such a model, and of the settings and the provenance of its runs."""


def is_fused(model: Mapping) -> bool:
    """Whether the settings of a model name runs to fuse instead of a network."""
    return model["family"] == FUSION


def settings(folders: Sequence[str], weights: Sequence[float], iou: float) -> dict:
    """Settings of a run that is fused of others.

    Parameters
    ----------
    folders : of the members, relative to that of the run
    weights, iou : see :func:`cellseg.inference.fusion.fuse`
    """
    members = [
        {"folder": folder, "weight": weight}
        for folder, weight in zip(folders, weights, strict=True)
    ]
    model = {"family": FUSION, "iou": iou, MEMBERS: members}
    return {"heads": {head_names.INSTANCES: {}}, "model": model}
