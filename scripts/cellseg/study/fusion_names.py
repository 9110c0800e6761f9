"""What says that a run is fused of others, in a study and in the settings of the run.

Apart from :mod:`.fusions`: an export of such a run brings this module along, and no study.
"""

from collections.abc import Mapping

FUSION = "fusion"
"""Family of models whose runs are fused of others."""
MEMBERS = "members"
"""Key of such a model, and of the settings and the provenance of its runs."""


def is_fused(model: Mapping) -> bool:
    """Whether the settings of a model name runs to fuse instead of a network."""
    return model["family"] == FUSION
