"""What a training writes of itself while it runs, and what is read of that."""

import json
import math
import os
import runpy
import signal
from types import SimpleNamespace

import numpy as np
import pytest

from cellseg.errors import UserError
from cellseg.io import atomic, progress_file
from cellseg.io.progress_file import Training, has_diverged, training_of
from cellseg.io.stamps import stamp
from cellseg.runtime import gpu_lease
from cellseg.training import loop, progress_writer
from cellseg.training.batches import TilePool, TileStream
from cellseg.training.checkpoint import ResumeFolder
from cellseg.training.length import Length
from cellseg.training.progress_writer import ProgressWriter

SETTINGS = {
    "training": {
        "epochs": 3, "learning_rate": 0.1, "schedule": {"name": "constant"}, "checkpoint": "last",
        "early_stopping": 0, "precise_batch_norm_batches": 0,
    }
}  # fmt: skip
STEPS = 2


class WatchingLearner:
    """Notes what the file says before each step; `at` is the step that goes another way.

    Attributes
    ----------
    seen : content of the file before each step and each validation
    """

    def __init__(self, run, at=None, signalled=False, loss=1.0, val_loss=0.5):
        self.run, self.at, self.signalled = run, at, signalled
        self.loss, self.val_loss = loss, val_loss
        self.steps, self.seen = 0, []

    def train_batch(self, batch, rate):
        self.seen.append(said(self.run))
        self.steps += 1
        here = self.steps == self.at
        if here and self.signalled:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"loss": self.loss if here else 1.0, "fgbg_loss": 2.0}

    def validate_batch(self, batch):
        self.seen.append(said(self.run))
        return {"loss": self.val_loss, "fgbg_loss": 1.0}

    def save_state(self, folder):
        (folder / "steps").write_text(str(self.steps))

    def load_state(self, folder):
        self.steps = int((folder / "steps").read_text())

    def save_weights(self, path): ...

    def log_epoch(self, epoch, row): ...


def said(run):
    """The file, which must be strict JSON."""
    text = (run / "progress.json").read_text()
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def place(run):
    content = said(run)
    return content["state"], content["epoch"], content["step"]


@pytest.fixture
def stream():
    tiles = np.zeros((4, 8, 8, 1), np.uint8)
    file = SimpleNamespace(X=tiles, y=tiles.astype(np.int32), image=np.array(list("abcd")))
    return TileStream(TilePool([file]), np.arange(4), {"fgbg": {}}, STEPS, "none", 0)


def fit(learner, stream, run, settings=SETTINGS):
    resume = ResumeFolder(run / "resume", stamp(settings), ProgressWriter(run, settings))
    history = loop.fit(learner, stream, stream, settings["training"], resume)
    resume.progress.finished()
    return history


def test_the_file_follows_the_training(stream, tmp_path, monkeypatch):
    monkeypatch.setattr(progress_writer, "EVERY", 0)  # a file a step
    learner = WatchingLearner(tmp_path)
    history = fit(learner, stream, tmp_path)
    each = [(epoch, step) for epoch in range(3) for step in (0, 1, 2, 2)]  # two validation batches
    assert [(seen["epoch"], seen["step"]) for seen in learner.seen] == each
    assert {seen["state"] for seen in learner.seen} == {"training"}
    assert {(seen["epochs"], seen["steps_per_epoch"]) for seen in learner.seen} == {(3, 2)}
    assert [seen["val_loss"] for seen in learner.seen] == [None] * 4 + [0.5] * 8
    seconds = [seen["seconds"] for seen in learner.seen]
    assert seconds == sorted(seconds)
    last = said(tmp_path)
    assert (last["format"], last["state"], last["epoch"], last["loss"]) == (1, "finished", 3, 1.0)
    assert last["seconds"] >= round(history["seconds"].sum(), 1) - 0.1
    assert last["settings"] == stamp(SETTINGS) and "diverged" not in last
    assert not list(tmp_path.glob(".progress.json*"))


def test_within_an_epoch_it_is_written_now_and_then_only(stream, tmp_path, monkeypatch):
    """Each write after another stop of the clock; a step does not wait for the disk."""
    clock, written = [1000.0], []
    monkeypatch.setattr(progress_writer, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    write = atomic.write_json

    def noted(path, content, synced=True):
        written.append((content["epoch"], content["step"], content["seconds"]))
        assert not synced
        write(path, content, synced)

    monkeypatch.setattr(atomic, "write_json", noted)
    writer = ProgressWriter(tmp_path, SETTINGS)
    writer.begin(Length(3000, 1000), [])
    for step in range(1, 101):
        clock[0] += 0.25
        writer.step(step)
    assert written == [(0, 0, 0.0), (0, 40, 10.0), (0, 80, 20.0)]


def test_a_resumed_training_carries_on(stream, tmp_path):
    stopped = WatchingLearner(tmp_path, at=3, signalled=True)
    with pytest.raises(UserError, match="SIGTERM came in epoch 2"):
        fit(stopped, stream, tmp_path)
    assert place(tmp_path) == ("training", 1, 1)
    content = {**said(tmp_path), "seconds": 90.0}
    known = Training(1, 3, 1.0, 0.5, 60, step=1, steps_per_epoch=2, steps=6)
    assert training_of(content, 3, running=False) == known
    state = tmp_path / "resume/state.json"
    saved = json.loads(state.read_text())
    saved["history"][0]["seconds"], saved["epoch"]["seconds"] = 40.0, 5.0
    state.write_text(json.dumps(saved))
    learner = WatchingLearner(tmp_path)
    fit(learner, stream, tmp_path)
    first = learner.seen[0]
    assert (first["epoch"], first["step"], first["loss"], first["val_loss"]) == (1, 1, 1.0, 0.5)
    assert 45 <= first["seconds"] < 60 and said(tmp_path)["seconds"] >= 45
    assert place(tmp_path) == ("finished", 3, 0)


def test_other_settings_start_at_nothing(stream, tmp_path):
    with pytest.raises(UserError):
        fit(WatchingLearner(tmp_path, at=3, signalled=True), stream, tmp_path)
    other = {"training": {**SETTINGS["training"], "learning_rate": 0.2}}
    learner = WatchingLearner(tmp_path)
    fit(learner, stream, tmp_path, other)
    assert (learner.seen[0]["epoch"], learner.seen[0]["step"]) == (0, 0)
    assert learner.seen[0]["settings"] == stamp(other) != stamp(SETTINGS)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_marked(stream, tmp_path, loss):
    with pytest.raises(UserError):
        fit(WatchingLearner(tmp_path, at=4, loss=loss), stream, tmp_path)
    assert said(tmp_path)["state"] == "diverged" and said(tmp_path)["loss"] == 1.0
    assert said(tmp_path)["diverged"] == {
        "epoch": 2, "step": 2, "learning_rate": 0.1, "losses": ["loss"]
    }  # fmt: skip
    content = progress_file.read(tmp_path)
    assert has_diverged(content, SETTINGS)
    assert not has_diverged(content, {**SETTINGS, "seed": 1})
    assert not has_diverged({**content, "state": "training"}, SETTINGS)
    assert not has_diverged(None, SETTINGS)
    # The next attempt takes the mark away before its first step.
    again = WatchingLearner(tmp_path)
    fit(again, stream, tmp_path)
    assert again.seen[0]["state"] == "training" and "diverged" not in again.seen[0]


def test_a_validation_loss_that_is_not_finite_is_marked(stream, tmp_path):
    with pytest.raises(UserError):
        fit(WatchingLearner(tmp_path, val_loss=math.nan), stream, tmp_path)
    assert said(tmp_path)["diverged"] == {
        "epoch": 1, "step": None, "learning_rate": None, "losses": ["val_loss"]
    }  # fmt: skip
    assert has_diverged(progress_file.read(tmp_path), SETTINGS)


def test_another_failure_is_no_mark(stream, tmp_path):
    class Failing(WatchingLearner):
        def train_batch(self, batch, rate):
            raise MemoryError("no room")

    with pytest.raises(MemoryError):
        fit(Failing(tmp_path), stream, tmp_path)
    assert place(tmp_path) == ("training", 0, 0)


def test_a_file_that_cannot_be_written_stops_no_training(stream, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress_writer, "EVERY", 0)

    def full(path, content, synced=True):
        if path.name == "progress.json":
            raise UserError("no space")
        write(path, content, synced)

    write = atomic.write_json
    monkeypatch.setattr(atomic, "write_json", full)
    resume = ResumeFolder(tmp_path / "resume", "stamp", ProgressWriter(tmp_path, SETTINGS))

    class Learner(WatchingLearner):
        def train_batch(self, batch, rate):
            return {"loss": 1.0}

        def validate_batch(self, batch):
            return {"loss": 1.0}

    history = loop.fit(Learner(tmp_path), stream, stream, SETTINGS["training"], resume)
    assert len(history) == 3
    out = capsys.readouterr().out
    assert out.count("progress.json cannot be written (no space). The training continues.") == 1


def test_a_write_that_is_cut_off_leaves_the_file_before(tmp_path, monkeypatch):
    writer = ProgressWriter(tmp_path, SETTINGS)
    writer.begin(Length(6, 2), [])
    before = (tmp_path / "progress.json").read_bytes()

    def killed(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        writer.diverged(1, 1, 0.1, ["loss"])
    assert (tmp_path / "progress.json").read_bytes() == before


def test_the_script_removes_what_an_earlier_attempt_wrote_first(checkout, tmp_path, monkeypatch):
    """A job may wait long for a GPU, and fail before it trains."""
    ProgressWriter(tmp_path, SETTINGS).diverged(1, 1, 0.1, ["loss"])
    seen = []

    def take(accelerator):
        seen.append((accelerator, (tmp_path / "progress.json").exists()))
        raise UserError("no GPU")

    monkeypatch.setattr(gpu_lease, "take", take)
    job = SimpleNamespace(
        log=[str(tmp_path / "logs/train.log")], rule="train", wildcards={},
        config={"accelerator": "gpu"},
        output=SimpleNamespace(weights=str(tmp_path / "weights.h5")),
    )  # fmt: skip
    for _ in range(2):  # the second time there is none
        with pytest.raises(SystemExit):
            runpy.run_path(str(checkout / "scripts/train.py"), init_globals={"snakemake": job})
    assert seen == [("gpu", False)] * 2
    assert "no GPU" in (tmp_path / "logs/train.log").read_text()
