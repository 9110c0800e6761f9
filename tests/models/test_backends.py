"""The families in Keras 3 compute the same on every backend."""

import os
import subprocess
import sys
from itertools import product

import numpy as np
import pytest

import backend_run

PAIRS = [("panopticnet", "torch"), ("unet", "jax")]
"""Each backend and each family once; the other pairs are slow tests. JAX belongs to the environment
of the tests, PyTorch to that of ``make detectors``."""


@pytest.mark.parametrize(("family", "backend"), [
    *PAIRS,
    *(pytest.param(*pair, marks=pytest.mark.slow)
      for pair in product(("panopticnet", "unet"), ("jax", "torch")) if pair not in PAIRS),
])  # fmt: skip
def test_other_backends_compute_the_same(family, backend, tmp_path):
    """Batches are equal; losses, steps, recalibration and predictions agree with TensorFlow's."""
    pytest.importorskip(backend)
    found = {}
    for name in ("tensorflow", backend):
        folder = tmp_path / name
        folder.mkdir()
        paths = (tmp_path / "start.h5", folder / "found.npz", folder)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "KERAS_BACKEND": name,
            "JAX_PLATFORMS": "cpu",
        }
        command = [sys.executable, backend_run.__file__, family, *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        found[name] = np.load(folder / "found.npz")
    ours, theirs = found.values()
    np.testing.assert_array_equal(ours["images"], theirs["images"])
    np.testing.assert_array_equal(ours["targets"], theirs["targets"])
    np.testing.assert_allclose(ours["losses"], theirs["losses"], rtol=2e-3)
    for head in ("inner-distance", "pixelwise"):
        assert ours[head].shape[1:3] == (30, 32)
        np.testing.assert_allclose(ours[head], theirs[head], atol=0.01)
