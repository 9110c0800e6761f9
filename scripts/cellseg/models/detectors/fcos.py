"""FCOS: boxes from points, without anchors (Tian et al., 2019)."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from cellseg.models.detectors import boxes as geometry
from cellseg.models.detectors.backbones import group_norm
from cellseg.models.detectors.detector import Instances
from cellseg.models.detectors.matching import match_points
from cellseg.models.detectors.pyramid import all_levels

RADIUS = 1.5
"""Points within so many strides of a box's centre learn it."""
PRIOR = 0.01
"""Probability of a cell that the head begins with."""


class Fcos(nn.Module):
    """Towers shared by all levels: a score, four distances and a centreness a point.

    Parameters
    ----------
    settings : of a preset of CenterMask
    """

    def __init__(self, settings: Mapping) -> None:
        super().__init__()
        self.settings, self.levels = settings, all_levels(settings)
        width = settings["channels"]
        self.of_scores = _tower(width, settings["tower"])
        self.of_boxes = _tower(width, settings["tower"])
        self.score = nn.Conv2d(width, 1, 3, padding=1)
        self.sides = nn.Conv2d(width, 4, 3, padding=1)
        self.centreness = nn.Conv2d(width, 1, 3, padding=1)
        self.scales = nn.Parameter(torch.ones(len(self.levels)))
        for layer in (self.score, self.sides, self.centreness):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.score.bias, math.log(PRIOR / (1 - PRIOR)))

    def forward(self, features: Mapping[int, Tensor]) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Logits (N, P), boxes (N, P, 4) and logits of centreness (N, P) of each level."""
        found = []
        for number, level in enumerate(self.levels):
            of_scores, of_boxes = (
                self.of_scores(features[level]),
                self.of_boxes(features[level]),
            )
            sides = self.sides(of_boxes).float() * self.scales[number]
            # A side of e**6 strides is larger than any image.
            sides = torch.exp(sides.clamp(max=6.0)) * 2**level
            sides = sides.flatten(2).transpose(1, 2)
            points = geometry.centres(features[level], level)[None]
            boxes = torch.cat([points - sides[..., :2], points + sides[..., 2:]], dim=2)
            score = self.score(of_scores).flatten(1).float()
            found.append((score, boxes, self.centreness(of_boxes).flatten(1).float()))
        return found

    def losses(
        self,
        outputs: Sequence[tuple[Tensor, Tensor, Tensor]],
        features: Mapping[int, Tensor],
        targets: Sequence[Instances],
    ) -> dict[str, Tensor]:
        """Focal loss of scores, GIoU loss of boxes by their centreness, and that of centreness."""
        score, boxes, centreness = (torch.cat(part, dim=1) for part in zip(*outputs, strict=True))
        points, smallest, largest, radius = self._places(features)
        matched = torch.stack(
            [match_points(one.boxes, points, smallest, largest, radius) for one in targets]
        )
        cell = matched >= 0
        n_cells = max(1, int(cell.sum()))
        of_score = sigmoid_focal_loss(score, cell.float(), reduction="sum") / n_cells
        true = torch.cat(
            [one.boxes[index[index >= 0]] for one, index in zip(targets, matched, strict=True)]
        )
        where = points[None].expand(len(targets), -1, -1)[cell]
        central = _centreness(where, true)
        overlap = generalized_box_iou_loss(boxes[cell], true, reduction="none")
        of_boxes = (overlap * central).sum() / central.sum().clamp(min=1e-6)
        of_centre = functional.binary_cross_entropy_with_logits(
            centreness[cell], central, reduction="sum"
        )
        return {"score": of_score, "box": of_boxes, "centreness": of_centre / n_cells}

    @torch.no_grad()
    def found(
        self,
        outputs: Sequence[tuple[Tensor, Tensor, Tensor]],
        features: Mapping[int, Tensor],
        shape: tuple[int, int],
        candidates: Sequence[int],
    ) -> list[tuple[Tensor, Tensor]]:
        """Boxes and scores of each image after suppression, best first.

        Parameters
        ----------
        shape : height and width of the image
        candidates : boxes of a level before suppression, and of all levels after it
        """
        del features
        floor, threshold = self.settings["score_threshold"], self.settings["nms_threshold"]
        results = []
        for image in range(len(outputs[0][0])):
            scores = [
                (torch.sigmoid(score[image]) * torch.sigmoid(centre[image])).sqrt()
                for score, _, centre in outputs
            ]
            best = geometry.best_of_levels(scores, candidates[0], floor)
            picked = torch.cat(
                [level[1][image][at] for level, (at, _) in zip(outputs, best, strict=True)]
            )
            values = torch.cat([value for _, value in best])
            results.append(
                geometry.suppress(
                    geometry.clip(picked, shape),
                    values,
                    torch.zeros_like(values),
                    threshold,
                    candidates[1],
                )
            )
        return results

    def _places(self, features: Mapping[int, Tensor]) -> tuple[Tensor, ...]:
        """Points of all levels, and for each the least and largest side and the radius."""
        ranges = [0.0, *self.settings["ranges"], float("inf")]
        points, rows = [], []
        for number, level in enumerate(self.levels):
            here = geometry.centres(features[level], level)
            points.append(here)
            low, high = (
                ranges[number],
                ranges[number + 1] if level != self.levels[-1] else ranges[-1],
            )
            rows.append(here.new_tensor([low, high, RADIUS * 2**level]).expand(len(here), 3))
        columns = torch.cat(rows)
        return torch.cat(points), columns[:, 0], columns[:, 1], columns[:, 2]


def _tower(width: int, number: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(number):
        convolution = nn.Conv2d(width, width, 3, padding=1)
        nn.init.normal_(convolution.weight, std=0.01)
        nn.init.zeros_(convolution.bias)
        layers += [convolution, group_norm(width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _centreness(points: Tensor, boxes: Tensor) -> Tensor:
    """How central points are in their boxes, 0..1: tensor of shape (n,)."""
    before, after = points - boxes[:, :2], boxes[:, 2:] - points
    ratio = torch.minimum(before, after) / torch.maximum(before, after).clamp(min=1e-6)
    return ratio.clamp(min=0).prod(dim=1).sqrt()
