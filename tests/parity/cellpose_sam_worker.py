"""What cellpose 4 computes of a small network: PYTHON tests/parity/cellpose_sam_worker.py OUT.npz

Runs in an environment with cellpose 4 and segment-anything, which no other test needs. The result
is kept as ``cellpose-4.2.1.1.npz``. The encoder is that of :data:`MODEL`, not SAM's ViT-L, and
weights, images and targets are made by :func:`weight` and :func:`batch`, here as in the test.
"""

import hashlib
import sys

import numpy as np

MODEL = {"size": 256, "depth": 4, "width": 16, "attention_heads": 2}
SEED, STEPS, RATE, DECAY = 3, 3, 1e-3, 0.1
SHOWN = np.s_[:, :, 3::16, 5::16]
"""Pixels of outputs that are kept: all places in a patch are among them, in some patch."""


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values of a weight of the network, by its name."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
    made = np.random.default_rng(seed).normal(0, 0.15, shape).astype(np.float32)
    return 1 + made if "norm" in name and name.endswith("weight") else made


def batch() -> tuple[np.ndarray, np.ndarray]:
    """Two images (2, 1, 256, 256), and targets (2, 3, 256, 256): cells and unit vectors."""
    random = np.random.default_rng(0)
    images = random.normal(0.4, 0.3, (2, 1, 256, 256)).astype(np.float32)
    angles = random.uniform(0, 2 * np.pi, (2, 256, 256))
    cells = random.integers(0, 2, (2, 256, 256))
    return images, np.stack([cells, np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def main(output: str) -> None:
    """Compute outputs in use and in training, and weights after some steps."""
    import torch
    from cellpose import train, version, vit
    from segment_anything.build_sam import _build_sam

    torch.set_num_threads(1)
    blocks = {"encoder_embed_dim": MODEL["width"], "encoder_depth": MODEL["depth"],
              "encoder_num_heads": MODEL["attention_heads"],
              "encoder_global_attn_indexes": list(range(MODEL["depth"]))}  # fmt: skip
    vit.sam_model_registry["vit_l"] = lambda checkpoint: _build_sam(**blocks)
    network = vit.CPSAM(bsize=MODEL["size"])
    with torch.no_grad():
        for name, one in network.named_parameters():
            if name.startswith(("encoder.", "out.")):
                one.copy_(torch.from_numpy(weight(name, tuple(one.shape))))
    images, truth = batch()
    given = torch.from_numpy(np.concatenate([images, 0 * images, 0 * images], axis=1))
    made = {"version": np.array(version), "names": np.array(sorted(network.state_dict()))}
    network.eval()
    with torch.no_grad():
        made["used"] = network(given)[0].numpy()[SHOWN]
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    torch.manual_seed(SEED)
    losses = []
    for _ in range(STEPS):
        found = network(given)[0]
        loss = train._loss_fn_seg(torch.from_numpy(truth), found, torch.device("cpu"))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    made["losses"] = np.array(losses)
    for name, one in network.state_dict().items():
        made[f"after.{name}"] = one.numpy().ravel()[:32]
    np.savez_compressed(output, **made)


if __name__ == "__main__":
    main(sys.argv[1])
