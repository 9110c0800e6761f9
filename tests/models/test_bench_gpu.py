"""The benchmark of a GPU, small and on the CPU."""

import json
import os
import subprocess
import sys
from itertools import product

import pytest

from cellseg.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore")  # of libraries, in the processes that it starts


SMALL = [
    (["tensorflow"], ["float32"]),
    pytest.param(["torch", "jax"], ["float32", "bfloat16"], marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("backends", "precisions"), SMALL)
def test_it_measures_backends_and_precisions_in_small(checkout, tmp_path, backends, precisions):
    """A backend that is not installed is a row that says so."""
    command = [sys.executable, str(checkout / "tests/bench_gpu.py"), "--backbones", "featurenet"]
    command += ["--backends", *backends, "--precisions", *precisions, "--batches", "2"]
    command += ["--tiles", "64", "--levels", "C4", "C5", "--steps", "2", "--matrix", "256"]
    command += ["--json", str(tmp_path / "measured.json")]
    paths = os.pathsep.join(str(checkout / name) for name in ("scripts", "tests"))
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    assert done.returncode == 0, done.stderr
    assert "**These are figures of a CPU, not of a GPU: tensorflow" in done.stdout
    rows = json.loads((tmp_path / "measured.json").read_text())
    steps = [row for row in rows if row["kind"] == "steps"]
    networks = {(row["backend"], row["precision"]) for row in steps}
    assert networks == set(product(backends, precisions)) and len(steps) == len(networks)
    measured = [row for row in steps if "step_ms" in row]
    assert {row["backend"] for row in measured} >= set(backends) - {"torch"}
    for row in measured:
        assert row["step_ms"] > 0 and row["finite"] and 0 <= row["wait_share"] <= 1
        # Whatever else runs on this machine: a step is no many times as fast as one product.
        assert 0 < row["share_of_peak"] < 5
    assert all(row["end"] for row in steps if row not in measured)
    for column in ("waiting", "share of it", "matrix product, TFLOP/s"):
        assert column in done.stdout


def test_the_arithmetic_of_a_convolution_is_counted():
    import keras
    import numpy as np

    import bench_gpu

    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(image)
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    model = keras.Model(image, keras.layers.Conv2D(5, 1)(x))
    with bench_gpu.counted() as found:
        model(np.zeros((1, 8, 8, 3), np.float32))
    assert found == [2 * 64 * 4 * 27, 2 * 64 * 4 * 9, 2 * 64 * 5 * 4]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_detectors_are_measured_and_refused_without_a_gpu(checkout):
    torch = pytest.importorskip("cellseg.models.detectors.packages", exc_type=UserError).torch
    command = [sys.executable, str(checkout / "tests/bench_gpu.py"), "--precisions", "float32"]
    command += ["--detectors", "centermask:small", "--batches", "1", "--tiles", "64"]
    command += ["--steps", "1"]
    paths = os.pathsep.join(str(checkout / name) for name in ("scripts", "tests"))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run([*command, "--on-cpu"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if "centermask:small" in line]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert float(cells[5]) > 0 and float(cells[7]) > 0 and cells[-1] == ""
    if not torch.cuda.is_available():
        assert "figures of a CPU, not of a GPU" in done.stdout
        refused = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert refused.returncode != 0 and "no GPU: torch finds none here" in refused.stderr
