"""What every detector offers: losses, boxes and masks of images of any size."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

MASK_SIZE = 28
"""Pixels of a predicted mask along each side of its box."""


@dataclass
class Instances:
    """The true cells of an image.

    Attributes
    ----------
    boxes : tensor of shape (n, 4), float32; x0, y0, x1, y1 in pixels
    masks : tensor of shape (n, H, W), uint8, or n crops of shape (h, w), uint8
        Crops take a thousandth of the memory: a frame of 2,500 cells needs 0.9 GB of whole masks.
    origins : tensor of shape (n, 2), int64; x and y of each crop's first pixel in the image
        Needed with crops only.
    """

    boxes: Tensor
    masks: Tensor | Sequence[Tensor]
    origins: Tensor | None = field(default=None)

    def __len__(self) -> int:
        return len(self.boxes)

    def to(self, device: torch.device | str) -> "Instances":
        """Boxes on another device; masks follow when they are used."""
        return Instances(self.boxes.to(device), self.masks, self.origins)


class Detector(nn.Module):
    """A network that finds cells by boxes and reads a mask in each.

    Subclasses give ``_losses``, ``_boxes`` and ``_masks`` on padded images and their features.

    Attributes
    ----------
    features : module from images ``(N, 1, H, W)`` to a dict of level to ``(N, C, h, w)``
    stride : images are padded with zeros at their far edges to a multiple of it
    """

    def __init__(self, features: nn.Module, stride: int) -> None:
        super().__init__()
        self.features = features
        self.stride = stride
        self._kept: tuple[Tensor, dict[int, Tensor]] | None = None
        self.register_load_state_dict_post_hook(lambda module, _: module.forget())

    def losses(self, images: Tensor, targets: Sequence[Instances]) -> dict[str, Tensor]:
        """Losses by name, to be summed; finite for images without cells.

        Parameters
        ----------
        images : tensor of shape (N, 1, H, W), float32, normalised
        targets : one an image
        """
        self.forget()
        targets = [target.to(images.device) for target in targets]
        padded = self.padded(images)
        return self._losses(padded, self.features(padded), targets)

    @torch.no_grad()
    def boxes(self, images: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Boxes and scores of each image, best first.

        Returns
        -------
        list of (tensor of shape (n, 4), tensor of shape (n,)), float32; boxes lie in the image
        """
        found = self._boxes(self.padded(images), self._features(images), tuple(images.shape[-2:]))
        return [(boxes.float(), scores.float()) for boxes, scores in found]

    @torch.no_grad()
    def masks(self, images: Tensor, boxes: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Masks in any boxes of each image.

        Features of images given to :meth:`boxes` just before are used again.

        Returns
        -------
        list of (tensor of shape (n, 28, 28), tensor of shape (n,)), float32
            Probabilities, and the factor of the score by the quality of the mask (one without).
        """
        found = self._masks(self._features(images), [one.to(images.device) for one in boxes])
        return [(masks.float(), quality.float()) for masks, quality in found]

    def padded(self, images: Tensor) -> Tensor:
        """Images with zeros at their far edges, so that each level of the pyramid fits."""
        height, width = images.shape[-2:]
        far = (0, -width % self.stride, 0, -height % self.stride)
        return functional.pad(images, far) if any(far) else images

    def train(self, mode: bool = True) -> "Detector":
        """As in torch; features that were kept are dropped."""
        self.forget()
        return super().train(mode)

    def forget(self) -> None:
        """Drop the features that were kept for masks."""
        self._kept = None

    def _features(self, images: Tensor) -> dict[int, Tensor]:
        if self._kept is None or self._kept[0] is not images:
            self._kept = images, self.features(self.padded(images))
        return self._kept[1]

    def _losses(self, images, features, targets) -> dict[str, Tensor]:
        raise NotImplementedError

    def _boxes(self, images, features, shape) -> list[tuple[Tensor, Tensor]]:
        raise NotImplementedError

    def _masks(self, features, boxes) -> list[tuple[Tensor, Tensor]]:
        raise NotImplementedError
