"""The same matches as stardist, at every threshold."""

import numpy as np
import pytest

from cellseg.scoring import metrics
from made_labels import ellipses, sequential, spoilt

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def matching():
    return pytest.importorskip("stardist.matching").matching


@pytest.mark.parametrize("how", range(4))
def test_matches(matching, how):
    random = np.random.default_rng(how)
    total = 0
    for trial in range(8):
        true = sequential(ellipses(int(random.integers(3, 60)), 70, 90, trial))
        pred = sequential(spoilt(true, how, random))
        for found in metrics.match(true, pred):
            expected = matching(true, pred, thresh=found["threshold"])
            for ours, theirs in (("tp", "tp"), ("fp", "fp"), ("fn", "fn"), ("recall", "recall"),
                                 ("precision", "precision"), ("accuracy", "accuracy"),
                                 ("f1", "f1")):  # fmt: skip
                assert found[ours] == pytest.approx(getattr(expected, theirs)), (trial, ours)
            total += found["tp"]
    assert total > 50
