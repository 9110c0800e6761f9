"""A detector in training: its backbone's first weights, and its losses."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cellseg.models.detectors import backbone_weights, torchvision_weights
from cellseg.models.detectors.detector import Detector, Instances
from cellseg.models.pytorch.learner import Build, TorchLearner
from cellseg.training.start import Start

Batch = tuple[np.ndarray, Sequence]
"""Images (N, H, W, 1), float32, and :class:`cellseg.targets.instances.Instances` of each."""


class DetectorLearner(TorchLearner):
    """A detector with its optimiser. Its heads are all but backbone and pyramid.

    Parameters
    ----------
    weights : state dict of a pretrained backbone, or None
    """

    BACKBONE = "features.backbone."
    HEADS = ("proposals.", "box_stages.", "dense.", "mask_branch.")

    def __init__(
        self,
        build: Build,
        settings: Mapping,
        folder: Path,
        weights: Path | None = None,
        start: Start | None = None,
    ) -> None:
        def started(model: Mapping) -> Detector:
            built = build(model)
            if weights is not None:
                backbone_weights.load(built, weights)
            return built

        super().__init__(started, settings, folder, start)

    def _renamed(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return torchvision_weights.renamed(state)

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        images, targets = batch
        tensor = torch.from_numpy(np.ascontiguousarray(images[..., 0])[:, None]).to(self.device)
        cells = [
            Instances(
                torch.from_numpy(one.boxes),
                [torch.from_numpy(mask) for mask in one.masks],
                torch.from_numpy(one.origins),
            )
            for one in targets
        ]
        with self._precision():
            return self.model.losses(tensor, cells)
