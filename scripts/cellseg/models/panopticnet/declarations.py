"""The backbones of PanopticNet, one declaration each. Imports no deep-learning library.

A declaration holds all that the workflow needs to know of a backbone: how to build it, where the
feature pyramid taps it, which images it takes, what its published weights were trained on. A plan
refuses a model whose backbone leaves something out, see :func:`declared`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cellseg.errors import UserError

FILE = "scripts/cellseg/models/panopticnet/declarations.py"

MODES = ("caffe", "tf", "torch", "none")
"""Ways to prepare an image; see :func:`cellseg.models.panopticnet.preprocessing.scaling`."""

WHAT_TO_DECLARE = {
    "builder": "`builder`: the class in keras.applications or the function in "
    "cellseg/models/panopticnet/backbones.py that builds it",
    "taps": "`taps`: names of the layers of strides 2, 4, 8, 16 and 32",
    "preprocessing": "`preprocessing`: what its published weights were trained on, as Keras calls "
    "it (caffe, tf or torch; `mode` of its preprocess_input), or none if it takes values as they "
    "are",
    "stride": "`stride`: pixels of the image per pixel of its coarsest map",
    "smallest": "`smallest`: the smallest side of an image that it takes, a multiple of `stride`",
    "parameters": "`parameters`: number of weights of the network without heads, levels C3 to C5",
    "weights": "`weights`: file names of its published weights without top, or () if there are "
    "none",
    "in_deepcell": "`in_deepcell`: whether the deepcell package builds it under this name, for the "
    "family deepcell",
}
"""What is missing, in the words of the error."""


@dataclass(frozen=True)
class Backbone:
    """A backbone. No field has a default value that works: all are declared.

    Attributes
    ----------
    builder : a class in ``keras.applications``, or a function in
        :mod:`cellseg.models.panopticnet.backbones`
    taps : layers of strides 2, 4, 8, 16, 32, where the feature pyramid taps it
    preprocessing : one of :data:`MODES`
    stride : pixels of the image per pixel of the coarsest map; sides of images are multiples of it
    smallest : smallest side of an image, pixels; a multiple of `stride`
    parameters : weights of the network without heads, at levels C3 to C5: to build it takes seconds
    weights : names of the files of its published weights without top, the last parts of addresses
    in_deepcell : whether the deepcell package builds it under this name
    """

    builder: str | None = None
    taps: tuple[str, ...] | None = None
    preprocessing: str | None = None
    stride: int | None = None
    smallest: int | None = None
    parameters: int | None = None
    weights: tuple[str, ...] | None = None
    in_deepcell: bool | None = None

    def wrong(self) -> Iterator[str]:
        """Fields that are missing, or that cannot be right."""
        valid = {
            "builder": self.builder,
            "taps": self.taps is not None and len(self.taps) == 5,
            "preprocessing": self.preprocessing in MODES,
            "stride": self.stride,
            "smallest": self.smallest and self.stride and self.smallest % self.stride == 0,
            "parameters": self.parameters,
            "weights": self.weights is not None and not isinstance(self.weights, str),
            "in_deepcell": self.in_deepcell is not None,
        }
        return (name for name, is_valid in valid.items() if not is_valid)


def _of_keras(
    builder: str, preprocessing: str, parameters: int, weights: str, taps: Iterable[str]
) -> Backbone:
    """A backbone of Keras that deepcell builds too, of stride 32."""
    return Backbone(
        builder=builder,
        taps=tuple(taps),
        preprocessing=preprocessing,
        stride=32,
        smallest=32,
        parameters=parameters,
        weights=(weights,),
        in_deepcell=True,
    )


def _in_stages(
    builder: str, preprocessing: str, parameters: int, end: str, blocks: Sequence[int]
) -> Backbone:
    """ResNet or DenseNet: its layers are named after stages 2 to 5 and the blocks of each."""
    return _of_keras(
        builder,
        preprocessing,
        parameters,
        f"{builder.lower()}_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ("conv1_relu", *(f"conv{n}_block{last}_{end}" for n, last in enumerate(blocks, start=2))),
    )


def _resnet(depth: int, parameters: int, *blocks: int) -> Backbone:
    return _in_stages(f"ResNet{depth}", "caffe", parameters, "out", (3, *blocks, 3))


def _densenet(depth: int, parameters: int, *blocks: int) -> Backbone:
    return _in_stages(f"DenseNet{depth}", "torch", parameters, "concat", (6, 12, *blocks))


def _efficientnet(number: int, parameters: int) -> Backbone:
    # Preprocessing is part of Keras' network, whose layers for it are at the identity.
    expanded = (f"block{block}a_expand_activation" for block in (2, 3, 4, 6))
    builder, weights = f"EfficientNetB{number}", f"efficientnetb{number}_notop.h5"
    return _of_keras(builder, "torch", parameters, weights, (*expanded, "top_activation"))


def _vgg(depth: int, parameters: int) -> Backbone:
    weights = f"vgg{depth}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    blocks = (f"block{number}_pool" for number in range(1, 6))
    return _of_keras(f"VGG{depth}", "caffe", parameters, weights, blocks)


BACKBONES: dict[str, Backbone] = {
    "featurenet": Backbone(
        builder="featurenet",
        taps=("C1", "C2", "C3", "C4", "C5"),
        preprocessing="none",
        stride=32,
        smallest=32,
        parameters=701_102,
        weights=(),
        in_deepcell=True,
    ),
    "resnet50": _resnet(50, 25_096_334, 4, 6),
    "resnet101": _resnet(101, 44_166_798, 4, 23),
    "resnet152": _resnet(152, 59_879_566, 8, 36),
    "densenet121": _densenet(121, 8_279_886, 24, 16),
    "densenet169": _densenet(169, 14_112_078, 32, 32),
    "densenet201": _densenet(201, 19_986_766, 48, 32),
    "efficientnetb0": _efficientnet(0, 5_201_841),
    "efficientnetb1": _efficientnet(1, 7_727_509),
    "efficientnetb2": _efficientnet(2, 8_978_183),
    "efficientnetb3": _efficientnet(3, 12_050_493),
    "efficientnetb4": _efficientnet(4, 19_055_469),
    "efficientnetb5": _efficientnet(5, 29_997_573),
    "efficientnetb6": _efficientnet(6, 42_558_877),
    "efficientnetb7": _efficientnet(7, 65_811_109),
    "mobilenet": _of_keras(
        "MobileNet",
        "tf",
        4_278_734,
        "mobilenet_1_0_224_tf_no_top.h5",
        (f"conv_pw_{number}_relu" for number in (1, 3, 5, 11, 13)),
    ),
    "mobilenetv2": _of_keras(
        "MobileNetV2",
        "tf",
        2_549_070,
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        (
            "expanded_conv_project_BN",
            *(f"block_{number}_add" for number in (2, 5, 12)),
            "block_16_project_BN",
        ),
    ),
    "vgg16": _vgg(16, 15_633_486),
    "vgg19": _vgg(19, 20_943_182),
}
"""By the name that a model's ``backbone`` gives."""


def declared(name: str, where: str = "backbone") -> Backbone:
    """The complete declaration of a backbone.

    Parameters
    ----------
    name : as a model's ``backbone`` gives it
    where : key of the configuration that names it, for the error

    Raises
    ------
    UserError
        It has no declaration, or one that lacks something; says what to declare in which file.
    """
    if name not in BACKBONES:
        raise UserError(
            f"{where}: backbone '{name}' has no declaration. Add an entry for it to BACKBONES in "
            f"{FILE}."
        )
    wrong = list(BACKBONES[name].wrong())
    if wrong:
        missing = "; ".join(WHAT_TO_DECLARE[field] for field in wrong)
        raise UserError(
            f"{where}: the declaration of backbone '{name}' in {FILE} is not complete. "
            f"Declare {missing}."
        )
    return BACKBONES[name]
