"""The detectors' networks: sizes, losses without cells and with many, memory, repeatability."""

import subprocess
import sys

import numpy as np
import pytest

from cellseg.errors import UserError

packages = pytest.importorskip("cellseg.models.detectors.packages", exc_type=UserError)
torch, torchvision = packages.torch, packages.torchvision

from torchvision.ops import box_iou  # noqa: E402

from cellseg.models.detectors import backbones, mask_targets, matching, network, presets, sizes  # noqa: E402
from cellseg.models.detectors.detector import Instances  # noqa: E402
from detector_cases import instances  # noqa: E402

FAMILIES = sorted(presets.PRESETS)
SWITCHES = {"maskrcnn": "v2_heads", "centermask": "mask_scoring", "cascade": "deformable"}
CASES = [
    {"family": family, "preset": preset} | switch
    for family, of_family in presets.PRESETS.items()
    for preset in of_family
    for switch in (
        [{}]
        + ([{SWITCHES[family]: value} for value in (True, False)] if family in SWITCHES else [])
    )
]


def name(case):
    return "-".join(str(value) for value in case.values())


def small(family, **options):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return network.build({"family": family, "preset": "small", **options})


def crowded(number: int, size: int) -> Instances:
    """A grid of square cells, as crops."""
    side = max(1, int(np.ceil(number**0.5)))
    step = size / side
    places = [(n % side * step, n // side * step) for n in range(number)]
    length = max(2, int(step * 0.9))
    boxes = torch.tensor([[x, y, x + length, y + length] for x, y in places]).reshape(-1, 4)
    crops = [torch.ones(length + 1, length + 1, dtype=torch.uint8)] * number
    return Instances(boxes, crops, torch.tensor(places).long().reshape(-1, 2))


@pytest.mark.parametrize("case", CASES, ids=name)
def test_facts_agree_with_the_network(case):
    with torch.device("meta"):  # no memory, no initialisation
        detector = network.build(case)
    counted = sum(weight.numel() for weight in detector.parameters())
    assert sizes.parameters(case, 1) == pytest.approx(counted, rel=0.03)
    assert sizes.values(case, 1) > 50
    assert presets.resolved(case)["backbone"] in sizes.description(case)


def test_every_backbone_gives_maps_of_strides_4_to_32():
    for backbone in sorted(backbones.BACKBONES):
        with torch.device("meta"):
            built = backbones.build({"backbone": backbone, "norm": "frozen"})
            maps = built(torch.zeros(1, 1, 64, 96))
        for level in backbones.LEVELS:
            assert maps[level].shape == (1, built.channels[level], 64 >> level, 96 >> level)
        assert not any(isinstance(one, torch.nn.BatchNorm2d) for one in built.modules())


def test_an_unknown_preset_names_those_that_exist():
    with pytest.raises(UserError, match="small"):
        network.build({"family": "cascade", "preset": "resnet51"})


@pytest.mark.parametrize("family", FAMILIES)
def test_losses_of_tiles_without_cells_are_finite_and_have_gradients(family):
    detector = small(family).train()
    losses = detector.losses(torch.randn(2, 1, 64, 96), [crowded(0, 64), crowded(0, 64)])
    total = sum(losses.values())
    total.backward()
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert all(torch.isfinite(w.grad).all() for w in detector.parameters() if w.grad is not None)


@pytest.mark.parametrize("family", FAMILIES)
def test_losses_with_and_without_cells_have_the_same_names(family):
    detector = small(family).train()
    images = torch.randn(1, 1, 64, 64)
    empty = detector.losses(images, [crowded(0, 64)])
    assert empty.keys() == detector.losses(images, [crowded(9, 64)]).keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_losses_of_2500_cells_are_finite(family):
    detector = small(family).train()
    losses = detector.losses(torch.randn(1, 1, 256, 256), [crowded(2500, 256)])
    assert all(torch.isfinite(loss) for loss in losses.values())
    sum(losses.values()).backward()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_repeats_losses_and_detections(family):
    images = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(3))

    def once():
        detector = small(family, score_threshold=0.0).train()
        losses = detector.losses(images, [crowded(9, 64)])
        found = detector.eval().boxes(images)
        return [*losses.values(), *found[0], *detector.masks(images, [found[0][0]])[0]]

    for first, second in zip(once(), once(), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", [(37, 90), (64, 64), (130, 65)])
def test_boxes_lie_in_images_of_any_size(family, shape):
    detector = small(family, score_threshold=0.0, detections=20).eval()
    images = torch.randn(2, 1, *shape)
    found = detector.boxes(images)
    masks = detector.masks(images, [boxes for boxes, _ in found])
    for (boxes, scores), (probabilities, quality) in zip(found, masks, strict=True):
        assert 0 < len(boxes) <= 20 and boxes.shape == (len(scores), 4)
        assert boxes.min() >= 0 and (boxes[:, 2:].amax(0) <= torch.tensor(shape[::-1])).all()
        assert (scores[:-1] >= scores[1:]).all()
        assert probabilities.shape == (len(boxes), 28, 28) and quality.shape == (len(boxes),)
        assert probabilities.min() >= 0 and probabilities.max() <= 1
        assert quality.min() >= 0 and quality.max() <= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_an_image_is_never_resized(family):
    """The finest map has a value for each 4 or 8 pixels, whatever the size of the image."""
    detector = small(family).eval()
    for side in (64, 256):
        finest = next(iter(detector.features(torch.zeros(1, 1, side, side)).values()))
        assert finest.shape[-1] == side / 4


def test_quality_is_one_without_mask_scoring():
    images = torch.randn(1, 1, 64, 64)
    boxes = torch.tensor([[4.0, 4, 20, 20], [0, 0, 64, 64]])
    _, scored = small("centermask").eval().masks(images, [boxes])[0]
    _, plain = small("centermask", mask_scoring=False).eval().masks(images, [boxes])[0]
    assert (plain == 1).all() and (scored < 1).all()


def test_masks_do_not_use_features_of_other_weights():
    detector, other = small("centermask").eval(), small("centermask", norm="group")
    for weight in other.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    images, boxes = torch.randn(1, 1, 64, 64), [torch.tensor([[4.0, 4, 20, 20]])]
    detector.boxes(images)
    detector.load_state_dict(other.state_dict())
    again = other.eval().masks(images, boxes)[0][0]
    assert torch.equal(detector.masks(images, boxes)[0][0], again)


def test_deformable_convolutions_begin_as_plain_ones_at_half_strength():
    plain = torch.nn.Conv2d(4, 8, 3, padding=1, bias=False)
    values = torch.randn(1, 4, 9, 9)
    found = backbones.Deformable(plain)(values)
    torch.testing.assert_close(found, plain(values) / 2)


@pytest.mark.parametrize("keep_best", [False, True])
@pytest.mark.parametrize("pairs", [7, 10**6])
def test_matching_equals_torchvision(monkeypatch, keep_best, pairs):
    from torchvision.models.detection._utils import Matcher

    monkeypatch.setattr(matching, "PAIRS", pairs)
    torch.manual_seed(0)
    corners = torch.rand(130, 2) * 40
    boxes = torch.cat([corners, corners + 2 + torch.rand(130, 2) * 12], dim=1)
    true, anchors = boxes[:10], boxes[10:]
    plain = Matcher(0.5, 0.3, keep_best)(box_iou(true, anchors))
    assert torch.equal(matching.match(true, anchors, 0.5, 0.3, keep_best), plain)


def test_a_point_learns_the_smallest_box_of_its_level(monkeypatch):
    boxes = torch.tensor([[0.0, 0, 40, 40], [10, 10, 30, 30], [50, 0, 60, 10]])
    points = torch.tensor([[20.0, 20], [4, 20], [55, 5], [70, 5], [20, 20]])
    low, high = torch.tensor([0.0, 0, 0, 0, 15]), torch.tensor([64.0, 64, 64, 64, 64])
    for pairs in (1, 10**6):
        monkeypatch.setattr(matching, "PAIRS", pairs)
        found = matching.match_points(boxes, points, low, high, torch.full((5,), 18.0))
        assert found.tolist() == [1, 0, 2, -1, 0]


def test_matching_a_frame_of_2500_cells_is_bounded():
    """No tensor has more elements than PAIRS, nor four times the bytes of it in floats."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        elements = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            for one in result if isinstance(result, tuple | list) else [result]:
                if isinstance(one, torch.Tensor):
                    Largest.elements = max(Largest.elements, one.numel())
            return result

    target = crowded(2500, 520)
    with Largest():
        points = torch.rand(15_000, 2) * 520
        rows = torch.zeros(15_000)
        matching.match_points(target.boxes, points, rows, rows + 64, rows + 12)
        corners = torch.rand(20_000, 2) * 500
        matching.match(target.boxes, torch.cat([corners, corners + 9], 1), 0.5, 0.4, True)
    assert Largest.elements <= 2 * matching.PAIRS  # box_iou holds two sides of each pair


@pytest.mark.parametrize("budget", [1, 10**7])
def test_mask_targets_of_crops_equal_those_of_whole_masks(monkeypatch, budget):
    """And those that RoIAlign reads from the whole mask."""
    monkeypatch.setattr(mask_targets, "BATCH", budget)
    labels = np.zeros((40, 50), np.int32)
    labels[0:9, 0:12], labels[20:39, 30:50], labels[3:6, 20:22] = 1, 2, 3
    crops = instances(labels)
    whole = torch.stack([torch.from_numpy((labels == n).astype(np.uint8)) for n in (1, 2, 3)])
    cells = torch.tensor([2, 0, 1, 1])
    boxes = torch.tensor([[19.0, 2, 24, 7], [0, 0, 12, 9], [28, 18, 50, 40], [31.5, 25, 40.2, 36]])
    found = mask_targets.in_boxes(crops, cells, boxes, 28)
    same = mask_targets.in_boxes(Instances(crops.boxes, whole), cells, boxes, 28)
    rois = torch.cat([torch.arange(4.0)[:, None], boxes + 1], 1)
    framed = torch.nn.functional.pad(whole[cells].float(), (1, 1, 1, 1))[:, None]
    plain = torchvision.ops.roi_align(framed, rois, 28, aligned=True)[:, 0]
    torch.testing.assert_close(found, plain, atol=1e-5, rtol=0)
    torch.testing.assert_close(same, plain, atol=1e-5, rtol=0)
    assert mask_targets.areas(crops, cells).tolist() == [6, 108, 380, 380]


def test_facts_import_no_torch():
    import subprocess

    code = (
        "import sys; import cellseg.models.detectors.sizes; "
        "print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    library = str(next(path for path in sys.path if path.endswith("scripts")))
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {library!r}); {code}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_a_process_that_has_tensorflow_can_have_detectors(checkout):
    """Triton's LLVM next to TensorFlow's ended the process with a segmentation fault."""
    code = (
        f"import sys; sys.path.insert(0, {str(checkout / 'scripts')!r})\n"
        "import tensorflow\n"
        "from cellseg.models.detectors import family\n"
        "print(family.FAMILY.versions())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert torch.__version__ in done.stdout
