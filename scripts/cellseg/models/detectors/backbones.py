"""Backbones of torchvision and timm for images of one channel: maps of strides 4 to 32.

Frozen batch norm is for pretrained weights: with a crop or two a step, statistics of a batch are
noise. From scratch group norm takes its place (Wu and He, 2018).
"""

from collections.abc import Callable, Mapping

import timm
import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torchvision.models import resnet
from torchvision.ops import DeformConv2d, FrozenBatchNorm2d

LEVELS = (2, 3, 4, 5)


class ResNet(nn.Module):
    """Stages of torchvision's ResNet (He et al., 2016; Xie et al., 2017 with groups).

    Attributes
    ----------
    channels : of the maps by level
    """

    def __init__(self, block: type, layers: list[int], **options) -> None:
        super().__init__()
        whole = resnet.ResNet(block, layers, **options)
        self.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.bn1, self.relu, self.maxpool = whole.bn1, whole.relu, whole.maxpool
        self.layer1, self.layer2 = whole.layer1, whole.layer2
        self.layer3, self.layer4 = whole.layer3, whole.layer4
        self.channels = {level: block.expansion * 2 ** (4 + level) for level in LEVELS}

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        """Maps by level."""
        values = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        found = {}
        for level, stage in enumerate((self.layer1, self.layer2, self.layer3, self.layer4), 2):
            found[level] = values = stage(values)
        return found


class Timm(nn.Module):
    """Stages of a network of timm; attributes as of :class:`ResNet`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.body = timm.create_model(name, features_only=True, in_chans=1, pretrained=False)
        stages = zip(
            self.body.feature_info.reduction(), self.body.feature_info.channels(), strict=True
        )
        self.channels = {stride.bit_length() - 1: number for stride, number in stages}
        self._levels = list(self.channels)

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        """Maps by level."""
        found = dict(zip(self._levels, self.body(images), strict=True))
        return {level: found[level] for level in LEVELS}


BACKBONES: dict[str, Callable[[], nn.Module]] = {
    "resnet18": lambda: ResNet(resnet.BasicBlock, [2, 2, 2, 2]),
    "resnet50": lambda: ResNet(resnet.Bottleneck, [3, 4, 6, 3]),
    "resnext152": lambda: ResNet(resnet.Bottleneck, [3, 8, 36, 3], groups=32, width_per_group=8),
    "resnest200": lambda: Timm("resnest200e"),
    "vovnet19b-slim-dw": lambda: Timm("ese_vovnet19b_slim_dw"),
    "vovnet99b": lambda: Timm("ese_vovnet99b"),
}
"""By name, with batch norm and random weights."""


def build(settings: Mapping) -> nn.Module:
    """Build a backbone.

    Parameters
    ----------
    settings : ``backbone``, ``norm`` and, for ResNets, ``deformable``

    Returns
    -------
    module from ``(N, 1, H, W)`` to a dict of level to ``(N, C, h, w)``, with ``channels`` by level
    """
    backbone = BACKBONES[settings["backbone"]]()
    if settings.get("deformable"):
        _deform(backbone)
    _replace(backbone, nn.BatchNorm2d, frozen if settings["norm"] == "frozen" else grouped)
    return backbone


def group_norm(channels: int) -> nn.GroupNorm:
    """Group norm of up to 32 groups of at least two channels."""
    groups = next(n for n in (32, 16, 8, 4, 2, 1) if channels % n == 0 and channels // n >= 2)
    return nn.GroupNorm(groups, channels)


def grouped(norm: nn.BatchNorm2d) -> nn.Module:
    """Group norm for a batch norm, with the activation that timm puts into it."""
    return _with_activation(norm, group_norm(norm.num_features))


def frozen(norm: nn.BatchNorm2d) -> nn.Module:
    """A batch norm with fixed statistics, scale and shift."""
    fixed = FrozenBatchNorm2d(norm.num_features, eps=norm.eps)
    fixed.load_state_dict(norm.state_dict())
    return _with_activation(norm, fixed)


def _with_activation(norm: nn.BatchNorm2d, replacement: nn.Module) -> nn.Module:
    if isinstance(norm, BatchNormAct2d) and not isinstance(norm.act, nn.Identity):
        return nn.Sequential(replacement, norm.act)
    return replacement


def _replace(module: nn.Module, kind: type, make: Callable[[nn.Module], nn.Module]) -> None:
    """Replace all modules of a kind within another."""
    for name, child in module.named_children():
        if isinstance(child, kind):
            setattr(module, name, make(child))
        else:
            _replace(child, kind, make)


class Deformable(nn.Module):
    """A 3x3 convolution that learns where and how strongly it samples (Zhu et al., 2019).

    It begins as the convolution that it replaces, at half its strength.
    """

    def __init__(self, plain: nn.Conv2d) -> None:
        super().__init__()
        options = {
            "stride": plain.stride, "padding": plain.padding, "dilation": plain.dilation,
        }  # fmt: skip
        self.conv = DeformConv2d(
            plain.in_channels, plain.out_channels, plain.kernel_size, groups=plain.groups,
            bias=plain.bias is not None, **options,
        )  # fmt: skip
        self.conv.load_state_dict(plain.state_dict())
        taps = plain.kernel_size[0] * plain.kernel_size[1]
        self.taps = taps
        self.offsets = nn.Conv2d(plain.in_channels, 3 * taps, plain.kernel_size, **options)
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(self.offsets.bias)

    def forward(self, values: Tensor) -> Tensor:
        """As the convolution."""
        moves, strength = self.offsets(values).split([2 * self.taps, self.taps], dim=1)
        return self.conv(values, moves, torch.sigmoid(strength))


def _deform(backbone: nn.Module) -> None:
    """Replace the 3x3 convolutions of all blocks of C3 to C5."""
    stages = dict(backbone.named_modules())
    for name in ("layer2", "layer3", "layer4"):
        stage = next(part for full, part in stages.items() if full.split(".")[-1] == name)
        for block in stage.modules():
            if isinstance(block, resnet.BasicBlock | resnet.Bottleneck):
                block.conv2 = Deformable(block.conv2)
            elif type(block).__name__ == "SplitAttn":  # of ResNeSt
                block.conv = Deformable(block.conv)
