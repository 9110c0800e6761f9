"""The proof that each family of detectors learns: two tiles, through reloaded weights."""

import io

import pytest

from cellseg.errors import UserError

torch = pytest.importorskip("cellseg.models.detectors.packages", exc_type=UserError).torch

from cellseg.models.detectors import network  # noqa: E402
from cellseg.scoring.objects import score_image  # noqa: E402
from cellseg.segmentation.instances import paint  # noqa: E402
from detector_cases import batch, instances, tiles  # noqa: E402

STEPS = 200


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("family", ["centermask", "retinamask", "maskrcnn", "cascade"])
def test_two_tiles_are_learned_by_heart(family):
    """Scored after boxes, masks and painting; losses alone have hidden an enlarged image before."""
    model = {"family": family, "preset": "small"}
    images, labels = tiles()
    scores = [one["f1_50"] for one in learned(model, images, labels)]
    assert min(scores) >= 0.85, scores


def learned(model, images, labels):
    """Scores of each tile after training on all of them."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    detector = network.build(model).train()
    optimizer = torch.optim.AdamW(detector.parameters(), lr=1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1e-3, total_steps=STEPS, pct_start=0.1
    )
    stack, targets = batch(images), [instances(one) for one in labels]
    for _ in range(STEPS):
        total = sum(detector.losses(stack, targets).values())
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(detector.parameters(), 10.0)
        optimizer.step()
        schedule.step()
    saved = io.BytesIO()
    torch.save(detector.state_dict(), saved)
    saved.seek(0)
    reloaded = network.build(model).eval()
    reloaded.load_state_dict(torch.load(saved, weights_only=True))
    found = reloaded.boxes(stack)
    masks = reloaded.masks(stack, [boxes for boxes, _ in found])
    scored = []
    for true, (boxes, scores), (probabilities, quality) in zip(labels, found, masks, strict=True):
        painted, _ = paint(
            boxes.numpy(), (scores * quality).numpy(), probabilities.numpy(), true.shape,
            score_threshold=0.3,
        )  # fmt: skip
        scored.append(score_image(true, painted)[0])
    return scored
