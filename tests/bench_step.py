"""How long a training step takes on a CPU, next to deepcell's, and where it goes: Markdown tables.

    PYTHONPATH=scripts:tests python tests/bench_step.py
    PYTHONPATH=scripts:tests python tests/bench_step.py --only featurenet XLA --threads 2

Settings are those of a training: random weights, heads inner-distance and pixelwise, Adam with
clipping. Two processes make a step in turn, one of deepcell's network and one of that of family
``panopticnet``. The table has the median of the ratios of such pairs, so that a busy machine slows
both. deepcell's network computes in the same way in all rows. ``--threads`` are those of each step.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

import small_training
from cellseg import models

NETWORKS = {
    "featurenet, C2 to C5, tile 128, batch 4": ("featurenet", "2345", 128, 4),
    "ResNet50, C3 to C5, tile 256, batch 2": ("resnet50", "345", 256, 2),
}
"""Backbone, levels, tile and batch."""
KEPT_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
"""The C library gives no memory back to the system, whose new pages are cleared first."""
WAYS = {
    "as a training computes": ({}, {}, "tensorflow"),
    "memory is kept": (KEPT_MEMORY, {}, "tensorflow"),
    "huge pages": ({"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}, {}, "tensorflow"),
    "without oneDNN": ({"TF_ENABLE_ONEDNN_OPTS": "0"}, {}, "tensorflow"),
    "bfloat16": ({}, {"mixed_precision": "bfloat16"}, "tensorflow"),
    "XLA": ({}, {"xla": True}, "tensorflow"),
    "not the same on each seed": ({}, {}, "tensorflow"),
    "torch": ({}, {}, "torch"),
    "JAX": ({}, {}, "jax"),
}
"""Environment, settings of the training of ``panopticnet``, and what Keras computes with."""
UNEVEN = ("XLA", "not the same on each seed")
"""Ways in which TensorFlow may sum in any order."""
DEEPCELL, PARTS = "deepcell", "parts"
"""What else a process is asked for: steps of deepcell's network, and the time of parts of ours."""


def _settings(family: str, network: str, backend: str, training: Mapping) -> dict:
    backbone, levels, _, _ = NETWORKS[network]
    own = {"backbone": backbone, "backbone_levels": [f"C{level}" for level in levels]}
    if family == "panopticnet":
        own |= {"backend": backend, "preprocessing": "imagenet", "rescaling": "none"}
    run = small_training.settings(1, family=family, **own)
    run["training"] |= training
    return run


def _step(run: Mapping, family, tile: int) -> Callable[[tuple], Mapping]:
    """A network ready to train, as the family's ``train`` makes it."""
    name = run["model"]["family"]
    if name == "panopticnet":
        from cellseg.models.keras3.learner import compute_in

        compute_in(run["training"]["mixed_precision"])
    make = getattr(family, small_training.LEARNERS[name])
    with tempfile.TemporaryDirectory() as folder:
        learner = make(run, tile, Path(folder))
    return lambda batch: learner.train_batch(batch, 1e-4)


def _batch(tile: int, size: int) -> tuple:
    random = np.random.default_rng(0)
    images = random.normal(size=(size, tile, tile, 1)).astype(np.float32)
    inner = random.random((size, tile, tile, 1), np.float32)
    classes = np.eye(3, dtype=np.float32)[random.integers(0, 3, (size, tile, tile))]
    return images, {"inner-distance": inner, "pixelwise": classes}


def _seconds(function: Callable[[], object]) -> float:
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def make_steps(network: str, way: str, threads: int) -> None:
    """Make a step for each line that comes in, and say how many seconds it took."""
    family = "deepcell" if way == DEEPCELL else "panopticnet"
    _, training, backend = WAYS.get(way, ({}, {}, "tensorflow"))
    _, _, tile, size = NETWORKS[network]
    run = _settings(family, network, backend, training)
    module = models.load(run["model"])
    module.set_threads(threads)
    if backend == "tensorflow" and way not in UNEVEN:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    step, batch = _step(run, module, tile), _batch(tile, size)
    for _ in range(2):
        step(batch)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(_seconds(lambda: step(batch)), flush=True)


def compare(asked: argparse.Namespace, network: str, way: str) -> dict:
    """Steps of both networks in turn: median milliseconds of ours, and of the ratios of pairs."""
    environment = WAYS[way][0]
    with ExitStack() as stack:
        ours = stack.enter_context(_process(asked, environment, network, way))
        theirs = stack.enter_context(_process(asked, {}, network, DEEPCELL))
        for one in (ours, theirs):
            if one.stdout.readline() != "ready\n":
                return {"failed": _last_words(one)}
        pairs = [[_asked_for(one) for one in (ours, theirs)] for _ in range(asked.rounds)]
    ratios = [own / other for own, other in pairs]
    return {
        "ms": 1000 * statistics.median(own for own, _ in pairs),
        "ratio": statistics.median(ratios),
        "low": min(ratios),
        "high": max(ratios),
    }


def _last_words(process: subprocess.Popen) -> str:
    """Why a process has failed."""
    return (process.stderr.read().strip().splitlines() or ["no message"])[-1]


def _asked_for(process: subprocess.Popen) -> float:
    process.stdin.write("step\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def measure_parts(network: str, rounds: int, threads: int) -> dict[str, list[float]]:
    """Forward pass and gradient of the network up to its parts: medians of milliseconds."""
    _, levels, tile, size = NETWORKS[network]
    run = _settings("panopticnet", network, "tensorflow", {})
    family = models.load(run["model"])
    family.set_threads(threads)
    import keras
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    whole = family.build(run, (tile, tile))
    # A layer may be in several graphs, of which this is one.
    nodes = {node.operation.name: node for some in whole._nodes_by_depth.values() for node in some}
    reduced = [node for name, node in nodes.items() if name.endswith("_reduced")]
    ends = {
        "backbone": [tensor for node in reduced for tensor in node.input_tensors],
        "and pyramid": nodes[f"P{levels[0]}"].output_tensors,
        "and heads: all": whole.outputs,
    }
    images = tf.constant(_batch(tile, size)[0])
    found = {}
    for name, outputs in ends.items():
        part = keras.Model(whole.inputs, outputs)

        @tf.function
        def forward(part=part):
            maps = tf.nest.flatten(part(images, training=True))
            return tf.add_n([tf.reduce_mean(one) for one in maps])

        @tf.function
        def gradient(part=part, forward=forward):
            with tf.GradientTape() as tape:
                loss = forward()
            return tape.gradient(loss, part.trainable_variables)

        calls = [forward, gradient]
        for call in calls:
            call()
        found[name] = [
            1000 * statistics.median(_seconds(call) for _ in range(rounds)) for call in calls
        ]
    return found


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="pairs of steps")
    parser.add_argument("--only", nargs="+", help="parts of names of networks and of ways")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--task", help=argparse.SUPPRESS)
    return parser.parse_args()


def _chosen(names: Iterable[str], parts: list[str] | None) -> list[str]:
    """Those that a part of their name is asked for, or all if none is."""
    found = [name for name in names if any(part in name for part in parts or ())]
    return found or list(names)


@contextmanager
def _process(asked: argparse.Namespace, environment: Mapping, *task: str):
    """This script in a process of its own; it ends when its input does."""
    command = [sys.executable, __file__, "--rounds", str(asked.rounds)]
    command += ["--threads", str(asked.threads), "--task", json.dumps(task)]
    with subprocess.Popen(
        command, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        yield process
        process.stdin.close()
        process.wait()


def main() -> None:
    """Measure one thing, or have all measured and print them."""
    asked = _asked()
    if asked.task:
        network, way = json.loads(asked.task)
        if way == PARTS:
            print(json.dumps(measure_parts(network, asked.rounds, asked.threads)))
        else:
            make_steps(network, way, asked.threads)
        return
    for network in _chosen(NETWORKS, asked.only):
        print(f"\n{network}, {asked.threads} threads\n")
        print("| way | ms a step | of deepcell's | least | largest |\n|---|---|---|---|---|")
        for way in _chosen(WAYS, asked.only):
            one = compare(asked, network, way)
            cells = (
                [one["failed"], "", "", ""]
                if "failed" in one
                else [f"{one['ms']:.0f}", *(f"{one[key]:.2f}" for key in ("ratio", "low", "high"))]
            )
            print(f"| {way} | {' | '.join(cells)} |", flush=True)
        print("\n| network up to | forward, ms | forward and gradient, ms |\n|---|---|---|")
        with _process(asked, {}, network, PARTS) as process:
            made = process.stdout.read()
            parts = json.loads(made) if made else {}
            if not made:
                print(f"| {_last_words(process)} | | |")
        for name, times in parts.items():
            print(f"| {name} | {' | '.join(f'{one:.0f}' for one in times)} |", flush=True)


if __name__ == "__main__":
    main()
