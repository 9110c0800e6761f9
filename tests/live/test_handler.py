"""Lines of the handler on a terminal and elsewhere, from records as Snakemake makes them."""

import io
import logging
import re
import time
from types import SimpleNamespace

import pytest

from cellseg.live import handler as live
from cellseg.live.job import Job
from cellseg.runtime.job_output import ERASE


class Terminal(io.StringIO):
    """A stream that says it is a terminal, or not."""

    def __init__(self, interactive):
        super().__init__()
        self.interactive = interactive

    def isatty(self):
        return self.interactive


@pytest.fixture
def make(request, monkeypatch):
    """Makes a handler of one job, begun, with its stream; signs of life come every 0.2 seconds."""
    monkeypatch.setattr(live, "REWRITTEN", 0.05)
    monkeypatch.setattr(live, "OFTEN", 0.25)

    def made(job, interactive=False, logs=True, log_file=None):
        stream = Terminal(interactive)
        plain = logging.StreamHandler(stream)
        handler = live.Handler(plain, lambda: {1: job}, lambda job: 10.0, lambda: log_file, logs)
        request.addfinalizer(handler.close)
        tell(handler, "WORKFLOW_STARTED")
        tell(handler, "RUN_INFO")
        tell(handler, "JOB_INFO", jobid=1)
        return handler, stream

    return made


def tell(handler, event=None, level=logging.INFO, message="", **more):
    record = logging.LogRecord("snakemake", level, "", 0, message, None, None)
    record.__dict__.update(more)
    if event:
        record.event = SimpleNamespace(name=event)
    handler.handle(record)


def test_a_finished_job_says_what_it_found(make, tmp_path):
    log = tmp_path / "log"
    log.write_text("cutting\n480 tiles of 128 x 128 pixels from 16 images.\n")
    job = Job("tile", {"dataset": "d", "tiling": "cut", "split": "val"}, ("tiles",), (str(log),))
    handler, stream = make(job, log_file="somewhere.log")
    tell(handler, "JOB_FINISHED", job_id=1)
    tell(handler, "PROGRESS", done=1, total=1)
    first, where, found, end = stream.getvalue().splitlines()
    assert first == "1 job." and where == "Snakemake's log: somewhere.log"
    assert found.endswith("cut tiles of cut/val: 480 tiles of 128 x 128 pixels from 16 images")
    assert re.match(r" 99 % +0 s left +cut tiles", found)
    assert end.startswith("100 %") and end.endswith("done: 1 job in 0 s")


def test_a_rule_without_words_goes_by_its_name(make, tmp_path):
    """As one that a user adds."""
    log = tmp_path / "log"
    log.write_text("Wrote 3 pages.\n")
    handler, stream = make(Job("draw_pages", {"dataset": "d"}, ("pages",), (str(log),)))
    tell(handler, "JOB_FINISHED", job_id=1)
    assert "draw_pages d: wrote 3 pages" in stream.getvalue()


def test_no_line_is_longer_than_100_columns_and_paths_break_after_a_slash(make, tmp_path):
    path = "/".join(["results/simulated/figures", *["a-long-name"] * 8, "figure.png"])
    handler, stream = make(Job("figure", {"experiment": "e", "figure": "f"}, (path,)))
    tell(handler, "JOB_FINISHED", job_id=1)
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    assert path in "".join(line[live.COLUMN :] for line in lines[1:])
    assert all(line.endswith(("/", ".png", ":")) for line in lines[1:])


def test_warnings_of_a_job_are_shown(make, tmp_path):
    log = tmp_path / "log"
    log.write_text("Warning: found almost nothing. Train longer.\nDone with it.\n")
    handler, stream = make(Job("score", {"model": "m"}, ("metrics.csv",), (str(log),)))
    tell(handler, "JOB_FINISHED", job_id=1)
    assert [line[live.COLUMN :] for line in stream.getvalue().splitlines()[1:]] == [
        "scored m: done with it",
        "Warning: found almost nothing. Train longer.",
    ]


@pytest.mark.parametrize("logs", [True, False])
def test_a_failed_job_shows_its_own_message_once(make, tmp_path, logs):
    log = tmp_path / "log"
    log.write_text("reading\n\nError: tiles.npz is damaged.\nDelete it.\n")
    handler, stream = make(Job("train", {"model": "m"}, ("weights.h5",), (str(log),)), logs=logs)
    message = "RuleException:\nCalledProcessError in file train.smk, line 3"
    tell(handler, "ERROR", logging.ERROR, message, exception="RuleException")
    for _ in range(2):  # Snakemake may repeat it at the end
        tell(handler, "JOB_ERROR", logging.ERROR, "Error in rule train", jobid=1, rule_msg=None)
    shown = stream.getvalue()
    assert shown.count("FAILED: train m\n") == 1 and "CalledProcessError" not in shown
    assert shown.count("Error: tiles.npz is damaged.\nDelete it.\n") == 1 and str(log) in shown
    assert ("reading" in shown) == logs


def test_a_killed_job_is_told(make, tmp_path):
    log = tmp_path / "log"
    log.write_text("epoch 1/3\n")
    handler, stream = make(Job("train", {"model": "m"}, ("weights.h5",), (str(log),)))
    tell(handler, "JOB_ERROR", logging.ERROR, "Error in rule train", jobid=1, rule_msg=None)
    assert "names no error: the job was killed" in stream.getvalue()


def test_what_is_not_about_a_job_is_shown_in_snakemakes_words(make):
    handler, stream = make(Job("score", {}, ("metrics.csv",)))
    for message in ("Select jobs to execute...", "Building DAG of jobs...", None):
        tell(handler, message=message)
    tell(handler, message="Terminating processes on user request")
    tell(handler, None, logging.WARNING, "Building DAG of jobs... took long")
    message = "WorkflowError:\nNo such thing."
    tell(handler, "ERROR", logging.ERROR, message, exception="WorkflowError")
    assert stream.getvalue().splitlines()[1:] == [
        "Terminating processes on user request", "Building DAG of jobs... took long",
        "WorkflowError:", "No such thing.",
    ]  # fmt: skip


def test_signs_of_life_are_lines_where_lines_cannot_be_rewritten(make, tmp_path):
    log = tmp_path / "log"
    log.write_text("simulated 20 of 32 images\n")
    handler, stream = make(Job("simulate", {"dataset": "d"}, ("source.json",), (str(log),)))
    time.sleep(1)
    lines = stream.getvalue().splitlines()[1:]
    assert 2 <= len(lines) <= 5
    assert all("… simulate d (" in line and "20 of 32" in line for line in lines)
    handler.close()
    said = stream.getvalue()
    time.sleep(0.5)
    assert stream.getvalue() == said


def test_signs_of_life_of_long_names_are_short(make, tmp_path):
    names = {"model": "featurenet", "heads": "inner-distance+pixelwise" * 2, "seed": "1"}
    (tmp_path / "progress.json").write_text(
        '{"format": 1, "state": "training", "epoch": 1, "epochs": 2, "step": 5, '
        '"steps_per_epoch": 10, "seconds": 30}'
    )
    _, stream = make(Job("train", names, (str(tmp_path / "weights.h5"),)))
    time.sleep(0.5)
    line = stream.getvalue().splitlines()[1]
    assert line.endswith("… train featurenet/…/seed-1 (75 %)")


def test_on_a_terminal_one_line_is_rewritten_and_removed(make):
    handler, stream = make(Job("simulate", {"dataset": "d"}, ("source.json",)), interactive=True)
    time.sleep(0.5)
    tell(handler, "JOB_FINISHED", job_id=1)
    handler.close()
    shown = stream.getvalue()
    assert shown.count("\r") >= 4 and shown.count("\n") == 2
    # What stays, where each return begins the line again.
    stays = [line.rpartition("\r")[2].removeprefix(ERASE) for line in shown.split("\n")]
    assert stays[0] == "1 job." and stays[1].endswith("simulated d") and stays[2] == ""
