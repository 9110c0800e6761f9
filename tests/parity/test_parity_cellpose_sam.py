"""The network of family ``cellpose-sam`` against what cellpose 4.2.1.1 computed on a CPU.

``cellpose_sam_worker.py`` says how the stored arrays were made. cellpose 3.1 is what tests have.
"""

from pathlib import Path

import numpy as np
import pytest

from cellseg.errors import UserError

network = pytest.importorskip("cellseg.models.cellpose_sam.network", exc_type=UserError)

import cellpose_sam_worker as worker  # noqa: E402
import torch  # noqa: E402

import flow_training  # noqa: E402
from cellseg import models  # noqa: E402
from cellseg.models.cellpose import maps  # noqa: E402

pytestmark = pytest.mark.parity
STORED = Path(__file__).with_name("cellpose-4.2.1.1.npz")


@pytest.fixture(scope="module")
def theirs():
    with np.load(STORED) as stored:
        return dict(stored)


def _filled(model):
    state = {name: torch.from_numpy(worker.weight(name, tuple(one.shape)))
             for name, one in model.state_dict().items()}  # fmt: skip
    model.load_state_dict(state)
    return model


def test_weights_have_the_names_of_the_package(theirs):
    own = set(network.CellposeSAM(worker.MODEL).state_dict())
    assert own | set(network.NOT_TRAINED) == set(theirs["names"])
    assert str(theirs["version"]) == "4.2.1.1"


def test_outputs_are_those_of_the_package(theirs):
    torch.set_num_threads(1)
    model = _filled(network.CellposeSAM(worker.MODEL)).eval()
    images, _ = worker.batch()
    with torch.no_grad():
        found = model(maps.images_of(np.moveaxis(images, 1, -1), 3)).numpy()[worker.SHOWN]
    assert np.abs(found).max() > 0.5
    np.testing.assert_allclose(found, theirs["used"], atol=2e-6)


def test_steps_of_a_training_are_those_of_the_package(theirs, tmp_path):
    """Loss, blocks that are skipped, what decays and what is never trained."""
    torch.set_num_threads(1)
    decay = {"weight_decay": worker.DECAY}
    settings = flow_training.settings("cellpose-sam", training=decay, **worker.MODEL)
    learner = models.load(settings["model"]).learner(settings, 256, tmp_path)
    _filled(learner.model)
    images, truth = worker.batch()
    cells = truth[:, 0]
    targets = {"flows": np.moveaxis(truth[:, 1:], 1, -1), "fgbg": np.stack([1 - cells, cells], -1)}
    torch.manual_seed(worker.SEED)
    losses = [learner.train_batch((np.moveaxis(images, 1, -1), targets), worker.RATE)["loss"]
              for _ in range(worker.STEPS)]  # fmt: skip
    np.testing.assert_allclose(losses, theirs["losses"], rtol=1e-5)
    moved = 0
    for name, one in learner.model.state_dict().items():
        after, before = theirs[f"after.{name}"], worker.weight(name, tuple(one.shape)).ravel()[:32]
        np.testing.assert_allclose(one.numpy().ravel()[:32], after, atol=2e-5, err_msg=name)
        moved += not np.array_equal(after, before)
    assert moved == len(learner.model.state_dict()) - 2  # all but the layer that sees patches
