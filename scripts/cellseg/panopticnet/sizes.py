"""What a PanopticNet is, and how many weights it has. Imports no deep-learning library."""

from collections.abc import Mapping

PARAMETERS = {
    "featurenet": 701_102,
    "resnet50": 25_096_334,
    "resnet101": 44_166_798,
    "resnet152": 59_879_566,
    "densenet121": 8_279_886,
    "densenet169": 14_112_078,
    "densenet201": 19_986_766,
    "efficientnetb0": 5_201_841,
    "efficientnetb1": 7_727_509,
    "efficientnetb2": 8_978_183,
    "efficientnetb3": 12_050_493,
    "efficientnetb4": 19_055_469,
    "efficientnetb5": 29_997_573,
    "efficientnetb6": 42_558_877,
    "efficientnetb7": 65_811_109,
    "mobilenet": 4_278_734,
    "mobilenetv2": 2_549_070,
    "vgg16": 15_633_486,
    "vgg19": 20_943_182,
}
"""Weights of each backbone with its pyramid, from C3 to C5: to build a network takes seconds."""
HEAD_PARAMETERS, LEVEL_PARAMETERS = 119_745, 36_864
"""Of a head, and of each doubling between the level that feeds it and the image."""

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
"""Of a head; what TensorFlow keeps in training, by measurement (:mod:`cellseg.network_memory`)."""


def parameters(model: Mapping, n_heads: int) -> int:
    """Number of weights, within some three per cent for any levels and heads.

    Parameters
    ----------
    model : settings ``backbone`` and ``backbone_levels``
    n_heads : number of heads
    """
    of_heads = n_heads * (HEAD_PARAMETERS + _finest(model) * LEVEL_PARAMETERS)
    return PARAMETERS[model["backbone"]] + of_heads


def values(model: Mapping, n_heads: int) -> float:
    """Values in all maps of the network for each pixel of its input; parameters as above."""
    return VALUES[model["backbone"]] + LEVEL_VALUES[_finest(model)] + n_heads * HEAD_VALUES


def _finest(model: Mapping) -> int:
    """Number of the finest level that feeds the pyramid."""
    return min(int(level[1]) for level in model["backbone_levels"])


def description(model: Mapping) -> str:
    """What the network is, in a few words of Markdown."""
    levels = ", ".join(model["backbone_levels"])
    return f"PanopticNet (`{model['family']}`), backbone `{model['backbone']}`, levels {levels}"
