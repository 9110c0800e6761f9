"""Detectors in one stage and in two, built from their settings."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from cellseg.models.detectors.cascade import Stages
from cellseg.models.detectors.detector import Detector, Instances
from cellseg.models.detectors.fcos import Fcos
from cellseg.models.detectors.mask_heads import Masks
from cellseg.models.detectors.matching import match
from cellseg.models.detectors.presets import resolved, with_pretrained
from cellseg.models.detectors.proposals import Proposals
from cellseg.models.detectors.pyramid import Pyramid
from cellseg.models.detectors.retinanet import RetinaNet

MASK_IOU = 0.5
"""A predicted box learns the mask of a cell that it overlaps by so much."""
TRAINING, PREDICTION = 0, 1


class OneStage(Detector):
    """Boxes from a dense head, then masks in them: RetinaMask (Fu et al., 2019), CenterMask.

    Parameters
    ----------
    settings : of a preset
    dense : :class:`~cellseg.models.detectors.fcos.Fcos` or
        :class:`~cellseg.models.detectors.retinanet.RetinaNet`
    """

    def __init__(self, settings: Mapping, dense: nn.Module, attention: bool) -> None:
        super().__init__(Pyramid(settings), _stride(settings))
        self.settings = settings
        self.dense = dense
        self.mask_branch = Masks(settings, attention)

    def _losses(
        self, images: Tensor, features: Mapping[int, Tensor], targets: Sequence[Instances]
    ) -> dict[str, Tensor]:
        outputs = self.dense(features)
        losses = self.dense.losses(outputs, features, targets)
        found = self.dense.found(
            outputs, features, tuple(images.shape[-2:]), self.settings["candidates"][TRAINING]
        )
        boxes, cells = [], []
        for target, (candidates, _) in zip(targets, found, strict=True):
            every = torch.cat([target.boxes, candidates])
            matched = match(target.boxes, every, MASK_IOU, MASK_IOU)
            boxes.append(every[matched >= 0])
            cells.append(matched[matched >= 0])
        return losses | self.mask_branch.losses(features, boxes, cells, targets)

    def _boxes(
        self, images: Tensor, features: Mapping[int, Tensor], shape: tuple[int, int]
    ) -> list[tuple[Tensor, Tensor]]:
        before, after = self.settings["candidates"][PREDICTION]
        most = min(after, self.settings["detections"])
        return self.dense.found(self.dense(features), features, shape, (before, most))

    def _masks(
        self, features: Mapping[int, Tensor], boxes: Sequence[Tensor]
    ) -> list[tuple[Tensor, Tensor]]:
        return self.mask_branch.found(features, boxes)


class TwoStages(Detector):
    """Proposals, boxes from them in one or more stages, then masks: Mask R-CNN, cascades.

    Parameters
    ----------
    settings : of a preset
    """

    def __init__(self, settings: Mapping) -> None:
        super().__init__(Pyramid(settings), _stride(settings))
        self.settings = settings
        self.proposals = Proposals(settings)
        self.box_stages = Stages(settings)
        self.mask_branch = Masks(settings)

    def _losses(
        self, images: Tensor, features: Mapping[int, Tensor], targets: Sequence[Instances]
    ) -> dict[str, Tensor]:
        outputs = self.proposals(features)
        losses = self.proposals.losses(outputs, targets)
        shape = tuple(images.shape[-2:])
        found = self.proposals.found(outputs, shape, self.settings["candidates"][TRAINING])
        of_boxes, boxes, cells = self.box_stages.losses(features, found, targets)
        return losses | of_boxes | self.mask_branch.losses(features, boxes, cells, targets)

    def _boxes(
        self, images: Tensor, features: Mapping[int, Tensor], shape: tuple[int, int]
    ) -> list[tuple[Tensor, Tensor]]:
        candidates = self.settings["candidates"][PREDICTION]
        found = self.proposals.found(self.proposals(features), shape, candidates)
        return self.box_stages.found(features, found, shape)

    def _masks(
        self, features: Mapping[int, Tensor], boxes: Sequence[Tensor]
    ) -> list[tuple[Tensor, Tensor]]:
        return self.mask_branch.found(features, boxes)


def build(model: Mapping) -> Detector:
    """Build a detector with random weights.

    Parameters
    ----------
    model : ``family`` (maskrcnn, retinamask, centermask or cascade), ``preset`` and settings that
        replace the preset's, see :mod:`cellseg.models.detectors.presets`

    Raises
    ------
    UserError
        The preset is unknown.
    """
    settings = resolved(model)
    if model["family"] == "centermask":
        return OneStage(settings, Fcos(settings), attention=True)
    if model["family"] == "retinamask":
        return OneStage(settings, RetinaNet(settings), attention=False)
    return TwoStages(settings)


def of_run(model: Mapping) -> Detector:
    """As :func:`build`, by a model of the study, whose norms go by whether its backbone is
    pretrained."""
    return build(with_pretrained(model))


def _stride(settings: Mapping) -> int:
    return 2 ** settings["levels"][-1]
