"""RetinaNet: boxes from anchors in one stage (Lin et al., 2017), with torchvision's head."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops import sigmoid_focal_loss

from cellseg.models.detectors import boxes as geometry
from cellseg.models.detectors.backbones import group_norm
from cellseg.models.detectors.detector import Instances
from cellseg.models.detectors.matching import BETWEEN, match

CELL, BACKGROUND = 0.5, 0.4
"""IoU from which an anchor is a cell, and below which it is background."""
BETA = 1 / 9
"""Where the smooth L1 loss becomes linear."""


class RetinaNet(nn.Module):
    """Anchors, torchvision's head with one class, and its losses.

    Parameters
    ----------
    settings : of a preset of RetinaMask
    """

    def __init__(self, settings: Mapping) -> None:
        super().__init__()
        self.settings = settings
        norm = group_norm if settings["norm"] == "group" else None
        number = geometry.anchors_of_place(settings)
        self.head = RetinaNetHead(settings["channels"], number, 1, norm)

    def forward(self, features: Mapping[int, Tensor]) -> dict[str, Tensor]:
        """Logits (N, anchors) and codes (N, anchors, 4), level by level."""
        found = self.head([features[level] for level in self.settings["anchor_levels"]])
        return {"score": found["cls_logits"][..., 0].float(), "box": found["bbox_regression"]}

    def losses(
        self,
        outputs: Mapping[str, Tensor],
        features: Mapping[int, Tensor],
        targets: Sequence[Instances],
    ) -> dict[str, Tensor]:
        """Focal loss of scores and smooth L1 loss of boxes, by the number of anchors of cells."""
        anchors = torch.cat(geometry.anchors(features, self.settings))
        of_score, of_box, n_cells = outputs["score"].sum() * 0, outputs["box"].sum() * 0, 0
        for image, target in enumerate(targets):
            matched = match(target.boxes, anchors, CELL, BACKGROUND, keep_best=True)
            cell, used = matched >= 0, matched != BETWEEN
            score = outputs["score"][image][used]
            of_score = of_score + sigmoid_focal_loss(score, cell[used].float(), reduction="sum")
            n_cells += int(cell.sum())
            if cell.any():
                true = geometry.encode(target.boxes[matched[cell]], anchors[cell])
                codes = outputs["box"][image][cell].float()
                of_box = of_box + functional.smooth_l1_loss(codes, true, beta=BETA, reduction="sum")
        return {"score": of_score / max(1, n_cells), "box": of_box / max(1, n_cells)}

    @torch.no_grad()
    def found(
        self,
        outputs: Mapping[str, Tensor],
        features: Mapping[int, Tensor],
        shape: tuple[int, int],
        candidates: Sequence[int],
    ) -> list[tuple[Tensor, Tensor]]:
        """Boxes and scores of each image, see :meth:`cellseg.models.detectors.fcos.Fcos.found`."""
        levels = geometry.anchors(features, self.settings)
        lengths = [len(level) for level in levels]
        results = []
        for score, codes in zip(outputs["score"], outputs["box"], strict=True):
            scores = torch.sigmoid(score).split(lengths)
            best = geometry.best_of_levels(scores, candidates[0], self.settings["score_threshold"])
            parts = zip(levels, codes.split(lengths), best, strict=True)
            picked = torch.cat(
                [geometry.decode(code[at], anchors[at]) for anchors, code, (at, _) in parts]
            )
            values = torch.cat([value for _, value in best])
            results.append(
                geometry.suppress(
                    geometry.clip(picked, shape),
                    values,
                    torch.zeros_like(values),
                    self.settings["nms_threshold"],
                    candidates[1],
                )
            )
        return results
