"""What the loop gives its learner: each batch once and in order, at the rate that is due."""

import math
import signal
from types import SimpleNamespace

import pandas as pd
import pytest

from cellseg.errors import UserError
from cellseg.training import loop
from cellseg.training.checkpoint import ResumeFolder, stamp
from recording_learner import RecordingLearner, digest, streams

EPOCHS, STEPS = 3, 3  # of five tiles in batches of two
BASE = 0.5

PLATEAU = {"name": "plateau", "factor": 0.1, "patience": 1}
"""Validation losses do not move: the first epoch is the best, and each other one is too much."""

RATES = {
    "constant": ({"name": "constant"}, [1] * 9),
    "exponential": ({"name": "exponential", "decay": 0.5}, [1] * 3 + [0.5] * 3 + [0.25] * 3),
    "plateau": (PLATEAU, [1] * 6 + [0.1] * 3),
    # A third of nine steps up, then half a cosine over six, of which the last is not reached.
    "warm-up and cosine": (
        {"name": "cosine", "warmup": 1 / 3},
        [1 / 3, 2 / 3, 1, *(0.5 + 0.5 * math.cos(math.pi * k / 6) for k in range(6))],
    ),
    "cosine": (
        {"name": "cosine", "warmup": 0},  # of one step at least
        [1, *(0.5 + 0.5 * math.cos(math.pi * k / 8) for k in range(8))],
    ),
}
"""By schedule: the rate of each step over the first one, by hand."""

STOPS = {
    "in the first step": ("train", 1),
    "within an epoch": ("train", 5),
    "before the last step of an epoch": ("train", 8),
    "in the last step of an epoch": ("train", 6),
    "in validation": ("validate", 3),
    "in the last validation": ("validate", 5),
}


def options(schedule=None, **changes):
    return {
        "epochs": EPOCHS,
        "learning_rate": BASE,
        "schedule": schedule or {"name": "constant"},
        "checkpoint": "last",
        "early_stopping": 0,
        "precise_batch_norm_batches": 0,
        **changes,
    }


def fit(learner, folder, settings):
    resume = ResumeFolder(folder / "resume", stamp(settings))
    return loop.fit(learner, *streams(), settings, resume)


def expected_batches():
    train, _ = streams()
    return [digest(batch) for epoch in range(EPOCHS) for batch in train.epoch(epoch)]


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Seconds pass by the step, so that times of the history can be compared."""
    clock = SimpleNamespace(now=0.0)

    def passing(seconds, method):
        def timed(self, *arguments):
            clock.now += seconds
            return method(self, *arguments)

        return timed

    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    for name, seconds in (("train_batch", 2), ("validate_batch", 1)):
        method = getattr(RecordingLearner, name)
        monkeypatch.setattr(RecordingLearner, name, passing(seconds, method))
    return clock


@pytest.mark.parametrize("schedule", RATES)
def test_each_batch_once_in_order_at_its_rate(schedule, tmp_path):
    settings, rates = RATES[schedule]
    learner = RecordingLearner()
    fit(learner, tmp_path, options(settings))
    batches = expected_batches()
    assert len(set(batches)) == 9  # other augmentations in each epoch
    assert learner.batches == batches
    assert learner.rates == pytest.approx([BASE * rate for rate in rates], rel=1e-12)


def test_validation_sees_the_same_batches_after_each_epoch(tmp_path):
    learner = RecordingLearner()
    fit(learner, tmp_path, options())
    _, validation = streams()
    once = [digest(batch) for batch in validation.epoch(0)]
    assert len(once) == 2 and learner.validated == EPOCHS * once


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("schedule", ["constant", "plateau", "warm-up and cosine"])
def test_a_stopped_training_makes_the_missing_steps(schedule, stop, tmp_path, capsys):
    """Batches, rates, weights and history are those of an undisturbed training."""
    settings = options(RATES[schedule][0])
    undisturbed = RecordingLearner()
    history = fit(undisturbed, tmp_path / "undisturbed", settings)
    assert "esuming" not in capsys.readouterr().out
    first = RecordingLearner((*STOPS[stop], signal.SIGTERM))
    with pytest.raises(UserError, match="SIGTERM came"):
        fit(first, tmp_path, settings)
    second = RecordingLearner()
    resumed = fit(second, tmp_path, settings)
    assert capsys.readouterr().out.count("Resuming") == 1
    assert first.batches + second.batches == undisturbed.batches
    assert first.rates + second.rates == undisturbed.rates
    assert second.weights == undisturbed.weights
    assert [epoch for epoch, _ in first.logged + second.logged] == [1, 2, 3]
    assert [row for _, row in first.logged + second.logged] == resumed.to_dict("records")
    assert resumed.drop(columns="seconds").equals(history.drop(columns="seconds"))
    # A second more where a batch of validation is made again.
    again = 1 if STOPS[stop][0] == "validate" else 0
    assert resumed["seconds"].sum() == history["seconds"].sum() + again


@pytest.mark.parametrize(("killed_in", "kept"), [(2, 0), (4, 3), (6, 3), (8, 6)])
@pytest.mark.parametrize("schedule", ["plateau", "warm-up and cosine"])
def test_a_killed_training_goes_back_to_its_last_epoch(schedule, killed_in, kept, tmp_path):
    settings = options(RATES[schedule][0])
    undisturbed = RecordingLearner()
    fit(undisturbed, tmp_path / "undisturbed", settings)
    first, second = RecordingLearner(fail_at=killed_in), RecordingLearner()
    with pytest.raises(MemoryError):
        fit(first, tmp_path, settings)
    fit(second, tmp_path, settings)
    assert first.batches[:kept] + second.batches == undisturbed.batches
    assert first.rates[:kept] + second.rates == undisturbed.rates
    assert second.weights == undisturbed.weights


def test_a_training_that_is_stopped_again_and_again_ends_the_same(tmp_path):
    """One step an attempt, each in another place of the epoch."""
    settings = options(PLATEAU)
    undisturbed = RecordingLearner()
    fit(undisturbed, tmp_path / "undisturbed", settings)
    batches = []
    for _ in range(EPOCHS * STEPS):
        learner = RecordingLearner(("train", 1, signal.SIGUSR1))
        with pytest.raises(UserError):
            fit(learner, tmp_path, settings)
        batches += learner.batches
    last = RecordingLearner()
    fit(last, tmp_path, settings)
    assert last.batches == [] and batches == undisturbed.batches
    assert last.weights == undisturbed.weights


def test_losses_are_means_over_tiles_and_times_those_of_the_steps(tmp_path):
    """The last batch is smaller: a mean over batches would be another number."""
    learner = RecordingLearner()
    history = fit(learner, tmp_path, options())
    train, validation = streams()
    for name, stream, epoch in (("loss", train, 1), ("val_loss", validation, 0)):
        tiles = [image.mean() for images, _ in stream.epoch(epoch) for image in images]
        assert history[name][1] == pytest.approx(sum(tiles) / len(tiles), rel=1e-6)
    assert history["seconds"].tolist() == [8] * 3  # three steps of 2 s, two validations of 1 s
    assert history["step_ms"].tolist() == [2000] * 3 and history["wait_ms"].tolist() == [0] * 3
    assert history["tiles_per_second"].tolist() == pytest.approx([5 / 6] * 3)
    assert [epoch for epoch, _ in learner.logged] == [1, 2, 3]
    assert pd.DataFrame([row for _, row in learner.logged]).equals(history)


def test_averages_are_measured_on_training_batches_with_the_weights_that_are_kept(tmp_path):
    train, validation = streams()
    learner = RecordingLearner()
    settings = options(precise_batch_norm_batches=7)
    resume = ResumeFolder(tmp_path / "resume", "stamp")
    loop.fit(learner, train, validation, settings, resume)
    assert learner.recalibrated == [(train, 7)]
    none = RecordingLearner()
    fit(none, tmp_path / "none", options(precise_batch_norm_batches=0))
    assert none.recalibrated == []


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_best_epoch_counts_whether_or_not_the_training_was_stopped(keep, tmp_path):
    """Validation losses by hand; of two that are equal the later one."""
    losses = [4.0, 2.0, 2.0, 3.0]

    class Validated(RecordingLearner):
        epochs = 0

        def validate_batch(self, batch):
            super().validate_batch(batch)
            self.after = getattr(self, "after", {})
            self.after[self.epochs] = self.weights
            return {"loss": losses[self.epochs]}

        def log_epoch(self, epoch, row):
            self.epochs = epoch

    settings = options(checkpoint=keep, epochs=4)
    undisturbed = Validated()
    fit(undisturbed, tmp_path / "undisturbed", settings)
    assert undisturbed.weights == undisturbed.after[2 if keep == "best" else 3]
    first, second = Validated(("train", 11, signal.SIGTERM)), Validated()
    with pytest.raises(UserError):
        fit(first, tmp_path, settings)
    second.epochs = 3
    fit(second, tmp_path, settings)
    assert second.weights == undisturbed.weights


def test_a_state_of_other_settings_is_said_once_and_not_used(tmp_path, capsys):
    with pytest.raises(UserError):
        fit(RecordingLearner(("train", 4, signal.SIGTERM)), tmp_path, options())
    capsys.readouterr()
    settings = options(learning_rate=0.25)
    resume = ResumeFolder(tmp_path / "resume", stamp(settings))
    assert resume.load() is None  # as the caller asks first
    learner = RecordingLearner()
    loop.fit(learner, *streams(), settings, resume)
    output = capsys.readouterr().out
    assert output.count("Not resuming: settings, code or inputs differ") == 1
    assert str(tmp_path / "resume") in output and "Resuming after" not in output
    assert len(learner.batches) == 9 and set(learner.rates) == {0.25}


@pytest.fixture
def handlers():
    """Those of all signals are put back."""
    before = {number: signal.getsignal(number) for number in loop.interruption.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("ignored", [signal.SIGHUP, signal.SIGINT])
def test_signals_that_nohup_or_a_shell_ignores_stay_ignored(ignored, handlers, tmp_path):
    """The training ends; the others still save the state."""
    for number in loop.interruption.SIGNALS:  # this process may run under nohup itself
        signal.signal(number, signal.SIG_DFL)
    signal.signal(ignored, signal.SIG_IGN)
    learner = RecordingLearner(("train", 4, ignored))
    assert len(fit(learner, tmp_path, options())) == EPOCHS
    assert signal.getsignal(ignored) is signal.SIG_IGN
    for number in set(loop.interruption.SIGNALS) - {ignored}:
        folder = tmp_path / number.name
        with pytest.raises(UserError, match=f"{number.name} came in epoch 2 of 3, after step 1"):
            fit(RecordingLearner(("train", 4, number)), folder, options())
        assert (folder / "resume/epoch-1-step-1/weights").exists()


def test_a_closed_terminal_does_not_keep_the_state_from_being_saved(
    handlers, tmp_path, monkeypatch
):
    class Closed:
        def write(self, text):
            if "SIGHUP" in text:
                raise OSError(5, "Input/output error")

        def flush(self):
            pass

        def isatty(self):
            return False

    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    monkeypatch.setattr("sys.stdout", Closed())
    with pytest.raises(UserError, match="SIGHUP came"):
        fit(RecordingLearner(("train", 4, signal.SIGHUP)), tmp_path, options())
    assert (tmp_path / "resume/epoch-1-step-1/weights").exists()
