"""The training loop, with a learner of three lines instead of a network."""

import json
import math
import os
import signal
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cellseg.errors import UserError
from cellseg.training import interruption, loop
from cellseg.training.batches import TilePool, TileStream
from cellseg.training.checkpoint import ResumeFolder, fingerprint, stamp
from cellseg.training.learning_rate import learning_rate, plateau_factor


class CountingLearner:
    """Its weight is the number of batches that it has seen; its loss falls with it."""

    def __init__(self, validation_losses=None, fail_at=None):
        self.weight = 0
        self.rates = []
        self.recalibrated = 0
        self.validation_losses = validation_losses
        self.fail_at = fail_at

    def train_batch(self, batch, rate):
        self.weight += 1
        self.rates.append(rate)
        if self.weight == self.fail_at:
            return {"loss": math.nan, "fgbg_loss": math.nan}
        return {"loss": 1 / self.weight, "fgbg_loss": 2 / self.weight}

    def validate_batch(self, batch):
        epoch = self.weight // 2 - 1
        return {"loss": self.validation_losses[epoch] if self.validation_losses else 1.0}

    def recalibrate(self, stream, batches):
        self.recalibrated = batches

    def save_state(self, folder):
        (folder / "weight").write_text(str(self.weight))

    def load_state(self, folder):
        self.weight = int((folder / "weight").read_text())

    def save_weights(self, path):
        path.write_text(str(self.weight))

    def load_weights(self, path):
        self.weight = int(path.read_text())

    def log_epoch(self, epoch, row):
        pass


SETTINGS = {
    "training": {
        "epochs": 4,
        "learning_rate": 0.1,
        "schedule": {"name": "constant"},
        "checkpoint": "last",
        "early_stopping": 0,
        "precise_batch_norm_batches": 5,
    }
}


def _settings(**changes):
    return {"training": {**SETTINGS["training"], **changes}}


def _fit(learner, stream, folder, settings=SETTINGS):
    resume = ResumeFolder(folder / "resume", stamp(settings))
    return loop.fit(learner, stream, stream, settings["training"], resume)


@pytest.fixture
def stream():
    """Two batches an epoch."""
    tiles = np.zeros((4, 8, 8, 1), np.uint8)
    file = SimpleNamespace(X=tiles, y=tiles.astype(np.int32), image=np.array(list("abcd")))
    return TileStream(TilePool([file]), np.arange(4), {"fgbg": {}}, 2, "none", 0)


@pytest.fixture(autouse=True)
def handlers():
    """Of a process that was started in a terminal, whatever started this one, such as nohup."""
    before = {number: signal.getsignal(number) for number in interruption.SIGNALS}
    for number in before:
        is_interrupt = number == signal.SIGINT
        signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_history_has_a_row_an_epoch(stream, tmp_path):
    learner = CountingLearner()
    history = _fit(learner, stream, tmp_path)
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    means = [(1 / first + 1 / (first + 1)) / 2 for first in (1, 3, 5, 7)]
    np.testing.assert_allclose(history["loss"], means)
    np.testing.assert_allclose(history["fgbg_loss"], 2 * history["loss"])
    assert learner.weight == 8 and learner.recalibrated == 5
    assert {"val_loss", "learning_rate", "seconds", "step_ms", "wait_ms"} <= set(history)


def _interrupted(stream, folder, settings=SETTINGS, after=5):
    """Train until batch `after` raises, as a kill in the middle of an epoch would."""
    learner = CountingLearner(fail_at=after)
    with pytest.raises(UserError):
        _fit(learner, stream, folder, settings)


def test_resumes_after_the_last_finished_epoch(stream, tmp_path, capsys):
    _interrupted(stream, tmp_path)
    learner = CountingLearner()
    history = _fit(learner, stream, tmp_path)
    assert "Resuming after epoch 2 of 4" in capsys.readouterr().out
    assert len(learner.rates) == 4  # two epochs of two batches, not four
    assert learner.weight == 8
    assert history["epoch"].tolist() == [1, 2, 3, 4]


class SignalledLearner(CountingLearner):
    """Gets a signal in one of its batches, of training or of validation."""

    def __init__(self, number, in_training=None, in_validation=None):
        super().__init__()
        self.number, self.in_training, self.in_validation = number, in_training, in_validation
        self.validated = 0

    def train_batch(self, batch, rate):
        losses = super().train_batch(batch, rate)
        if self.weight == self.in_training:
            os.kill(os.getpid(), self.number)
        return losses

    def validate_batch(self, batch):
        self.validated += 1
        if self.validated == self.in_validation:
            os.kill(os.getpid(), self.number)
        return super().validate_batch(batch)


@pytest.mark.parametrize(
    ("where", "steps"),
    [({"in_training": 5}, 3), ({"in_training": 6}, 2), ({"in_validation": 3}, 4)],
)
@pytest.mark.parametrize("number", interruption.SIGNALS)
def test_a_signal_saves_the_last_step(stream, tmp_path, capsys, number, where, steps):
    """The next attempt makes the steps that are missing; its history is an undisturbed run's."""
    undisturbed = CountingLearner()
    expected = _fit(undisturbed, stream, tmp_path / "undisturbed")
    with pytest.raises(UserError, match=f"{number.name} came in epoch .* run again to resume"):
        _fit(SignalledLearner(number, **where), stream, tmp_path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    learner = CountingLearner()
    history = _fit(learner, stream, tmp_path)
    assert "Resuming after epoch" in capsys.readouterr().out
    assert len(learner.rates) == steps
    assert undisturbed.rates[-steps:] == learner.rates and learner.weight == undisturbed.weight
    timed = ["seconds", "step_ms", "wait_ms", "tiles_per_second"]
    pd.testing.assert_frame_equal(history.drop(columns=timed), expected.drop(columns=timed))


def test_two_signals_before_a_step_leave_the_state_as_it_is(stream, tmp_path):
    with pytest.raises(UserError):
        _fit(SignalledLearner(signal.SIGTERM, in_training=5), stream, tmp_path)
    state = tmp_path / "resume" / "epoch-2-step-1" / "weight"
    before = state.stat().st_mtime_ns

    class Again(CountingLearner):
        def load_state(self, folder):
            super().load_state(folder)
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(UserError, match="epoch 3 of 4, after step 1 of 2"):
        _fit(Again(), stream, tmp_path)
    assert state.stat().st_mtime_ns == before


def test_a_linked_folder_keeps_what_others_have_in_it(tmp_path):
    """A shared scratch disk, say."""
    shared = tmp_path / "scratch"
    for name in ("thesis", "epoch-1-step-0", "BV2"):
        (shared / name).mkdir(parents=True)
        (shared / name / "chapter.tex").touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "resume").symlink_to(shared)
    folder = ResumeFolder(tmp_path / "run" / "resume", "stamp")
    assert folder.load() is None
    for number in (2, 3):
        with folder.writing(f"epoch-{number}-step-0", {}) as state:
            (state / "weight").touch()
    names = {path.name for path in shared.iterdir()}
    assert names == {"thesis", "epoch-1-step-0", "BV2", "epoch-3-step-0", "state.json"}
    folder.clear()
    assert {path.name for path in shared.iterdir()} == {"thesis", "epoch-1-step-0", "BV2"}
    assert len(list(shared.glob("*/chapter.tex"))) == 3


@pytest.mark.parametrize(
    "content",
    [b"[]", b"null", b"", b"\xff\xfe", b"[" * 99999, b'{"stamp": "s"}', b'{"files": "a"}',
     b'{"stamp": "stamp", "files": "../other"}', b'{"stamp": "stamp", "files": 3}'],
)  # fmt: skip
def test_a_damaged_state_is_none(tmp_path, capsys, content):
    (tmp_path / "other").mkdir()
    (tmp_path / "resume").mkdir()
    (tmp_path / "resume" / "state.json").write_bytes(content)
    assert ResumeFolder(tmp_path / "resume", "stamp").load() is None
    assert capsys.readouterr().out.count("state.json is damaged") == 1
    assert (tmp_path / "other").exists()


@pytest.mark.parametrize("changed", [{"epochs": 6}, {"learning_rate": 0.2}])
def test_other_settings_do_not_resume(stream, tmp_path, changed):
    _interrupted(stream, tmp_path)
    learner = CountingLearner()
    settings = _settings(**changed)
    _fit(learner, stream, tmp_path, settings)
    assert len(learner.rates) == 2 * settings["training"]["epochs"]


def test_a_half_written_state_is_not_used(stream, tmp_path):
    _interrupted(stream, tmp_path)
    (tmp_path / "resume" / "state.json").write_text('{"stamp": "')
    learner = CountingLearner()
    _fit(learner, stream, tmp_path)
    assert len(learner.rates) == 8


def test_only_one_state_is_kept(stream, tmp_path):
    _interrupted(stream, tmp_path)
    assert [path.name for path in (tmp_path / "resume").glob("epoch-*")] == ["epoch-2-step-0"]
    state = json.loads((tmp_path / "resume" / "state.json").read_text())
    assert state["files"] == "epoch-2-step-0" and state["stamp"] == stamp(SETTINGS)


def test_keeps_the_best_weights(stream, tmp_path):
    learner = CountingLearner(validation_losses=[3.0, 1.0, 2.0, 4.0])
    _fit(learner, stream, tmp_path, _settings(checkpoint="best"))
    assert learner.weight == 4  # after the second epoch


def test_best_weights_survive_an_interruption(stream, tmp_path):
    settings = _settings(checkpoint="best")
    losses = [1.0, 3.0, 2.0, 4.0]
    learner = CountingLearner(validation_losses=losses, fail_at=7)
    with pytest.raises(UserError):
        _fit(learner, stream, tmp_path, settings)
    learner = CountingLearner(validation_losses=losses)
    _fit(learner, stream, tmp_path, settings)
    assert learner.weight == 2  # after the first epoch, before the interruption


STEPS = {"epochs": None, "steps": 7, "steps_per_epoch": 3}
"""Epochs of 3, 3 and 1 steps, over passes of 2."""


class SeeingLearner(SignalledLearner):
    """Also notes which tiles are in each batch, by their grey value."""

    def __init__(self, number=None, **where):
        super().__init__(number, **where)
        self.tiles = []

    def train_batch(self, batch, rate):
        self.tiles.append(sorted(batch[0][:, 0, 0, 0].tolist()))
        return super().train_batch(batch, rate)


@pytest.fixture
def numbered():
    """Two batches a pass, of tiles that tell their number."""
    tiles = np.broadcast_to(np.arange(4, dtype=np.uint8)[:, None, None, None], (4, 8, 8, 1)).copy()
    labels = np.zeros_like(tiles, np.int32)
    file = SimpleNamespace(X=tiles, y=labels, image=np.array(list("abcd")))
    return TileStream(TilePool([file]), np.arange(4), {"fgbg": {}}, 2, "none", 0)


def test_a_training_of_steps_passes_over_the_tiles_as_often_as_it_needs(numbered, tmp_path):
    learner = SeeingLearner()
    history = _fit(learner, numbered, tmp_path, _settings(**STEPS))
    assert history["steps"].tolist() == [3, 3, 1] and learner.weight == 7
    seen = [sorted(one + two) for one, two in zip(*2 * [iter(learner.tiles)], strict=False)]
    assert seen == [[0, 1, 2, 3]] * 3  # each tile once in each pass, across epochs
    by_epochs = SeeingLearner()
    _fit(by_epochs, numbered, tmp_path / "epochs", _settings(epochs=4))
    assert learner.tiles == by_epochs.tiles[:7]


def test_without_a_length_of_epochs_one_is_a_pass(numbered, tmp_path):
    settings = _settings(**{**STEPS, "steps_per_epoch": None})
    history = _fit(SeeingLearner(), numbered, tmp_path, settings)
    assert history["steps"].tolist() == [2, 2, 2, 1]
    longer = _settings(epochs=2, steps_per_epoch=5)
    history = _fit(SeeingLearner(), numbered, tmp_path / "longer", longer)
    assert history["steps"].tolist() == [5, 5]


@pytest.mark.parametrize("after", range(1, 7))
def test_a_training_of_steps_resumes_within_a_pass_and_an_epoch(numbered, tmp_path, after):
    cosine = _settings(**STEPS, schedule={"name": "cosine", "warmup": 0.3})
    undisturbed = SeeingLearner()
    expected = _fit(undisturbed, numbered, tmp_path / "undisturbed", cosine)
    signalled = SeeingLearner(signal.SIGTERM, in_training=after)
    with pytest.raises(UserError, match="of 3, after step"):
        _fit(signalled, numbered, tmp_path, cosine)
    learner = SeeingLearner()
    history = _fit(learner, numbered, tmp_path, cosine)
    assert learner.tiles == undisturbed.tiles[after:]
    assert learner.rates == undisturbed.rates[after:]
    timed = ["seconds", "step_ms", "wait_ms", "tiles_per_second"]
    pd.testing.assert_frame_equal(history.drop(columns=timed), expected.drop(columns=timed))


def test_schedules_and_early_stopping_go_by_the_epochs_of_a_training_of_steps(numbered, tmp_path):
    decayed = _settings(**STEPS, schedule={"name": "exponential", "decay": 0.5})
    learner = SeeingLearner()
    _fit(learner, numbered, tmp_path, decayed)
    assert learner.rates == [0.1] * 3 + [0.05] * 3 + [0.025]
    learner = SeeingLearner()  # whose validation loss never falls
    history = _fit(learner, numbered, tmp_path / "early", _settings(**STEPS, early_stopping=1))
    assert history["steps"].tolist() == [3, 3]


def test_stops_early(stream, tmp_path):
    learner = CountingLearner(validation_losses=[1.0, 2.0, 2.0, 0.5])
    history = _fit(learner, stream, tmp_path, _settings(early_stopping=2))
    assert len(history) == 3


def test_a_loss_that_is_not_finite_says_where(stream, tmp_path):
    learner = CountingLearner(fail_at=4)
    with pytest.raises(UserError, match=r"epoch 2, step 2 \(learning rate 0.1\): loss = nan"):
        _fit(learner, stream, tmp_path)


def test_a_validation_loss_that_is_not_finite_stops_too(stream, tmp_path):
    learner = CountingLearner(validation_losses=[1.0, math.inf])
    with pytest.raises(UserError, match="validation tiles after epoch 2"):
        _fit(learner, stream, tmp_path)


def test_schedules():
    assert learning_rate({"name": "constant"}, 0.1, 7, 10, 3) == 0.1
    assert learning_rate({"name": "exponential", "decay": 0.5}, 0.1, 7, 10, 3) == 0.0125
    cosine = {"name": "cosine", "warmup": 0.2}
    rates = [learning_rate(cosine, 1.0, step, 10, 0) for step in range(10)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert all(later < earlier for earlier, later in pairwise(rates[2:]))
    assert 0 < rates[-1] < 0.05


def test_steps_lower_the_rate_at_the_milestones_of_the_settings():
    steps = {"name": "steps", "warmup": 0, "factor": 0.5, "milestones": [0.2, 0.7]}
    rates = [learning_rate(steps, 1.0, step, 10, 0) for step in range(10)]
    assert rates == [1.0] * 2 + [0.5] * 5 + [0.25] * 3


def test_plateau_lowers_the_rate_each_time_patience_ends():
    plateau = {"name": "plateau", "factor": 0.1, "patience": 2}
    assert plateau_factor(plateau, [3, 2, 2]) == 1
    assert plateau_factor(plateau, [3, 2, 2, 2]) == pytest.approx(0.1)
    assert plateau_factor(plateau, [3, 2, 2, 2, 2, 2]) == pytest.approx(0.01)
    assert plateau_factor(plateau, [3, 2, 2, 2, 1, 1]) == pytest.approx(0.1)
    assert plateau_factor({"name": "constant"}, [1, 2, 3, 4]) == 1


def test_the_folder_is_gone_after_clear(tmp_path):
    folder = ResumeFolder(tmp_path / "resume", "stamp")
    with folder.writing("epoch-1-step-0", {"history": []}):
        pass
    assert folder.load()["files"] == tmp_path / "resume" / "epoch-1-step-0"
    folder.clear()
    assert not (tmp_path / "resume").exists() and folder.load() is None


def test_a_damaged_state_is_an_error_that_names_the_folder(stream, tmp_path):
    _interrupted(stream, tmp_path)
    (tmp_path / "resume" / "epoch-2-step-0" / "weight").write_text("broken")
    with pytest.raises(UserError, match=r"resume, is damaged .*Delete that folder"):
        _fit(CountingLearner(), stream, tmp_path)


def test_fingerprints_tell_contents_apart(tmp_path):
    def saved(name, value):
        np.savez(tmp_path / f"{name}.npz", X=np.full(4, value))
        (tmp_path / f"{name}.bin").write_bytes(bytes([value]))
        return [fingerprint(tmp_path / f"{name}.{suffix}") for suffix in ("npz", "bin")]

    assert saved("a", 1) == saved("b", 1)
    assert all(x != y for x, y in zip(saved("a", 1), saved("c", 2), strict=True))


def test_stamps_do_not_depend_on_the_order_of_keys():
    """A config whose keys are in another order means the same training, which resumes."""
    assert stamp({"a": {"b": 1, "c": [2, 3]}, "d": 4}) == stamp(
        {"d": 4, "a": {"c": [2, 3], "b": 1}}
    )
    assert stamp({"a": [2, 3]}) != stamp({"a": [3, 2]})
