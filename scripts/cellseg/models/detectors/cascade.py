"""Boxes from proposals in one stage, or in several that refine them (Cai, Vasconcelos, 2018)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, TwoMLPHead

from cellseg.models.detectors import boxes as geometry
from cellseg.models.detectors.backbones import group_norm
from cellseg.models.detectors.detector import Instances
from cellseg.models.detectors.matching import match, sample
from cellseg.models.detectors.pyramid import Reader

SIZE, SHARE = 7, 0.25
"""Pixels of what is read along each side of a box, and the share of cells among those drawn."""
WEIGHTS = ((10, 5), (20, 10), (30, 15))
"""Of a box's codes, by stage: later stages correct less."""
CHUNK = 512
"""Boxes that are read at a time in prediction."""


class Stage(nn.Module):
    """Score and correction of boxes: ``(n, C, 7, 7)`` to two logits and four codes."""

    def __init__(self, settings: Mapping) -> None:
        super().__init__()
        channels, width = settings["channels"], settings["box_width"]
        if settings["box_head"] == "two-linear":
            self.body: nn.Module = TwoMLPHead(channels * SIZE**2, width)
        else:
            self.body = FastRCNNConvFCHead(
                (channels, SIZE, SIZE), [channels] * 4, [width], norm_layer=group_norm
            )
        self.score, self.codes = nn.Linear(width, 2), nn.Linear(width, 4)
        for layer, deviation in ((self.score, 0.01), (self.codes, 0.001)):
            nn.init.normal_(layer.weight, std=deviation)
            nn.init.zeros_(layer.bias)

    def forward(self, read: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of background and cell (n, 2), and codes (n, 4)."""
        values = self.body(read)
        return self.score(values).float(), self.codes(values).float()


class Stages(nn.Module):
    """All stages; that with the IoU t learns from boxes that overlap a cell by t.

    Parameters
    ----------
    settings : of a preset of two stages; ``stages`` lists the IoUs
    """

    def __init__(self, settings: Mapping) -> None:
        super().__init__()
        self.settings = settings
        self.reader = Reader(SIZE, settings["levels"], settings["canonical_size"])
        self.stages = nn.ModuleList(Stage(settings) for _ in settings["stages"])

    def losses(
        self,
        features: Mapping[int, Tensor],
        proposals: Sequence[Tensor],
        targets: Sequence[Instances],
    ) -> tuple[dict[str, Tensor], list[Tensor], list[Tensor]]:
        """Losses of each stage, and drawn boxes of cells with their cells, for the masks."""
        # The true boxes are proposals too, so that there are cells from the start.
        boxes = [torch.cat([one, target.boxes]) for one, target in zip(proposals, targets)]  # noqa: B905
        picked, cells = [], []
        for image, target in enumerate(targets):
            iou = self.settings["stages"][0]
            matched = match(target.boxes, boxes[image], iou, iou)
            cell, other = sample(matched, self.settings["box_samples"], SHARE)
            picked.append(boxes[image][torch.cat([cell, other])])
            cells.append(matched[cell])
        of_masks = [boxes[: len(cell)] for boxes, cell in zip(picked, cells, strict=True)]
        losses, boxes = {}, picked
        for number, (stage, iou) in enumerate(
            zip(self.stages, self.settings["stages"], strict=True), 1
        ):
            weights = WEIGHTS[min(number, len(WEIGHTS)) - 1]
            score, codes = stage(self.reader(features, boxes))
            matched = torch.cat(
                [match(one.boxes, b, iou, iou) for one, b in zip(targets, boxes, strict=True)]
            )
            true = torch.cat([_of(one, b, iou) for one, b in zip(targets, boxes, strict=True)])
            every = torch.cat(boxes)
            cell = matched >= 0
            of_score = functional.cross_entropy(score, cell.long(), reduction="sum")
            of_box = functional.smooth_l1_loss(
                codes[cell], geometry.encode(true, every[cell], weights), reduction="sum"
            )
            total = max(1, len(every))
            losses |= {f"score {number}": of_score / total, f"box {number}": of_box / total}
            refined = geometry.decode(codes.detach(), every, weights)
            boxes = list(refined.split([len(one) for one in boxes]))
        return losses, of_masks, cells

    @torch.no_grad()
    def found(
        self, features: Mapping[int, Tensor], proposals: Sequence[Tensor], shape: tuple[int, int]
    ) -> list[tuple[Tensor, Tensor]]:
        """Boxes and scores of each image, best first; scores are means over the stages."""
        settings = self.settings
        results = []
        for image, boxes in enumerate(proposals):
            one = {level: values[image : image + 1] for level, values in features.items()}
            scores = boxes.new_zeros(len(boxes))
            for number, stage in enumerate(self.stages):
                parts = [stage(self.reader(one, [part])) for part in boxes.split(CHUNK)]
                score, codes = (torch.cat(part) for part in zip(*parts, strict=True))
                scores = scores + torch.softmax(score, dim=1)[:, 1] / len(self.stages)
                boxes = geometry.clip(geometry.decode(codes, boxes, WEIGHTS[number]), shape)
            above = scores > settings["score_threshold"]
            results.append(
                geometry.suppress(
                    boxes[above],
                    scores[above],
                    torch.zeros_like(scores[above]),
                    settings["nms_threshold"],
                    settings["detections"],
                )
            )
        return results


def _of(target: Instances, boxes: Tensor, iou: float) -> Tensor:
    """True boxes of those boxes that overlap one by `iou`."""
    matched = match(target.boxes, boxes, iou, iou)
    return target.boxes[matched[matched >= 0]]
