"""The family `cellpose-sam`: the network of cellpose 4, started from files and trained by our loop.

``parity/test_parity_cellpose_sam.py`` compares it with the package.
"""

from functools import partial

import numpy as np
import pytest

from cellseg.errors import UserError

network = pytest.importorskip("cellseg.models.cellpose_sam.network", exc_type=UserError)

import torch  # noqa: E402

import flow_training  # noqa: E402
import small_training  # noqa: E402
from cellseg import models  # noqa: E402
from cellseg.models.cellpose import maps  # noqa: E402
from cellseg.models.cellpose_sam import sizes  # noqa: E402
from cellseg.scoring.objects import score_image  # noqa: E402
from cellseg.segmentation.methods import flow_tracking as method  # noqa: E402
from cellseg.targets import heads  # noqa: E402
from cellseg.training.start import Start  # noqa: E402
from flow_training import batch, train, weights  # noqa: E402
from made_labels import ellipses  # noqa: E402

FLOWS = small_training.FLOWS
SMALL = {key: value for key, value in small_training.OWN_SETTINGS["cellpose-sam"].items()
         if key not in ("optimizer", "momentum")}  # fmt: skip
SIDE = 64


_settings = partial(flow_training.settings, "cellpose-sam")


@pytest.fixture(scope="module")
def family():
    torch.set_num_threads(1)
    return models.load({"family": "cellpose-sam"})


@pytest.mark.parametrize(
    "changed", [{}, {"size": 64, "depth": 8}, {"width": 24, "attention_heads": 3}]
)
def test_facts_are_those_of_the_network(family, changed):
    model = {**SMALL, **changed}
    assert sizes.parameters(model, 2) == family.parameters({"model": model})
    assert models.predicts({"family": "cellpose-sam"}) == "maps"


def test_the_shipped_defaults_have_as_many_weights_as_cpsam():
    """304,592,067 of the package's network but for three: two diameters and, of its last layer,
    the order of pixels (192 x 192)."""
    whole = {"size": 256, "depth": 24, "width": 1024, "attention_heads": 16}
    assert sizes.parameters(whole, 2) == 304_592_064


def test_training_lowers_the_loss_and_repeats_on_a_seed(family, tmp_path):
    settings = _settings(4, training={"learning_rate": 0.003})
    history = train(family, tmp_path / "one", settings)
    assert history["val_loss"].iloc[-1] < history["val_loss"].iloc[0]
    again = train(family, tmp_path / "two", settings)
    np.testing.assert_array_equal(history["loss"], again["loss"])
    one, two = (weights(tmp_path / name / "weights.h5") for name in ("one", "two"))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    train(family, tmp_path / "other", _settings(1, seed=1))
    other = weights(tmp_path / "other/weights.h5")
    assert not np.array_equal(one["out.weight"], other["out.weight"])


def test_blocks_are_skipped_in_training_alone(family, tmp_path):
    learner = family.learner(_settings(), 32, tmp_path)
    given = batch()
    assert len({learner.validate_batch(given)["loss"] for _ in range(4)}) == 1
    assert len({learner.train_batch(given, 0)["loss"] for _ in range(8)}) > 1
    # Validation computes as prediction does.
    learner.save_weights(tmp_path / "weights.h5")
    found = family.Predictor(_settings(), tmp_path)(given[0])
    outputs = np.concatenate([5 * found["flows"], np.zeros((2, 32, 32, 1))], axis=-1)
    truth = maps.truth_of(given[1])
    error = (np.moveaxis(outputs, -1, 1)[:, :2] - 5 * truth[:, 1:]) ** 2
    assert learner.validate_batch(given)["flows_loss"] == pytest.approx(error.mean() / 2, rel=1e-4)


def test_each_patch_attends_to_all_others_in_every_block():
    """Also in blocks that are windowed in Segment Anything, where windows are 14 patches wide."""
    torch.manual_seed(0)
    made = network.CellposeSAM({**SMALL, "size": 128, "depth": 8})
    tokens = torch.randn(1, 16, 16, SMALL["width"])
    changed = tokens.clone()
    changed[0, -1, -1] *= -1
    for block in made.encoder.blocks:
        assert not torch.equal(block(tokens)[0, 0, 0], block(changed)[0, 0, 0])


def test_the_layer_of_patches_alone_is_not_trained(family, tmp_path):
    learner = family.learner(_settings(), 32, tmp_path)
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    for _ in range(3):  # a block may be skipped in one
        learner.train_batch(batch(), 0.1)
    after = learner.model.state_dict()
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert kept == {f"encoder.patch_embed.proj.{part}" for part in ("weight", "bias")}


def test_half_floats_are_near_to_whole_ones(family, tmp_path):
    losses = [
        family.learner(_settings(training={"mixed_precision": half}), 32, tmp_path).validate_batch(
            batch()
        )["loss"]
        for half in (False, "bfloat16")
    ]
    assert losses[1] != losses[0] and losses[1] == pytest.approx(losses[0], rel=0.05)


# --- what it starts from


def _start(path, take="all", freeze=None):
    return Start(path, take, freeze, 1, "the file", [])


def _random(model, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(one.shape, generator=generator)
            for name, one in network.CellposeSAM(model).state_dict().items()}  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "module."])
def test_files_of_the_package_are_started_from(family, tmp_path, prefix):
    """They hold the order of pixels and two diameters besides."""
    given = _random(SMALL)
    more = {"W2": torch.eye(192), "diam_mean": torch.ones(1), "diam_labels": torch.ones(1)}
    torch.save({f"{prefix}{name}": one for name, one in {**given, **more}.items()},
               tmp_path / "cpsam")  # fmt: skip
    started = family.learner(_settings(), 32, tmp_path, None, _start(tmp_path / "cpsam"))
    for name, one in started.model.state_dict().items():
        assert torch.equal(one, given[name]), name


def test_the_encoder_of_segment_anything_is_started_from(family, tmp_path):
    """Of its patches of 16 pixels every second one, and of 64 x 64 places every sixteenth."""
    given = _random(SMALL)
    patches, places = torch.randn(8, 3, 16, 16), torch.randn(1, 64, 64, 8)
    state = {**given, "encoder.patch_embed.proj.weight": patches, "encoder.pos_embed": places}
    state = {name.replace("encoder.", "image_encoder.", 1): one for name, one in state.items()
             if name.startswith("encoder.")}  # fmt: skip
    torch.save({**state, "mask_decoder.iou_token.weight": torch.ones(1, 8)}, tmp_path / "sam.pth")
    before = family.learner(_settings(), 32, tmp_path).model.state_dict()
    begun = _start(tmp_path / "sam.pth", "backbone", "backbone")
    learner = family.learner(_settings(), 32, tmp_path, None, begun)
    started = learner.model.state_dict()
    assert torch.equal(
        started.pop("encoder.patch_embed.proj.weight"), patches[:, :, ::2, ::2]
    ) and torch.equal(started.pop("encoder.pos_embed"), places[:, ::16, ::16])
    for name, one in started.items():
        assert torch.equal(one, (given if name.startswith("encoder.") else before)[name]), name
    learner.train_batch(batch(), 0.01)  # the encoder is frozen
    moved = {name for name, one in learner.model.state_dict().items()
             if name in started and not torch.equal(one, started[name])}  # fmt: skip
    assert moved <= {"out.weight", "out.bias"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"width": 16}, "of other shapes are"), ({"depth": 8}, "has no layer encoder.blocks.4")],
)
def test_files_of_another_size_are_refused(family, tmp_path, changed, said):
    torch.save(_random(SMALL), tmp_path / "cpsam")
    with pytest.raises(UserError, match=said):
        family.learner(_settings(**changed), 32, tmp_path, None, _start(tmp_path / "cpsam"))


def test_a_file_of_cellpose_3_is_refused(family, tmp_path):
    package = pytest.importorskip("cellseg.models.cellpose.package", exc_type=UserError)
    package.network({"width": 4}).save_model(tmp_path / "cyto3")
    with pytest.raises(UserError, match="it has no layer encoder"):
        family.learner(_settings(), 32, tmp_path, None, _start(tmp_path / "cyto3"))


def test_a_tile_is_learnt_by_heart(family, tmp_path):
    """From targets to cells, through weights that are loaded again."""
    labels = ellipses(5, SIDE, SIDE, 0)
    targets = {head: one[None] for head, one in heads.compute(labels, FLOWS).items()}
    random = np.random.default_rng(0)
    image = ((labels > 0) + random.normal(0, 0.1, labels.shape)).astype(np.float32)[None, ..., None]
    settings = _settings(size=SIDE, width=48, attention_heads=4)
    learner = family.learner(settings, SIDE, tmp_path)
    for step in range(150):
        learner.train_batch((image, targets), 0.002 * min(1, step / 10))
    learner.save_weights(tmp_path / "weights.h5")
    found = family.Predictor(settings, tmp_path)(image)
    cells, scores = method.segment({head: one[0] for head, one in found.items()}, {})
    assert score_image(labels, cells)[0]["f1_50"] > 0.85
    assert len(scores) == cells.max()


def test_the_provenance_names_the_packages(family):
    assert set(family.versions()) == {"torch", "segment-anything", "cellpose"}
