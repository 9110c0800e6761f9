"""Region proposals: the first of two stages (Ren et al., 2015), with torchvision's head."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.rpn import RPNHead

from cellseg.models.detectors import boxes as geometry
from cellseg.models.detectors.detector import Instances
from cellseg.models.detectors.matching import match, sample

CELL, BACKGROUND, SHARE = 0.7, 0.3, 0.5
"""IoU from which an anchor is a cell, below which it is background; share of cells drawn."""
BETA = 1 / 9


class Proposals(nn.Module):
    """Boxes that may hold a cell.

    Parameters
    ----------
    settings : of a preset of two stages
    """

    def __init__(self, settings: Mapping) -> None:
        super().__init__()
        self.settings = settings
        number = geometry.anchors_of_place(settings)
        self.head = RPNHead(settings["channels"], number, settings["proposal_convolutions"])

    def forward(
        self, features: Mapping[int, Tensor]
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Logits (N, A), codes (N, A, 4) and anchors (A, 4) of each level."""
        score, code = self.head([features[level] for level in self.settings["anchor_levels"]])
        scores = [level.permute(0, 2, 3, 1).flatten(1).float() for level in score]
        number = geometry.anchors_of_place(self.settings)
        codes = [
            level.unflatten(1, (number, 4)).permute(0, 3, 4, 1, 2).flatten(1, 3).float()
            for level in code
        ]
        return scores, codes, geometry.anchors(features, self.settings)

    def losses(self, outputs: tuple, targets: Sequence[Instances]) -> dict[str, Tensor]:
        """Cross-entropy of drawn anchors, and smooth L1 of those of cells."""
        scores, codes, levels = outputs
        score, code, anchors = torch.cat(scores, 1), torch.cat(codes, 1), torch.cat(levels)
        of_score, of_box, drawn = score.sum() * 0, code.sum() * 0, 0
        for image, target in enumerate(targets):
            matched = match(target.boxes, anchors, CELL, BACKGROUND, keep_best=True)
            cell, other = sample(matched, self.settings["proposal_samples"], SHARE)
            drawn += len(cell) + len(other)
            picked = torch.cat([cell, other])
            truth = (torch.arange(len(picked), device=score.device) < len(cell)).float()
            of_score = of_score + functional.binary_cross_entropy_with_logits(
                score[image][picked], truth, reduction="sum"
            )
            true = geometry.encode(target.boxes[matched[cell]], anchors[cell])
            of_box = of_box + functional.smooth_l1_loss(
                code[image][cell], true, beta=BETA, reduction="sum"
            )
        return {"proposal score": of_score / max(1, drawn), "proposal box": of_box / max(1, drawn)}

    @torch.no_grad()
    def found(
        self, outputs: tuple, shape: tuple[int, int], candidates: Sequence[int]
    ) -> list[Tensor]:
        """Proposals of each image, the best first.

        Parameters
        ----------
        shape : height and width of the image
        candidates : boxes of a level before suppression, and of all levels after it
        """
        scores, codes, levels = outputs
        results = []
        for image in range(len(scores[0])):
            best = geometry.best_of_levels(
                [score[image] for score in scores], candidates[0], -torch.inf
            )
            boxes = torch.cat(
                [
                    geometry.decode(code[image][at], anchors[at])
                    for code, anchors, (at, _) in zip(codes, levels, best, strict=True)
                ]
            )
            values = torch.cat([value for _, value in best])
            level = torch.cat(
                [torch.full_like(value, number) for number, (_, value) in enumerate(best)]
            )
            kept, _ = geometry.suppress(
                geometry.clip(boxes, shape), values, level,
                self.settings["proposal_nms"], candidates[1],
            )  # fmt: skip
            results.append(kept)
        return results
