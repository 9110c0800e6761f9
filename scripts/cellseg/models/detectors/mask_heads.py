"""Masks in boxes, plain or with spatial attention, and their quality.

Plain: He et al., 2017. Attention: Lee and Park, 2020. Quality: Huang et al., 2019.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellseg.models.detectors import mask_targets
from cellseg.models.detectors.backbones import group_norm
from cellseg.models.detectors.detector import MASK_SIZE, Instances
from cellseg.models.detectors.pyramid import Reader

CHUNK = 256
"""Boxes that are read at a time in prediction."""


class MaskHead(nn.Module):
    """Convolutions, twice enlarged: ``(n, C, 14, 14)`` to logits ``(n, 28, 28)``.

    Parameters
    ----------
    settings : ``channels``, ``mask_convolutions``, ``mask_width``, ``mask_norm``
    attention : weigh each pixel by what its strongest and mean channel say
    """

    def __init__(self, settings: Mapping, attention: bool) -> None:
        super().__init__()
        width, before = settings["mask_width"], settings["channels"]
        layers: list[nn.Module] = []
        for _ in range(settings["mask_convolutions"]):
            layers.append(_kaiming(nn.Conv2d(before, width, 3, padding=1)))
            layers += [group_norm(width)] if settings.get("mask_norm") else []
            layers.append(nn.ReLU(inplace=True))
            before = width
        self.body = nn.Sequential(*layers)
        self.attention = nn.Conv2d(2, 1, 3, padding=1) if attention else None
        self.enlarge = _kaiming(nn.ConvTranspose2d(before, width, 2, stride=2))
        self.logits = nn.Conv2d(width, 1, 1)
        nn.init.normal_(self.logits.weight, std=0.001)
        nn.init.zeros_(self.logits.bias)

    def forward(self, read: Tensor) -> Tensor:
        """Logits."""
        values = self.body(read)
        if self.attention is not None:
            summary = torch.cat([values.mean(1, keepdim=True), values.amax(1, keepdim=True)], 1)
            values = values * torch.sigmoid(self.attention(summary))
        return self.logits(functional.relu(self.enlarge(values)))[:, 0].float()


class QualityHead(nn.Module):
    """IoU of a mask: from what is read in the box and the mask's probabilities, ``(n,)``."""

    def __init__(self, settings: Mapping) -> None:
        super().__init__()
        width, before = settings["mask_width"], settings["channels"] + 1
        layers: list[nn.Module] = []
        for stride in (1, 1, 1, 2):
            layers.append(_kaiming(nn.Conv2d(before, width, 3, stride, padding=1)))
            layers.append(nn.ReLU(inplace=True))
            before = width
        wide = 4 * width
        layers += [nn.Flatten(), nn.Linear(width * (MASK_SIZE // 4) ** 2, wide), nn.ReLU(),
                   nn.Linear(wide, wide), nn.ReLU(), nn.Linear(wide, 1)]  # fmt: skip
        self.body = nn.Sequential(*layers)

    def forward(self, read: Tensor, probabilities: Tensor) -> Tensor:
        """Expected IoU, not limited to 0..1."""
        smaller = functional.max_pool2d(probabilities[:, None], 2).to(read.dtype)
        return self.body(torch.cat([read, smaller], dim=1))[:, 0].float()


class Masks(nn.Module):
    """Mask branch of a detector: reads boxes, predicts masks and, if asked, their quality.

    Parameters
    ----------
    settings : as of :class:`MaskHead`, with ``mask_levels``, ``canonical_size``, ``masks`` and
        ``mask_scoring``
    attention : as of :class:`MaskHead`
    """

    def __init__(self, settings: Mapping, attention: bool = False) -> None:
        super().__init__()
        self.most = settings["masks"]
        self.reader = Reader(MASK_SIZE // 2, settings["mask_levels"], settings["canonical_size"])
        self.head = MaskHead(settings, attention)
        self.quality = QualityHead(settings) if settings.get("mask_scoring") else None

    def losses(
        self,
        features: Mapping[int, Tensor],
        boxes: Sequence[Tensor],
        cells: Sequence[Tensor],
        targets: Sequence[Instances],
    ) -> dict[str, Tensor]:
        """Cross-entropy of the masks, and squared error of the quality.

        Parameters
        ----------
        boxes : tensors of shape (n, 4), of each image
        cells : tensors of shape (n,); the cell in each box
        """
        drawn = [self._drawn(len(one)).to(one.device) for one in boxes]
        boxes = [one[at] for one, at in zip(boxes, drawn, strict=True)]
        cells = [one[at] for one, at in zip(cells, drawn, strict=True)]
        if not sum(map(len, boxes)):
            nothing = sum(values.sum() for values in features.values()) * 0
            return {"mask": nothing} | ({"quality": nothing} if self.quality is not None else {})
        read = self.reader(features, boxes)
        logits = self.head(read)
        images = list(zip(targets, cells, boxes, strict=True))
        truth = torch.cat([mask_targets.in_boxes(*image, MASK_SIZE) for image in images])
        losses = {"mask": functional.binary_cross_entropy_with_logits(logits, truth)}
        if self.quality is not None:
            probabilities = torch.sigmoid(logits.detach())
            area = torch.cat([mask_targets.areas(target, cell) for target, cell, _ in images])
            iou = _iou(probabilities, truth, area, torch.cat(boxes))
            losses["quality"] = functional.mse_loss(self.quality(read, probabilities), iou)
        return losses

    @torch.no_grad()
    def found(
        self, features: Mapping[int, Tensor], boxes: Sequence[Tensor]
    ) -> list[tuple[Tensor, Tensor]]:
        """Probabilities (n, 28, 28) and quality (n,) of each image's boxes."""
        results = []
        for image, of_image in enumerate(boxes):
            one = {level: values[image : image + 1] for level, values in features.items()}
            parts = [self._found(one, part) for part in of_image.split(CHUNK)]
            probabilities, quality = (torch.cat(part) for part in zip(*parts, strict=True))
            results.append((probabilities, quality))
        return results

    def _found(self, features: Mapping[int, Tensor], boxes: Tensor) -> tuple[Tensor, Tensor]:
        if len(boxes) == 0:
            return boxes.new_zeros((0, MASK_SIZE, MASK_SIZE)), boxes.new_zeros(0)
        read = self.reader(features, [boxes])
        probabilities = torch.sigmoid(self.head(read))
        if self.quality is None:
            return probabilities, boxes.new_ones(len(boxes))
        return probabilities, self.quality(read, probabilities).clamp(0, 1)

    def _drawn(self, number: int) -> Tensor:
        if number <= self.most:
            return torch.arange(number)
        return torch.randperm(number)[: self.most]


def _iou(probabilities: Tensor, truth: Tensor, area: Tensor, boxes: Tensor) -> Tensor:
    """IoU of binary masks with the whole true cells, of which a part may lie outside the box."""
    found = (probabilities > 0.5).float()
    pixel = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-3).prod(dim=1) / MASK_SIZE**2
    shared = (found * truth).sum(dim=(1, 2))
    union = found.sum(dim=(1, 2)) + area / pixel - shared
    return (shared / union.clamp(min=1e-3)).clamp(0, 1)


def _kaiming(layer: nn.Module) -> nn.Module:
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer
