"""What a PanopticNet is, and how many weights it has. Imports no deep-learning library."""

from collections.abc import Mapping

from cellseg.models.panopticnet.declarations import declared

HEAD_PARAMETERS, LEVEL_PARAMETERS = 119_745, 36_864
"""Of a head, and of each doubling between the level that feeds it and the image."""
LITE_PARAMETERS = 9 * 256 * 255
"""That a depthwise convolution spares at the end of the pyramid."""

VALUES = {
    "featurenet": 297,
    "resnet50": 767,
    "resnet101": 1141,
    "resnet152": 1603,
    "densenet121": 1020,
    "densenet169": 1222,
    "densenet201": 1564,
    "efficientnetb0": 527,
    "efficientnetb1": 715,
    "efficientnetb2": 747,
    "efficientnetb3": 979,
    "efficientnetb4": 1264,
    "efficientnetb5": 1720,
    "efficientnetb6": 2189,
    "efficientnetb7": 2912,
    "mobilenet": 363,
    "mobilenetv2": 458,
    "vgg16": 331,
    "vgg19": 357,
}
"""Values in the outputs of all layers of each backbone and its pyramid, from C3, for each pixel."""
LEVEL_VALUES = {1: 300, 2: 60, 3: 0, 4: -15, 5: -19}
"""More of them by the finest level of the pyramid."""
HEAD_VALUES = 200
"""Of a head; what TensorFlow keeps in training, measured (:mod:`cellseg.jobs.network_memory`)."""


def parameters(model: Mapping, n_heads: int) -> int:
    """Number of weights, within some three per cent for any levels and heads.

    Parameters
    ----------
    model : settings ``backbone``, ``backbone_levels`` and ``lite``
    n_heads : number of heads
    """
    of_heads = n_heads * (HEAD_PARAMETERS + _finest(model) * LEVEL_PARAMETERS)
    spared = LITE_PARAMETERS if model.get("lite") else 0
    return declared(model["backbone"]).parameters + of_heads - spared


def values(model: Mapping, n_heads: int) -> float:
    """Values in all maps of the network for each pixel of its input; parameters as above.

    A backbone that was not counted is taken for the largest: it decides a first guess of memory.
    """
    of_backbone = VALUES.get(model["backbone"], max(VALUES.values()))
    return of_backbone + LEVEL_VALUES[_finest(model)] + n_heads * HEAD_VALUES


def _finest(model: Mapping) -> int:
    """Number of the finest level that feeds the pyramid."""
    return min(int(level[1]) for level in model["backbone_levels"])


def description(model: Mapping) -> str:
    """What the network is, in a few words of Markdown."""
    levels = ", ".join(model["backbone_levels"])
    lite = ", depthwise pyramid" if model.get("lite") else ""
    network = f"PanopticNet (`{model['family']}`), backbone `{model['backbone']}`"
    return f"{network}, levels {levels}{lite}"
