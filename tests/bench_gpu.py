"""How fast, and in how much memory, the Keras 3 network trains on a GPU: prints Markdown tables.

Run it with the Python that has Keras and the backends. It ends within ten minutes; a backend that
is not installed is a row that says so:

    PYTHONPATH=scripts python tests/bench_gpu.py
    PYTHONPATH=scripts python tests/bench_gpu.py --seconds inf --batches 2 8 32 --tiles 256 512 \\
        --backbones resnet50 densenet201 efficientnetb7
    PYTHONPATH=scripts python tests/bench_gpu.py --detectors maskrcnn retinamask centermask cascade

``--detectors`` measures instance detectors instead, by family or ``family:preset``, as they are
trained and as they predict: images a second, and the peak of memory. It needs ``make detectors``,
and refuses a machine without a GPU unless ``--on-cpu`` is given.

Needs besides Keras and a backend: numpy, pandas, h5py, numba, opencv-python-headless. TensorFlow is
imported only where ``--backends`` names it, tensorboard never.

The share of the card's matrix peak is arithmetic of a step a second, over that of one large matrix
product with the same backend and precision. Counted are convolutions and matrix products of a
forward pass in training, times three: the gradient costs about two forward passes.

Each combination runs in a process of its own, so that one backend computes in it, its peak of
memory is that of the combination, and one that runs out of memory or crashes ends nothing else.
Settings are those of a training: random weights (speed does not depend on them), inner-distance and
pixelwise heads, Adam with clipping, and the loss brought back from the GPU in each step. JAX gets
three quarters of a GPU's memory unless the environment sets XLA_PYTHON_CLIENT_MEM_FRACTION.
"""

import argparse
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import date
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import cv2
import numpy as np

import small_training
from cellseg import models
from cellseg.training.augmentation import Augmentation
from cellseg.training.batches import Batch, TilePool, TileStream
from cellseg.training.family import Family

GIB = 2**30
BATCH, TILE = 8, 256
"""The most informative combination: it is measured first, and fed by the data stream."""
WARM_UP = 2
"""Steps after the first that are not counted: buffers settle, kernels are chosen."""
FORWARD_PASSES = 3
"""That a training step is taken to be worth: a forward pass, and two for the gradients."""
PRODUCTS = 10
"""Matrix products, one after the other, in a measurement of the peak."""
DIFFERENT_TILES = 8
LIVECELL_CELLS = 320 / (520 * 704)
"""Mean number of cells a pixel."""
OUT_OF_MEMORY = (
    "outofmemory", "resourceexhausted", "allocfailed", "can'tallocate", "badalloc", "memoryerror",
)  # fmt: skip
"""How backends say so, in lower case without blanks and underscores."""


# What a child does.


def tiles(size: int) -> SimpleNamespace:
    """A few tiles full of cells: ellipses on a jittered grid, as dense as LIVECell's."""
    random = np.random.default_rng(0)
    rows = max(1, round(size * LIVECELL_CELLS**0.5))
    spacing = size / rows
    labels = np.zeros((DIFFERENT_TILES, size, size), np.int32)
    for image in labels:
        for number in range(rows**2):
            grid = np.array(divmod(number, rows)) + 0.5
            centre = (grid + random.uniform(-0.2, 0.2, 2)) * spacing
            axes = 2 * spacing * random.uniform(0.35, 0.55, 2)
            angle = random.uniform(0, 180)
            cv2.ellipse(image, (centre.tolist(), axes.tolist(), angle), number + 1, -1)
    grey = 100 + 60 * (labels > 0) + random.normal(0, 5, labels.shape)
    return SimpleNamespace(
        X=grey[..., None].astype(np.uint8),
        y=labels[..., None],
        image=np.array(["simulated"] * DIFFERENT_TILES),
    )


def stream(task: Mapping, batches: int) -> TileStream:
    """One epoch of that many batches, made as for a training."""
    count = batches * task["batch"]
    return TileStream(
        tiles=TilePool([tiles(task["tile"])] * -(-count // DIFFERENT_TILES)),
        index=np.arange(count),
        heads=small_training.HEADS,
        batch_size=task["batch"],
        normalization="whole-image",
        seed=0,
        augmentation=Augmentation(),
        workers=task["threads"],
    )


def settings(task: Mapping) -> dict:
    """Settings of a run, of which the task names those that matter for speed."""
    run = small_training.settings(
        1,
        family="panopticnet",
        backbone=task["backbone"],
        backbone_levels=task["levels"],
        backend=task["backend"],
        preprocessing="imagenet",
        rescaling="none",
        weights=None,
    )
    precision = task["precision"]
    run["training"] |= {
        "normalization": "whole-image",
        "mixed_precision": False if precision == "float32" else precision,
        "xla": task["xla"],
    }
    return run


def learner(task: Mapping, family: Family, folder: str):
    """A network ready to train, as :func:`cellseg.models.keras3.learner.train` makes it."""
    import keras

    from cellseg.models.keras3 import learner as keras_learner

    run = settings(task)
    keras.utils.set_random_seed(run["seed"])
    keras_learner.compute_in(run["training"]["mixed_precision"])
    if task["backend"] == "tensorflow" and not task["xla"]:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    # Nothing is logged here, and tensorboard imports TensorFlow where it finds it.
    keras_learner.EventFile = lambda folder: None
    return family.learner(run, size=task["tile"], folder=Path(folder))


def memory(backend: str) -> tuple[float | None, float | None]:
    """GiB of GPU memory that were in use at most, and that may be; None where that is unknown."""
    peak = limit = None
    if backend == "torch":
        import torch

        if torch.cuda.is_available():
            peak, limit = torch.cuda.max_memory_allocated(), torch.cuda.mem_get_info()[1]
    elif backend == "jax":
        import jax

        found = jax.devices()[0].memory_stats() or {}  # None on a CPU
        peak, limit = found.get("peak_bytes_in_use"), found.get("bytes_limit")
    else:
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return tuple(None if value is None else value / GIB for value in (peak, limit))


def timed(function: Callable[[], object]) -> tuple[float, object]:
    """Seconds that a call took, and what it returned."""
    begun = time.perf_counter()
    result = function()
    return time.perf_counter() - begun, result


def say(**values: object) -> None:
    """Tell the parent what is known by now; the next thing may end this process."""
    print(json.dumps(values), flush=True)


def measure_device(task: Mapping, family: Family) -> None:
    """What computes, with which versions."""
    say(device=family.device(), versions=family.versions(), limit_gib=memory(task["backend"])[1])


@contextmanager
def counted() -> Iterator[list[int]]:
    """Yield a list that gets the floating-point operations of each product made in the block.

    Those of Keras' operations on tensors with known shapes: convolutions and matrix products. A
    multiplication with its addition is two.
    """
    import keras.src.ops
    from keras import ops

    found: list[int] = []

    def noted(name: str, operations: Callable[..., int]) -> Callable:
        make = getattr(ops, name)

        def call(first, second, *arguments, **named):
            result = make(first, second, *arguments, **named)
            found.append(2 * operations(first.shape, second.shape, result.shape))
            return result

        return call

    made = {
        "conv": noted("conv", lambda _, kernel, out: math.prod(out) * math.prod(kernel[:-1])),
        "depthwise_conv": noted(
            "depthwise_conv", lambda _, kernel, out: math.prod(out) * math.prod(kernel[:2])
        ),
        "matmul": noted("matmul", lambda first, _, out: math.prod(out) * first[-1]),
    }
    with ExitStack() as stack:
        for module, (name, call) in product((ops, keras.src.ops), made.items()):
            stack.enter_context(mock.patch.object(module, name, call))
        yield found


def operations_of_a_tile(task: Mapping, learning) -> int:
    """Floating-point operations of a training step for one tile."""
    side = task["tile"]
    with counted() as found:
        learning.model(np.zeros((1, side, side, 1), np.float32), training=True)
    return FORWARD_PASSES * sum(found)


def matrix_peak(task: Mapping) -> float:
    """Floating-point operations a second of products of large matrices in the task's precision."""
    import keras
    from keras import ops

    side = task["matrix"]
    random = np.random.default_rng(0).normal(size=(side, side)) / side**0.5
    dtype = task["precision"]
    matrix = ops.convert_to_tensor(random.astype(np.float32), dtype=dtype)

    def multiply() -> None:
        value = matrix
        for _ in range(PRODUCTS):
            value = ops.matmul(value, matrix)
        # A value is only there once all is computed.
        keras.ops.convert_to_numpy(ops.cast(value[0, 0], "float32"))

    multiply()
    seconds = min(timed(multiply)[0] for _ in range(3))
    return PRODUCTS * 2 * side**3 / seconds


def measure_steps(task: Mapping, family: Family, folder: str) -> None:
    """Time of steps on a batch that lies ready; then of steps that the data stream feeds."""
    (batch,) = stream(task, 1).epoch(0)
    build, learning = timed(lambda: learner(task, family, folder))
    first, _ = timed(lambda: learning.train_batch(batch, 1e-4))
    early = [timed(lambda: learning.train_batch(batch, 1e-4))[0] for _ in range(WARM_UP)]
    seconds, losses = zip(
        *(timed(lambda: learning.train_batch(batch, 1e-4)) for _ in range(task["steps"])),
        strict=True,
    )
    median = statistics.median(seconds)
    peak_gib = memory(task["backend"])[0]
    peak = matrix_peak(task)
    operations = task["batch"] * operations_of_a_tile(task, learning)
    say(
        teraflop=operations / 1e12,
        matrix_teraflops=peak / 1e12,
        share_of_peak=operations / median / peak,
        step_ms=1000 * median,
        slowest_ms=1000 * max(seconds),
        tiles_per_second=task["batch"] / median,
        peak_gib=peak_gib,
        build_seconds=build,
        first_step_seconds=first,
        early_steps_ms=[1000 * value for value in early],
        finite=math.isfinite(losses[-1]["loss"]),
        parameters=learning.model.count_params(),
    )
    if task["fed"]:
        say(**feed(task, learning))


def feed(task: Mapping, learning) -> dict[str, float]:
    """Waiting time of steps that the data stream feeds, taken as training does."""
    filled = 2 + task["threads"]  # batches that were begun before the first step
    batches = stream(task, filled + task["steps"]).epoch(0)
    waits, steps = [], []
    for _ in range(filled + task["steps"]):
        wait, batch = timed(lambda: next(batches))
        step, _ = timed(lambda batch=batch: learning.train_batch(batch, 1e-4))
        waits.append(wait)
        steps.append(step)
    waited, computed = sum(waits[filled:]), sum(steps[filled:])
    return {
        "fed_step_ms": 1000 * computed / task["steps"],
        "wait_ms": 1000 * waited / task["steps"],
        "wait_share": waited / (waited + computed),
        "fed_tiles_per_second": task["batch"] * task["steps"] / (waited + computed),
    }


def measure_largest(task: Mapping, family: Family, folder: str) -> None:
    """Double the batch, from that of the task on, until it does not fit."""
    (batch,) = stream({**task, "batch": 1}, 1).epoch(0)
    learning = learner(task, family, folder)
    size = task["batch"]
    while size <= task["largest"]:
        say(tried=size)
        repeated = repeat(batch, size)
        for _ in range(2):  # buffers of the first step may still lie there in the second
            learning.train_batch(repeated, 1e-4)
        say(fits=size, peak_gib=memory(task["backend"])[0])
        size *= 2


def repeat(batch: Batch, count: int) -> Batch:
    """A batch of that many copies of one tile."""
    images, maps = batch
    return np.repeat(images, count, 0), {name: np.repeat(y, count, 0) for name, y in maps.items()}


def child(task: Mapping) -> None:
    """Do one task; print JSON lines, of which a later one adds to those before."""
    try:
        if task["kind"] == "detector":
            with tempfile.TemporaryDirectory() as folder:
                measure_detector(task, folder)
            return
        family = models.load(settings(task)["model"])
        family.set_threads(task["threads"])
        cv2.setNumThreads(1)
        with tempfile.TemporaryDirectory() as folder:
            if task["kind"] == "device":
                measure_device(task, family)
            elif task["kind"] == "steps":
                measure_steps(task, family, folder)
            else:
                measure_largest(task, family, folder)
    except Exception as error:  # whatever a backend raises becomes a row
        message = f"{type(error).__name__}: {error}"
        say(end=verdict(message), error=message)
    else:
        say(end="ok")


def verdict(message: str) -> str:
    """What went wrong, in a few words for a table."""
    squeezed = "".join(message.lower().replace("_", "").split())
    if any(words in squeezed for words in OUT_OF_MEMORY):
        return "out of memory"
    message = re.sub(r"\x1b\[\d*m", "", message.split("Arguments received by")[0])
    words = " ".join(message.split()).replace("|", "/")
    # TensorFlow names the cause at the end, the others at the beginning.
    return f"failed: {words if len(words) < 200 else f'{words[:100]} … {words[-100:]}'}"


def detector(task: Mapping) -> tuple[dict, Family]:
    """Settings of a detector's run, and its family."""
    run = small_training.settings(1, family="unet")
    name, _, preset = task["detector"].partition(":")
    run["model"] = {"family": name, "preset": preset or None, "optimizer": "sgd", "momentum": 0.9}
    precision = task["precision"]
    run["training"] |= {
        "clipnorm": None,
        "global_clipnorm": 10.0,
        "l2": 0,
        "weight_decay": 1e-4,
        "ema": None,
        "batch_norm_momentum": None,
        "mixed_precision": False if precision == "float32" else precision,
    }
    return run, models.load(run["model"])


def measure_detector(task: Mapping, folder: str) -> None:
    """Time of training steps on crops full of cells, then of prediction of one image at a time."""
    import torch

    from cellseg.images.normalization import normalize
    from cellseg.inference.instance_run import detected
    from cellseg.training.instance_stream import instances_in

    run, family = detector(task)
    family.set_threads(task["threads"])
    if not torch.cuda.is_available() and not task["on_cpu"]:
        say(end="no GPU: torch finds none here. Give --on-cpu to measure the CPU.")
        return
    made = tiles(task["tile"])
    chosen = np.arange(task["batch"]) % DIFFERENT_TILES
    images = normalize(made.X[chosen].astype(np.float32), "whole-image")
    batch = images, [instances_in([made.y[one, ..., 0]]) for one in chosen]
    learning = family.learner(run, size=task["tile"], folder=Path(folder))
    for _ in range(1 + WARM_UP):
        learning.train_batch(batch, 1e-4)
    seconds, losses = zip(
        *(timed(lambda: learning.train_batch(batch, 1e-4)) for _ in range(task["steps"])),
        strict=True,
    )
    median = statistics.median(seconds)
    say(
        device=family.device(),
        versions=family.versions(),
        parameters=sum(one.numel() for one in learning.model.parameters()),
        step_ms=1000 * median,
        images_per_second=task["batch"] / median,
        peak_gib=memory("torch")[0],
        finite=math.isfinite(losses[-1]["loss"]),
    )
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    learning.save_weights(Path(folder) / "weights.h5")
    predictor = family.Predictor(run, Path(folder))

    def predict(number: int) -> None:
        detected(predictor, images[number % len(images), ..., 0].copy())

    predict(0)
    spent = [timed(lambda number=number: predict(number))[0] for number in range(task["steps"])]
    say(
        predicted_per_second=1 / statistics.median(spent),
        prediction_peak_gib=memory("torch")[0],
        end="ok",
    )


DETECTOR_COLUMNS = ["detector", "precision", "batch", "tile", "step, ms", "images a second",
                    "peak, GiB", "predicted images a second (float32)",
                    "peak in prediction, GiB", "remark"]  # fmt: skip


def detector_cells(row: Mapping) -> list[str]:
    """A row of the table of detectors."""
    ended = row["end"] if row["end"] != "ok" else ""
    return [
        row["detector"], row["precision"], str(row["batch"]), str(row["tile"]),
        number(row, "step_ms"), number(row, "images_per_second", 2), number(row, "peak_gib", 2),
        number(row, "predicted_per_second", 2), number(row, "prediction_peak_gib", 2),
        ended or ("" if row["finite"] else "loss not finite"),
    ]  # fmt: skip


def measure_detectors(options: argparse.Namespace, do: Callable[[Mapping], dict]) -> None:
    """Print the table of detectors; ends with an error where nothing was measured."""
    rows = []
    print_header(DETECTOR_COLUMNS)
    for tile, batch, name, precision in product(
        options.tiles, options.batches, options.detectors, options.precisions
    ):
        task = {"kind": "detector", "detector": name, "precision": precision, "tile": tile,
                "batch": batch, "steps": options.steps, "threads": options.threads,
                "on_cpu": options.on_cpu}  # fmt: skip
        rows.append(do(task))
        print_row(detector_cells(rows[-1]))
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1))
    devices = sorted({row["device"] for row in rows if "device" in row})
    if not devices:
        sys.exit(f"Nothing was measured: {rows[0]['end']}")
    on_cpu = " **These are figures of a CPU, not of a GPU.**" if devices == ["cpu"] else ""
    print(f"\nMeasured on {', '.join(devices)}.{on_cpu}")


# What the parent does.


def run(task: Mapping, seconds: float) -> dict:
    """Do one task in a process of its own, for so many seconds at most."""
    begun = time.perf_counter()
    found = {}
    command = [sys.executable, __file__, "--child", json.dumps(task)]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        try:
            code = subprocess.run(command, stdout=output, stderr=errors, timeout=seconds).returncode
        except subprocess.TimeoutExpired:
            code = None
        for file in (output, errors):
            file.seek(0)
        for line in output:
            if line.startswith('{"'):
                found |= json.loads(line)
        if "end" not in found:
            found["end"] = f"cut off after {seconds:.0f} s" if code is None else crash(code, errors)
    return {**task, **found, "seconds": time.perf_counter() - begun}


def crash(code: int, errors) -> str:
    """Why a process ended without saying so; a negative code is the number of a signal."""
    lines = [line for line in errors if line.strip()]
    last = verdict("".join(lines[-20:]))
    if last == "out of memory":
        return last
    reason = f"signal {-code}" if code < 0 else f"exit code {code}"
    return verdict(f"{reason}, {lines[-1] if lines else 'no message'}")


def tasks(options: argparse.Namespace, searches: bool) -> list[dict]:
    """All combinations, the most informative first; `searches` for the largest batch too."""
    batch = BATCH if BATCH in options.batches else options.batches[0]
    tile = TILE if TILE in options.tiles else options.tiles[0]
    common = {"levels": options.levels, "steps": options.steps, "threads": options.threads,
              "xla": options.xla, "matrix": options.matrix}  # fmt: skip
    networks = [
        {"backbone": backbone, "precision": precision, "backend": backend, **common}
        for backbone, precision, backend in product(
            options.backbones, options.precisions, options.backends
        )
    ]
    steps = [
        {"kind": "steps", "tile": t, "batch": b, "fed": (t, b) == (tile, batch), **network}
        for t, b in product(options.tiles, options.batches)
        for network in networks
    ]
    largest = [
        {"kind": "largest", "tile": tile, "batch": 1, "largest": options.largest, **network}
        for network in networks
    ]
    ranked = sorted(
        [*steps, *(largest if searches else [])],
        key=lambda task: (task["tile"] != tile, task["kind"] == "largest", task["batch"] != batch),
    )
    return ranked


def informed(task: Mapping, rows: list[dict]) -> dict:
    """The search for the largest batch begins behind those that are known to fit."""
    same = ("backbone", "precision", "backend", "tile")
    known = [
        row
        for row in rows
        if row["kind"] == "steps" and "step_ms" in row and all(row[k] == task[k] for k in same)
    ]
    if task["kind"] != "largest" or not known:
        return dict(task)
    best = max(known, key=lambda row: row["batch"])
    return {**task, "batch": 2 * best["batch"], "fits": best["batch"], "peak_gib": best["peak_gib"]}


def number(row: Mapping, name: str, digits: int = 1) -> str:
    """A figure of a table, or a dash where there is none."""
    value = row.get(name)
    return "-" if value is None else f"{value:.{digits}f}"


def network_cells(row: Mapping) -> list[str]:
    """The first columns of each table."""
    return [row["backbone"], row["precision"], row["backend"]]


def step_cells(row: Mapping) -> list[str]:
    """A row of the first table."""
    measured = "step_ms" in row
    first = row["build_seconds"] + row["first_step_seconds"] if measured else None
    remark = row["end"] if not measured else "" if row["finite"] else "loss not finite"
    share = f"{100 * row['share_of_peak']:.1f} %" if measured else "-"
    return [
        *network_cells(row), str(row["batch"]), str(row["tile"]),
        number(row, "step_ms"), number(row, "tiles_per_second"),
        number(row, "matrix_teraflops", 2), share, number(row, "peak_gib", 2),
        number({"first": first}, "first"), remark,
    ]  # fmt: skip


def fed_cells(row: Mapping) -> list[str]:
    """A row of the second table."""
    measured = "wait_share" in row
    share = f"{100 * row['wait_share']:.1f} %" if measured else "-"
    return [
        *network_cells(row), number(row, "fed_step_ms"), number(row, "wait_ms"), share,
        number(row, "fed_tiles_per_second"), "" if measured else row["end"],
    ]  # fmt: skip


def largest_cells(row: Mapping) -> list[str]:
    """A row of the third table."""
    if row["end"] == "ok":
        remark = f"no larger one tried than {row['largest']}"
    elif "tried" in row:
        remark = f"{row['tried']}: {row['end']}"
    else:
        remark = row["end"]
    return [*network_cells(row), str(row.get("fits", "-")), number(row, "peak_gib", 2), remark]


NETWORK_COLUMNS = ["backbone", "precision", "backend"]
STEP_COLUMNS = [*NETWORK_COLUMNS, "batch", "tile", "step, ms", "tiles a second",
                "matrix product, TFLOP/s", "share of it", "peak, GiB", "first step after, s",
                "remark"]  # fmt: skip
FED_COLUMNS = [*NETWORK_COLUMNS, "step, ms", "wait, ms", "waiting", "tiles a second", "remark"]
LARGEST_COLUMNS = [*NETWORK_COLUMNS, "largest batch", "peak, GiB", "remark"]


def print_row(cells: list[str]) -> None:
    """A line of a Markdown table."""
    print(f"| {' | '.join(cells)} |", flush=True)


def print_header(columns: list[str]) -> None:
    """The first two lines of a Markdown table."""
    print_row(columns)
    print(f"|{'---|' * len(columns)}", flush=True)


def print_table(columns: list[str], rows: list[list[str]]) -> None:
    """A whole table in Markdown."""
    print_header(columns)
    for cells in rows:
        print_row(cells)


def print_head(devices: Mapping[str, dict], options: argparse.Namespace) -> None:
    """What was measured, on what; the first line says so where that is no GPU."""
    on_cpu = [backend for backend, row in devices.items() if row.get("device") == "cpu"]
    if on_cpu:
        print(f"**These are figures of a CPU, not of a GPU: {', '.join(on_cpu)}.**\n")
    heads, levels = " and ".join(small_training.HEADS), " ".join(options.levels)
    print(
        f"Training of PanopticNet, {date.today().isoformat()}, {options.threads} data workers, "
        f"{options.steps} steps each, levels {levels}, heads {heads}, "
        f"xla {'on' if options.xla else 'off'}.\n"
    )
    for backend, row in devices.items():
        if "device" not in row:
            print(f"- {backend}: {row['end']}")
            continue
        device = f"CPU ({platform.machine()})" if row["device"] == "cpu" else row["device"]
        limit = row.get("limit_gib")
        versions = ", ".join(f"{name} {version}" for name, version in row["versions"].items())
        print(f"- {backend} on {device}{f', up to {limit:.1f} GiB' if limit else ''}: {versions}")
    print(flush=True)


def arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"],
                        choices=["jax", "torch", "tensorflow"])  # fmt: skip
    parser.add_argument("--backbones", nargs="+",
                        default=["resnet50"])  # fmt: skip
    parser.add_argument("--detectors", nargs="+", metavar="FAMILY[:PRESET]",
                        help="measure these instance detectors instead")  # fmt: skip
    parser.add_argument("--on-cpu", action="store_true", help="measure detectors without a GPU")
    parser.add_argument("--batches", nargs="+", type=int, default=[BATCH, 2])
    parser.add_argument("--tiles", nargs="+", type=int, default=[TILE], help="sides, pixels")
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"],
                        choices=["float32", "bfloat16", "float16"])  # fmt: skip
    parser.add_argument("--levels", nargs="+", default=["C3", "C4", "C5"])
    parser.add_argument("--steps", type=int, default=20, help="that are timed (default: 20)")
    for name, usual, purpose in (
        ("--seconds", 570, "for everything (default: 570); what is not reached says: not run"),
        ("--child-seconds", 150, "for one combination (default: 150)"),
    ):
        parser.add_argument(name, type=float, default=usual, help=purpose)
    purpose = "no larger batch is tried (default: 1024, and no search on a CPU)"
    parser.add_argument("--largest", type=int, help=purpose)
    purpose = "as training.xla: compiles on torch and tensorflow; jax always does"
    purpose = "side of the matrices whose product is the peak (default: 8192, on a CPU 1024)"
    parser.add_argument("--matrix", type=int, help=purpose)
    parser.add_argument("--xla", action="store_true", help=purpose)
    parser.add_argument("--json", type=Path, help="file for all that was measured")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Print the tables in Markdown."""
    options = arguments()
    if options.child is not None:
        child(options.child)
        return
    ends = time.perf_counter() + options.seconds
    # As many as this process may use; `threads` of a training rule is the same thing.
    options.threads = len(os.sched_getaffinity(0))

    def do(task: Mapping) -> dict:
        left = min(options.child_seconds, ends - time.perf_counter())
        return run(task, left) if left > 0 else {**task, "end": "not run"}

    if options.detectors:
        measure_detectors(options, do)
        return
    about = {"kind": "device", "backbone": "featurenet", "precision": "float32", "xla": False,
             "levels": options.levels, "threads": options.threads}  # fmt: skip
    devices = {backend: do({**about, "backend": backend}) for backend in options.backends}
    print_head(devices, options)
    on_gpu = any(row.get("device", "cpu") != "cpu" for row in devices.values())
    searches = options.largest is not None or on_gpu
    options.matrix = options.matrix or (8192 if on_gpu else 1024)
    options.largest = options.largest or 1024
    rows = []
    print_header(STEP_COLUMNS)
    for task in tasks(options, searches):
        about = devices[task["backend"]]
        row = do(informed(task, rows)) if "device" in about else {**task, "end": about["end"]}
        rows.append(row)
        if row["kind"] == "steps":
            print_row(step_cells(row))
        if options.json:
            options.json.write_text(json.dumps([*devices.values(), *rows], indent=1))
    fed = [row for row in rows if row.get("fed")]
    print(f"\nFed by the data stream: batch {fed[0]['batch']}, tile {fed[0]['tile']}, "
          f"{options.threads} workers.\n")  # fmt: skip
    print_table(FED_COLUMNS, [fed_cells(row) for row in fed])
    largest = [row for row in rows if row["kind"] == "largest"]
    if largest:
        print(f"\nLargest batch that fits, by doubling, tile {largest[0]['tile']}.\n")
        print_table(LARGEST_COLUMNS, [largest_cells(row) for row in largest])


if __name__ == "__main__":
    main()
