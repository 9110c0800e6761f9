"""A learner in place of a network that notes all it was given, for tests of the training loop."""

import hashlib
import os
from types import SimpleNamespace

import numpy as np

from cellseg.training.augmentation import Augmentation
from cellseg.training.batches import TilePool, TileStream


def digest(batch) -> str:
    """Name of a batch: a hash of its images and targets."""
    images, targets = batch
    content = hashlib.sha256(images.tobytes())
    for head, maps in sorted(targets.items()):
        content.update(head.encode() + maps.tobytes())
    return content.hexdigest()[:12]


def streams(tiles: int = 5, seed: int = 3) -> tuple[TileStream, TileStream]:
    """Training tiles, shuffled and augmented, in batches of two; three others to validate on."""
    random = np.random.default_rng(0)
    labels = np.zeros((tiles + 3, 8, 8, 1), np.int32)
    labels[:, 2:6, 1:7] = 1
    images = random.integers(0, 256, labels.shape).astype(np.uint8)
    names = np.array([f"tile-{number}" for number in range(len(labels))])
    pool = TilePool([SimpleNamespace(X=images, y=labels, image=names)])
    common = {"tiles": pool, "heads": {"fgbg": {}}, "batch_size": 2, "normalization": "none",
              "seed": seed}  # fmt: skip
    return (
        TileStream(index=np.arange(tiles), augmentation=Augmentation(), **common),
        TileStream(index=np.arange(tiles, tiles + 3), shuffle=False, **common),
    )


class RecordingLearner:
    """Its weights are a hash of all batches and rates so far, in order.

    Parameters
    ----------
    signalled : ``("train", 5, signal.SIGTERM)``: in the fifth training batch of this learner the
        process gets that signal; "validate" for validation batches
    fail_at : training batch of this learner that raises, as if the process died

    Attributes
    ----------
    batches, validated : digests of training and validation batches, in order
    rates : learning rate of each training batch
    logged : epoch and row of each call of `log_epoch`
    recalibrated : stream and number of batches of each recalibration
    """

    def __init__(self, signalled=None, fail_at=None):
        self.weights = "start"
        self.signalled, self.fail_at = signalled, fail_at
        self.batches, self.validated, self.rates = [], [], []
        self.logged, self.recalibrated = [], []

    def train_batch(self, batch, rate):
        self.batches.append(digest(batch))
        self.rates.append(rate)
        if len(self.batches) == self.fail_at:
            raise MemoryError("killed")
        self.weights = hashlib.sha256(
            f"{self.weights} {self.batches[-1]} {rate}".encode()
        ).hexdigest()
        self._signal("train", len(self.batches))
        return self._losses(batch)

    def validate_batch(self, batch):
        self.validated.append(digest(batch))
        self._signal("validate", len(self.validated))
        return self._losses(batch)

    def recalibrate(self, stream, batches):
        self.recalibrated.append((stream, batches))

    def save_state(self, folder):
        (folder / "weights").write_text(self.weights)

    def load_state(self, folder):
        self.weights = (folder / "weights").read_text()

    def save_weights(self, path):
        path.write_text(self.weights)

    def load_weights(self, path):
        self.weights = path.read_text()

    def log_epoch(self, epoch, row):
        self.logged.append((epoch, dict(row)))

    def _losses(self, batch):
        images, targets = batch
        return {"loss": float(images.mean()), "fgbg_loss": float(targets["fgbg"][..., 1].mean())}

    def _signal(self, kind, number):
        if self.signalled is not None and self.signalled[:2] == (kind, number):
            os.kill(os.getpid(), self.signalled[2])
