"""Networks of torch that start from another one: Cellpose's and the detectors'."""

import re

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import small_training
from cellseg import models
from cellseg.errors import UserError
from cellseg.models.pytorch import state_files
from cellseg.targets.instances import Instances
from cellseg.training.start import Start

RATE = 1e-3
DETECTORS = ("maskrcnn", "retinamask", "centermask", "cascade")
SHORT = ("cellpose", "centermask")
"""All others take the same path."""
BACKBONE = {"cellpose": "downsample."}
HEADS = {"cellpose": r"output\.", "centermask": r"dense\.|mask_branch\.",
         "retinamask": r"dense\.|mask_branch\.", "maskrcnn": r"proposals\.|box_|mask_branch\.",
         "cascade": r"proposals\.|box_|mask_branch\."}  # fmt: skip
BETWEEN = {"cellpose": r"upsample\.|diam_"}


def part_of(family, name):
    if name.startswith(BACKBONE.get(family, "features.backbone.")):
        return "backbone"
    if re.match(HEADS[family], name):
        return "heads"
    assert re.match(BETWEEN.get(family, r"features\.fpn\."), name), name
    return "between"


def settings(family, training=None, **model):
    if family == "cellpose":
        made = small_training.settings(1, 0, family, **model)
    else:
        made = small_training.settings(1, 0)
        made["model"] = {"family": family, "preset": "small", "optimizer": "adam", "momentum": 0.9,
                         "weights": None, **model}  # fmt: skip
    made["training"] |= {"clipnorm": None, "weight_decay": 0.5, **(training or {})}
    return made


def batch(family):
    if family == "cellpose":
        return next(iter(small_training.streams(0, small_training.FLOWS)[0].epoch(0)))
    random = np.random.default_rng(0)
    cells = Instances(
        np.float32([[4, 4, 20, 20], [30, 8, 50, 34]]),
        [np.ones((16, 16), np.uint8), np.ones((26, 20), np.uint8)],
        np.array([[4, 4], [30, 8]]),
    )
    return random.normal(size=(1, 64, 64, 1)).astype(np.float32), [cells]


def start(path, take="all", freeze=None, rate=1):
    return Start(path, take, freeze, rate, "the other run", [])


def learner(family, folder, begun=None, training=None, **model):
    torch.set_num_threads(1)
    made = settings(family, training, **model)
    return models.load(made["model"]).learner(made, 64, folder, None, begun)


@pytest.fixture(scope="module", params=[*SHORT, *(
    pytest.param(one, marks=pytest.mark.slow) for one in DETECTORS if one not in SHORT
)])  # fmt: skip
def family(request):
    if request.param == "cellpose":
        pytest.importorskip("cellseg.models.cellpose.package", exc_type=UserError)
    return request.param


@pytest.fixture(scope="module")
def source(family, tmp_path_factory):
    """Weights that no network has by chance, with running averages."""
    folder = tmp_path_factory.mktemp("source")
    made = learner(family, folder)
    generator = torch.Generator().manual_seed(1)
    for name, one in made.model.state_dict().items():
        if name.endswith("running_mean"):
            one.fill_(0.625)
        elif one.is_floating_point() and one.ndim:
            one.add_(0.01 * torch.randn(one.shape, generator=generator))
    made.save_weights(folder / "weights.h5")
    return folder / "weights.h5"


def copied(made):
    return {name: one.clone() for name, one in made.model.state_dict().items()
            if not name.endswith("num_batches_tracked")}  # fmt: skip


@pytest.mark.parametrize("take", ["all", "all-but-heads", "backbone"])
def test_what_is_taken_is_that_of_the_other_network(family, source, take, tmp_path):
    given = state_files.read(source)
    plain = copied(learner(family, tmp_path))
    started = copied(learner(family, tmp_path, start(source, take)))
    wanted = {"all": {"backbone", "between", "heads"}, "all-but-heads": {"backbone", "between"},
              "backbone": {"backbone"}}[take]  # fmt: skip
    seen = set()
    for name, value in started.items():
        part = part_of(family, name)
        expected = given[name] if part in wanted else plain[name]
        assert torch.equal(value, expected), name
        seen.add(part)
    assert len(seen) == 3 and not torch.equal(given[next(iter(given))], torch.zeros(1))
    assert any(not torch.equal(given[name], plain[name]) for name in plain)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_each_layer_is_frozen_slow_or_fast_as_set(family, source, tmp_path, optimizer):
    """Adam's first step changes a weight by the rate, next to the decay of rate times weight.

    The backbone is frozen, its batch norms too, in training and where averages are measured again.
    """
    begun = start(source, "all-but-heads", "backbone", rate=0.125)
    averaged = {"ema": 0.9}
    made = learner(family, tmp_path, begun, averaged, optimizer=optimizer)
    before = copied(made)
    made.train_batch(batch(family), RATE)
    after = copied(made)
    made.validate_batch(batch(family))
    made.recalibrate(_Endless(batch(family)), 2)
    made.save_weights(tmp_path / "weights.h5")
    saved = state_files.read(tmp_path / "weights.h5")
    steps = {"between": [0.0], "heads": [0.0]}
    for name, parameter in made.model.named_parameters():
        part = part_of(family, name)
        assert parameter.requires_grad == (part != "backbone" and not name.startswith("diam_"))
        if parameter.requires_grad and parameter.ndim > 1 and optimizer == "adam":
            rate = RATE * (0.125 if part == "between" else 1)
            step = (after[name] - before[name] * (1 - rate * 0.5)).abs().max() / rate
            assert step < 1.02, (name, step)
            steps[part].append(float(step))
    if optimizer == "adam":
        assert min(map(max, steps.values())) > 0.95
    else:
        moved = {name for name in before if not torch.equal(before[name], after[name])}
        assert {part_of(family, name) for name in moved} == {"between", "heads"}
    frozen = [name for name in before if part_of(family, name) == "backbone"]
    assert len(frozen) > 20
    for name in frozen:
        assert torch.equal(before[name], after[name]) and torch.equal(before[name], saved[name])


class _Endless:
    def __init__(self, one):
        self.one = one

    def endless(self):
        while True:
            yield self.one


@pytest.mark.parametrize("ema", [None, 0.9])
def test_resumed_training_is_bit_equal(family, source, tmp_path, ema):
    begun = start(source, freeze="backbone", rate=0.25)
    whole = learner(family, tmp_path, begun, {"ema": ema})
    for _ in range(2):
        losses = whole.train_batch(batch(family), RATE)
    stopped = learner(family, tmp_path, begun, {"ema": ema})
    stopped.train_batch(batch(family), RATE)
    stopped.save_state(tmp_path)
    torch.manual_seed(99)
    again = learner(family, tmp_path, begun, {"ema": ema})
    again.load_state(tmp_path)
    assert again.train_batch(batch(family), RATE) == losses
    for own, other in zip(copied(whole).values(), copied(again).values(), strict=True):
        assert torch.equal(own, other)


@pytest.mark.parametrize(
    ("take", "freeze", "why"),
    [
        ("all", ["nothing*"], r"no layer with weights is called 'nothing\*'"),
        ("all", ["*"], "nothing is left to train"),
        ("backbone", ["*"], "would stay at random"),
    ],
)
def test_what_cannot_be_frozen_is_refused(family, source, take, freeze, why, tmp_path):
    with pytest.raises(UserError, match=why):
        learner(family, tmp_path, start(source, take, freeze))


def test_freezing_all_that_learns_leaves_nothing(tmp_path):
    """Diameters of Cellpose's network are weights that no training changes."""
    pytest.importorskip("cellseg.models.cellpose.package", exc_type=UserError)
    learner("cellpose", tmp_path).save_weights(tmp_path / "weights.h5")
    freeze = ["downsample*", "upsample*", "output*"]
    with pytest.raises(UserError, match="nothing is left to train"):
        learner("cellpose", tmp_path, start(tmp_path / "weights.h5", freeze=freeze))


def test_shapes_that_differ_are_named(tmp_path):
    pytest.importorskip("cellseg.models.cellpose.package", exc_type=UserError)
    learner("cellpose", tmp_path).save_weights(tmp_path / "weights.h5")
    layer = r"downsample.down.res_down_0.conv.conv_0.2 4x2x3x3 instead of 8x2x3x3"
    with pytest.raises(UserError, match=f"the other run do not fit.*of other shapes are {layer}"):
        learner("cellpose", tmp_path, start(tmp_path / "weights.h5"), width=8)


def test_norms_of_another_kind_are_named(tmp_path):
    """Scale and shift of a frozen batch norm have the shapes of a group norm's."""
    learner("centermask", tmp_path, norm="frozen").save_weights(tmp_path / "weights.h5")
    more = r"more or fewer weights are in features.backbone.body.stem_0.bn.0"
    for norm in ("group", "frozen"):
        begun = start(tmp_path / "weights.h5", "backbone")
        if norm == "group":
            with pytest.raises(UserError, match=more):
                learner("centermask", tmp_path, begun, norm=norm)
        else:
            learner("centermask", tmp_path, begun, norm=norm)


def test_a_file_that_holds_no_weights_is_refused(tmp_path):
    (tmp_path / "weights.h5").write_text("none")
    with pytest.raises(UserError, match=r"weights\.h5 is neither a state dict of torch"):
        learner("centermask", tmp_path, start(tmp_path / "weights.h5"))


def test_other_detectors_give_backbone_and_pyramid(tmp_path):
    """A cascade from Mask R-CNN; heads that would differ in number are named."""
    learner("maskrcnn", tmp_path).save_weights(tmp_path / "weights.h5")
    given = state_files.read(tmp_path / "weights.h5")
    started = copied(learner("cascade", tmp_path, start(tmp_path / "weights.h5", "all-but-heads")))
    taken = [name for name in started if name.startswith("features.")]
    assert len(taken) > 50 and all(torch.equal(started[name], given[name]) for name in taken)
    with pytest.raises(UserError, match=r"no layer box_stages.stages.1"):
        learner("cascade", tmp_path, start(tmp_path / "weights.h5"))


def test_a_frozen_detector_learns_masks_of_images_without_cells(tmp_path):
    """Nothing is learnt of these, and the next image is learnt as ever."""
    learner("centermask", tmp_path).save_weights(tmp_path / "weights.h5")
    made = learner("centermask", tmp_path, start(
        tmp_path / "weights.h5", freeze=["features.*", "dense.*"]))  # fmt: skip
    images, cells = batch("centermask")
    none = Instances(np.zeros((0, 4), np.float32), [], np.zeros((0, 2), np.int64))
    made.train_batch((images, [none]), RATE)
    before = copied(made)
    made.train_batch((images, cells), RATE)
    moved = {name for name, one in copied(made).items() if not torch.equal(one, before[name])}
    assert moved and all(name.startswith("mask_branch.") for name in moved)


# --- files of other programs


def test_cellposes_own_files_are_started_from(tmp_path):
    package = pytest.importorskip("cellseg.models.cellpose.package", exc_type=UserError)
    theirs = package.network({"width": 4})
    theirs.save_model(tmp_path / "cyto3")
    started = copied(learner("cellpose", tmp_path, start(tmp_path / "cyto3")))
    for name, value in started.items():
        assert torch.equal(value, theirs.state_dict()[name]), name


@pytest.mark.parametrize("published", [False, True])
def test_torchvisions_detectors_give_backbone_and_pyramid(tmp_path, published):
    """By the names of torchvision's modules, or those of its published files."""
    from torchvision.models import resnet18
    from torchvision.models.detection import MaskRCNN
    from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
    from torchvision.ops import FrozenBatchNorm2d

    resnet = resnet18(norm_layer=FrozenBatchNorm2d)
    made = MaskRCNN(_resnet_fpn_extractor(resnet, 5, [2, 3, 4]), num_classes=2)
    state = {name: one for name, one in made.state_dict().items() if "fpn" not in name}
    own = learner("maskrcnn", tmp_path, norm="frozen").model.features.fpn.state_dict()
    fpn = {name: torch.randn(one.shape) for name, one in own.items()}
    for name, value in fpn.items():
        named = name.replace(".0.weight", ".weight").replace(".0.bias", ".bias")
        state[f"backbone.fpn.{named if published else name}"] = value
    torch.save(state, tmp_path / "coco.pth")
    begun = start(tmp_path / "coco.pth", "all-but-heads")
    started = copied(learner("maskrcnn", tmp_path, begun, norm="frozen"))
    for name, value in fpn.items():
        assert torch.equal(started[f"features.fpn.{name}"], value)
    body = {name: one for name, one in started.items() if name.startswith("features.backbone.")}
    for name, value in body.items():
        given = state[name.replace("features.backbone.", "backbone.body.")]
        assert torch.equal(
            value, given.sum(1, keepdim=True) if value.shape != given.shape else given
        )
    assert len(body) == 100
    with pytest.raises(UserError, match=r"no layer proposals.head"):
        learner("maskrcnn", tmp_path, start(tmp_path / "coco.pth"), norm="frozen")
