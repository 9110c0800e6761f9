"""Which boxes detectors find and learn: anchors, proposals, stages and points."""

import pytest

from cellseg.errors import UserError

packages = pytest.importorskip("cellseg.models.detectors.packages", exc_type=UserError)
torch = packages.torch

from torchvision.ops import box_iou  # noqa: E402

from cellseg.models.detectors import boxes as geometry  # noqa: E402
from cellseg.models.detectors import cascade, fcos, presets, proposals  # noqa: E402
from cellseg.models.detectors.detector import Instances  # noqa: E402

SHAPE = (64, 64)
MANY = (100, 100)
PAIR = torch.tensor([[10.0, 10, 20, 20], [10, 10, 20, 16]])
"""Boxes of an IoU of 0.6."""


def settings(family, **changed):
    return {**presets.resolved({"family": family, "preset": "small"}), **changed}


def logits(*probabilities):
    return torch.logit(torch.tensor([probabilities]))


# --- geometry


def test_ratios_of_anchors_are_of_height_to_width():
    of_anchors = {"anchor_levels": [2], "anchor_sizes": [16], "anchor_ratios": [4]}
    (found,) = geometry.anchors({2: torch.zeros(1, 1, 1, 1)}, of_anchors)
    assert found.tolist() == [[-2, -14, 6, 18]]


def test_the_best_of_a_level_are_above_the_floor():
    ((at, values),) = geometry.best_of_levels([torch.tensor([0.1, 0.5, 0.3])], 3, 0.2)
    assert at.tolist() == [1, 2] and values.tolist() == pytest.approx([0.5, 0.3])


# --- proposals


def test_a_cell_that_no_anchor_overlaps_well_is_learnt_by_its_best_anchor():
    cell = torch.tensor([[0.0, 0, 10, 10]])
    anchors = torch.tensor([[0.0, 0, 10, 20], [40, 40, 50, 50]])
    assert box_iou(cell, anchors).max() < proposals.CELL
    outputs = [torch.zeros(1, 2)], [torch.zeros(1, 2, 4)], [anchors]
    target = Instances(cell, [torch.ones(10, 10)], torch.zeros(1, 2, dtype=torch.int64))
    losses = proposals.Proposals(settings("maskrcnn")).losses(outputs, [target])
    assert losses["proposal box"] > 0


@pytest.mark.parametrize(("threshold", "number"), [(0.5, 1), (0.8, 2)])
def test_proposals_that_overlap_by_the_threshold_are_suppressed(threshold, number):
    outputs = [torch.zeros(1, 2)], [torch.zeros(1, 2, 4)], [PAIR]
    of_maskrcnn = proposals.Proposals(settings("maskrcnn", proposal_nms=threshold))
    (found,) = of_maskrcnn.found(outputs, SHAPE, MANY)
    assert len(found) == number


# --- stages


def refined(boxes, scores, codes, **changed):
    """Boxes and scores of stages whose layers give the same for every box."""
    made = cascade.Stages(settings("cascade", **changed))
    for stage, score, code in zip(made.stages, scores, codes, strict=True):
        for layer, bias in ((stage.score, logits(0.5, score)[0]), (stage.codes, code)):
            torch.nn.init.zeros_(layer.weight)
            layer.bias.data = torch.as_tensor(bias, dtype=torch.float32)
    features = {n: torch.zeros(1, made.settings["channels"], 64 >> n, 64 >> n) for n in (2, 3, 4)}
    return made.found(features, [boxes], SHAPE)[0]


NOTHING = [(0, 0, 0, 0)] * 3


def test_scores_of_a_cascade_are_means_over_its_stages():
    _, scores = refined(PAIR[:1], (0.2, 0.3, 0.7), NOTHING)
    assert scores.tolist() == pytest.approx([0.4])


def test_later_stages_of_a_cascade_correct_less():
    boxes, _ = refined(PAIR[:1], (0.5, 0.5, 0.5), [(6, 0, 0, 0)] * 3)
    # Six times a tenth, a twentieth and a thirtieth of a side of 10.
    torch.testing.assert_close(boxes, torch.tensor([[21.0, 10, 31, 20]]))


@pytest.mark.parametrize(("threshold", "number"), [(0.5, 1), (0.7, 2)])
def test_boxes_of_stages_that_overlap_by_the_threshold_are_suppressed(threshold, number):
    boxes, _ = refined(PAIR, (0.5, 0.5, 0.5), NOTHING, nms_threshold=threshold)
    assert len(boxes) == number


# --- points


def test_scores_of_points_are_those_of_cells_and_of_centreness():
    boxes = torch.tensor([[[0.0, 0, 10, 10], [30, 30, 40, 40]]])
    outputs = [(logits(0.8, 0.5), boxes, logits(0.2, 0.5))]
    of_centermask = fcos.Fcos(settings("centermask"))
    ((found, scores),) = of_centermask.found(outputs, {}, SHAPE, MANY)
    assert scores.tolist() == pytest.approx([0.5, 0.4])
    assert torch.equal(found, boxes[0].flip(0))
