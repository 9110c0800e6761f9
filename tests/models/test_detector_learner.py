"""Detectors in training: exact resume, averages, weights of others."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from cellseg.errors import UserError
from cellseg.models.detectors.detector import Detector
from cellseg.models.detectors.learner import DetectorLearner
from cellseg.models.detectors.predictor import Predictor
from cellseg.models.pytorch import state_files
from cellseg.targets.instances import Instances

OPTIONS = {"learning_rate": 1e-2, "weight_decay": 0.01, "l2": 0.001, "clipnorm": None,
           "global_clipnorm": 10.0, "ema": None, "batch_norm_momentum": None,
           "mixed_precision": False}  # fmt: skip


class Tiny(Detector):
    """Two convolutions and a loss that draws, in the place of a network of minutes."""

    def __init__(self) -> None:
        backbone = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 3))
        super().__init__(nn.ModuleDict({"backbone": backbone}), 4)

    def losses(self, images, targets):
        found = self.features["backbone"](images)
        noise = found[..., torch.randperm(found.shape[-1])[:3]]
        return {"box": noise.square().mean(), "mask": found.abs().mean() * len(targets[0].masks)}

    @torch.no_grad()
    def boxes(self, images):
        score = self.features["backbone"](images).mean()
        return [(torch.tensor([[1.0, 2.0, 9.0, 12.0]]), score.sigmoid()[None])]

    def masks(self, images, boxes):
        return [(torch.full((len(boxes[0]), 28, 28), 0.75), torch.full((len(boxes[0]),), 0.5))]


def _learner(folder, optimizer="adam", weights=None, **changes):
    settings = {"seed": 5, "model": {"optimizer": optimizer, "momentum": 0.9},
                "training": {**OPTIONS, **changes}}  # fmt: skip
    return DetectorLearner(lambda model: Tiny(), settings, folder, weights)


def _batch(number):
    random = np.random.default_rng(number)
    cells = Instances(np.float32([[2, 2, 6, 6]]), [np.ones((4, 4), np.uint8)], np.array([[2, 2]]))
    return random.normal(size=(2, 16, 16, 1)).astype(np.float32), [cells, cells]


def _weights(learner):
    return [value.clone() for value in learner.model.state_dict().values()]


def test_settings_of_a_training_reach_the_network(tmp_path):
    """L2 adds 2 l2 w to the gradient of each kernel; momentum is that of Keras."""
    learner = _learner(tmp_path, l2=0.25, global_clipnorm=None, batch_norm_momentum=0.9)
    for one in learner.trained:
        one.grad = torch.zeros_like(one)
    learner._change_gradients()
    for one in learner.trained:
        expected = 0.5 * one.detach() if one.ndim > 1 else torch.zeros_like(one)
        torch.testing.assert_close(one.grad, expected)
    norms = [one for one in learner.model.modules() if isinstance(one, nn.BatchNorm2d)]
    assert [one.momentum for one in norms] == [pytest.approx(0.1)]


def test_what_is_drawn_is_the_same_in_each_validation(tmp_path):
    learner, losses = _learner(tmp_path), set()
    for _ in range(5):
        torch.rand(1)  # as a step of training draws
        losses.add(learner.validate_batch(_batch(1))["loss"])
    assert len(losses) == 1


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("ema", [None, 0.9])
def test_resumed_training_is_bit_equal(tmp_path, optimizer, ema):
    straight = _learner(tmp_path, optimizer, ema=ema)
    for number in range(4):
        losses = straight.train_batch(_batch(number), 0.01)
    first = _learner(tmp_path, optimizer, ema=ema)
    for number in range(2):
        first.train_batch(_batch(number), 0.01)
    first.validate_batch(_batch(9))  # which must change nothing
    first.save_state(tmp_path)
    torch.manual_seed(99)
    second = _learner(tmp_path, optimizer, ema=ema)
    second.load_state(tmp_path)
    for number in range(2, 4):
        again = second.train_batch(_batch(number), 0.01)
    assert again == losses and set(losses) == {"loss", "box_loss", "mask_loss"}
    for own, other in zip(_weights(straight), _weights(second), strict=True):
        assert torch.equal(own, other)
    assert straight.validate_batch(_batch(9)) == second.validate_batch(_batch(9))


def test_averages_are_saved_and_the_own_weights_come_back(tmp_path):
    learner = _learner(tmp_path, ema=0.9)
    for number in range(3):
        learner.train_batch(_batch(number), 0.01)
    own = _weights(learner)
    learner.save_weights(tmp_path / "weights.h5")
    averaged = _weights(learner)
    assert not torch.equal(own[0], averaged[0])
    model = Tiny()
    state_files.load(model, tmp_path / "weights.h5")
    for value, average in zip(model.state_dict().values(), averaged, strict=True):
        assert torch.equal(value, average)
    learner.save_state(tmp_path)
    for before, after in zip(own, _weights(learner), strict=True):
        assert torch.equal(before, after)


def test_a_predictor_gives_the_scores_of_the_weights_that_were_saved(tmp_path):
    learner = _learner(tmp_path)
    learner.save_weights(tmp_path / "weights.h5")
    predictor = Predictor({"model": {}}, tmp_path, lambda model: Tiny())
    image = _batch(0)[0][0, ..., 0]
    boxes, scores = predictor.boxes(image)
    learner.model.eval()
    expected = learner.model.boxes(torch.from_numpy(image)[None, None])[0][1]
    np.testing.assert_array_equal(scores, expected.detach().numpy())
    found = predictor(image[None, ..., None])["instances"][0]
    assert found.shape == (16, 16) and boxes.shape == (1, 4)
    np.testing.assert_allclose(found.scores, scores * 0.5)
    assert (found.probabilities == 191).all()


def test_a_pretrained_backbone_is_taken_by_name_and_summed_over_colours(tmp_path):
    given = Tiny().features["backbone"].state_dict()
    colours = torch.randn(4, 3, 3, 3)
    published = {f"module.{name}": value for name, value in given.items()}
    published |= {"module.0.weight": colours, "module.fc.weight": torch.zeros(10, 4)}
    torch.save({"state_dict": published}, tmp_path / "backbone.h5")
    learner = _learner(tmp_path, weights=tmp_path / "backbone.h5")
    own = learner.model.features["backbone"].state_dict()
    torch.testing.assert_close(own["0.weight"], colours.sum(dim=1, keepdim=True))
    assert torch.equal(own["2.weight"], given["2.weight"])


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"other.weight": torch.zeros(3)}, tmp_path / "backbone.h5")
    with pytest.raises(UserError, match="fits 0 of the"):
        _learner(tmp_path, weights=tmp_path / "backbone.h5")
    (tmp_path / "broken.h5").write_bytes(b"no weights")
    with pytest.raises(UserError, match="neither a state dict"):
        _learner(tmp_path, weights=tmp_path / "broken.h5")
    state_files.write({"other": torch.zeros(2)}, tmp_path / "weights.h5")
    with pytest.raises(UserError, match="another network"):
        state_files.load(Tiny(), tmp_path / "weights.h5")
