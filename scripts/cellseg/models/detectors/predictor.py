"""A trained detector, applied to images of any size."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cellseg.models.detectors import network
from cellseg.models.detectors.detector import Detector
from cellseg.models.pytorch import state_files
from cellseg.targets.instances import HEAD, Detections, detected


class Predictor:
    """A trained network; images are normalised, (H, W), float32.

    Parameters
    ----------
    settings : from :func:`cellseg.study.runs.run_settings`
    folder : holds the weights, see :func:`cellseg.models.pytorch.state_files.load_run`
    build : makes the network from the settings of a model
    """

    def __init__(
        self,
        settings: Mapping,
        folder: Path,
        build: Callable[[Mapping], Detector] = network.of_run,
    ) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = build(settings["model"])
        state_files.load_run(self.model, folder)
        self.model.to(self.device).eval()
        self._last: tuple[np.ndarray, Tensor] | None = None

    def boxes(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes of shape (n, 4) and scores of shape (n,), float32, the best first."""
        boxes, scores = self.model.boxes(self._tensor(image))[0]
        return boxes.cpu().numpy(), scores.cpu().numpy()

    def masks(self, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Masks of shape (n, 28, 28), 0 to 1, in any boxes, and the factor of each score."""
        wanted = torch.from_numpy(np.ascontiguousarray(boxes, np.float32))
        probabilities, quality = self.model.masks(self._tensor(image), [wanted])[0]
        return probabilities.cpu().numpy(), quality.cpu().numpy()

    def __call__(self, images: np.ndarray) -> dict[str, list[Detections]]:
        """Detections of images ``(N, H, W, 1)``, in the place of maps."""
        return {HEAD: [detected(self, image) for image in images[..., 0]]}

    def _tensor(self, image: np.ndarray) -> Tensor:
        """The same tensor for the same image: the network keeps what it computed of it."""
        if self._last is None or self._last[0] is not image:
            pixels = np.ascontiguousarray(image, np.float32)[None, None]
            self._last = image, torch.from_numpy(pixels).to(self.device)
        return self._last[1]
