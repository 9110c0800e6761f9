"""What cellpose computes of arrays: CELLPOSE_PYTHON tests/parity/cellpose_worker.py IN.npz OUT.npz

Runs in an environment with cellpose 3.1: this one after ``make detectors``, or another. Members of
IN.npz: ``NAME.labels`` (H, W) gives ``NAME.flows`` (H, W, 2), float64; ``NAME.predicted``
(H, W, 2), unit vectors, with
``NAME.probability`` (H, W), logits, and ``NAME.settings`` (cell threshold, flow threshold,
iterations, least size) gives ``NAME.cells`` (H, W). ``repeats`` asks for seconds of each call.
"""

import sys
import time
import warnings
from importlib.metadata import version

import numpy as np


def main(source: str, output: str) -> None:
    """Compute what is asked for."""
    warnings.simplefilter("ignore")
    import torch
    from cellpose import dynamics

    torch.set_num_threads(1)
    made = {"version": np.array(version("cellpose"))}
    with np.load(source) as asked:
        repeats = int(asked["repeats"]) if "repeats" in asked else 0
        for member in asked.files:
            name, _, kind = member.rpartition(".")
            if kind == "labels":
                labels = asked[member]
                flows = dynamics.masks_to_flows(labels)
                made[f"{name}.flows"] = np.moveaxis(np.asarray(flows, np.float64), 0, -1)
                made[f"{name}.flows_seconds"] = _seconds(
                    repeats, lambda labels=labels: dynamics.masks_to_flows(labels)
                )
            elif kind == "predicted":
                # Its networks predict five times the unit vectors.
                flows = np.float32(5) * np.moveaxis(asked[member], -1, 0)
                probability = asked[f"{name}.probability"]
                cell, flow, steps, least = asked[f"{name}.settings"].tolist()

                def cells(flows=flows, probability=probability, cell=cell, flow=flow,
                          steps=steps, least=least):  # fmt: skip
                    return dynamics.compute_masks(
                        flows, probability, cellprob_threshold=cell, flow_threshold=flow,
                        niter=int(steps), min_size=int(least),
                    )  # fmt: skip

                made[f"{name}.cells"] = np.asarray(cells()).astype(np.int32)
                made[f"{name}.cells_seconds"] = _seconds(repeats, cells)
    np.savez_compressed(output, **made)


def _seconds(repeats: int, function) -> np.ndarray:
    """Of this thread's processor time, as others may use the machine."""
    seconds = []
    for _ in range(repeats):
        begun = time.thread_time()
        function()
        seconds.append(time.thread_time() - begun)
    return np.array(seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
