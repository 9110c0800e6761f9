"""What a user sees of a call of snakemake: what was found, and Snakemake's words in a file."""

import json
import re

import pandas as pd
import pytest

from cellseg.report import terminal_summary
from workflow_runner import TINY, Workflow

HEADS = "inner-distance+pixelwise"
TILES = "results/data/tiny/tiles/cut-64/train.npz"
RUN = f"results/tiny/runs/small/{HEADS}/full/seed-0"
NOTHING = "Warning: found almost nothing"
SNAKEMAKES = re.compile(r"^(local)?rule \w+:|^Finished jobid|^Select jobs|steps \(", re.M)


@pytest.fixture(scope="module")
def prepared(checkout, tmp_path_factory):
    """A study of one small network, its data made, and what a user saw of it."""
    runs = [{"model": "small", "heads": HEADS, "subset": "full", "seed": 0}]
    few = {"cell_types": ["BV2"], "images": {"train": 1, "val": 1, "test": 1}}
    study = {
        **TINY,
        "datasets": {"tiny": {**TINY["datasets"]["tiny"], **few}},
        "training": {**TINY["training"], "epochs": 1, "learning_rate": 1e-5},  # finds nothing
        "models": {"small": {"family": "unet", "width": 2}},
        "experiments": {"one": {"title": "One", "conditions": runs, "figures": ["counts"]}},
    }
    workflow = Workflow.copy(checkout, tmp_path_factory.mktemp("terminal"), study)
    done = workflow.call("data")
    assert done.returncode == 0, done.stdout
    return workflow, done.stdout


@pytest.fixture(scope="module")
def finished(prepared):
    """The same study, trained, scored and drawn."""
    workflow, _ = prepared
    done = workflow.call("results/tiny/tables/one/summary.csv", "figures")
    assert done.returncode == 0, done.stdout
    return workflow, done.stdout


def test_a_line_for_each_job_says_what_it_found(prepared):
    _, printed = prepared
    flat = " ".join(printed.split())
    for found in (
        r"simulated tiny: 3 of 3 images",
        r"cut tiles of cut-64/train: \d+ tiles of 64 x 64 pixels from 1 image",
        r"described tiny: results/data/tiny/report/data\.png",
        r"done: \d+ jobs in",
    ):
        assert len(re.findall(found, flat)) == 1, (found, printed)


def test_lines_fit_100_columns_and_none_is_snakemakes(prepared):
    workflow, printed = prepared
    assert not SNAKEMAKES.search(printed), printed
    (where,) = re.findall(r"^Snakemake's log: (\S+)$", printed, re.M)
    assert SNAKEMAKES.search((workflow.folder / where).read_text())
    assert printed.count(".snakemake/log/") == 1
    own = printed.partition("Snakemake's log:")[2].splitlines()[1:]
    assert max(map(len, own)) <= 100


def test_shares_of_the_work_never_fall(prepared):
    _, printed = prepared
    shares = [int(share) for share in re.findall(r"^ *(\d+) % ", printed, re.M)]
    assert shares == sorted(shares) and shares[-1] == 100


def test_a_plan_is_in_snakemakes_words(prepared):
    workflow, _ = prepared
    printed = workflow.call("--dry-run", "--forcerun", "tile", "--", TILES).stdout
    assert "rule tile:" in printed and "Job stats:" in printed and "cut tiles of" not in printed


@pytest.mark.parametrize("option", ["--quiet", "--verbose", "--printshellcmds"])
def test_snakemakes_words_can_be_had(prepared, option):
    workflow, _ = prepared
    done = workflow.call(option, "--forcerun", "tile", "--", TILES)
    assert done.returncode == 0, done.stdout
    words = option != "--quiet"
    assert ("rule tile:" in done.stdout) == words
    assert len(re.findall(r"tiles of 64 x 64 pixels", done.stdout)) == 1  # the job's own line
    assert "cut tiles of" not in done.stdout and "Snakemake's log" not in done.stdout


def test_nothing_to_do_is_said(prepared):
    workflow, _ = prepared
    assert "Nothing to be done" in workflow.call("data").stdout


def test_a_job_that_fails_shows_its_own_message(prepared):
    workflow, _ = prepared
    table = workflow.folder / "results/data/tiny/annotations/val.images.parquet"
    before = table.read_bytes()
    table.write_bytes(before[:50])
    try:
        done = workflow.call("results/data/tiny/labels/val.npz")
    finally:
        table.write_bytes(before)
    assert done.returncode != 0
    assert done.stdout.count("FAILED: draw labels of val") == 1, done.stdout
    assert len(re.findall(r"^Error: .*val\.images\.parquet", done.stdout, re.M)) == 1, done.stdout
    assert "CalledProcessError" not in done.stdout and "Traceback" not in done.stdout
    assert not SNAKEMAKES.search(done.stdout)


def test_trainings_scores_and_figures_say_what_they_found(finished):
    workflow, printed = finished
    flat = " ".join(printed.split())
    run = f"small/{re.escape(HEADS)}/seed-0"
    for found in (
        rf"trained {run}: \d+ steps in \d+ (s|min), validation loss \d+\.\d{{4}}",
        rf"scored {run}: F1 at IoU 0\.5 \d\.\d{{3}}, mean of 1 image",
        r"drew one/counts: results/tiny/figures/one/counts\.png",
    ):
        assert len(re.findall(found, flat)) == 1, (found, printed)
    log = workflow.folder / RUN / "logs/train.log"
    assert "epoch 1/1: loss" in log.read_text() and "epoch 1/1: loss" not in flat
    assert max(map(len, printed.partition("Snakemake's log:")[2].splitlines()[1:])) <= 100


def test_a_run_that_finds_almost_nothing_says_so(finished):
    """On the terminal and in the logs of its training and its scores."""
    workflow, printed = finished
    run = workflow.folder / RUN
    steps = json.loads((run / "provenance.json").read_text())["steps"]
    assert steps == -(-json.loads((run / "provenance.json").read_text())["train_tiles"] // 4)
    for log, where in (("train", "validation tiles"), ("score", "image of the test split")):
        lines = (run / f"logs/{log}.log").read_text().splitlines()
        (line,) = [line for line in lines if line.startswith(NOTHING)]
        assert where in line and f"after {steps} training steps" in line and "Train longer" in line
        assert line in " ".join(printed.split())  # on several lines


def test_the_summary_of_that_run_says_so(finished):
    workflow, _ = finished
    shown = terminal_summary.table(workflow.folder / "results/tiny")
    assert f"{NOTHING} (F1 at IoU 0.5 below 0.05): small." in shown
    path = workflow.folder / "results/tiny/tables/one/summary.csv"
    table = pd.read_csv(path)
    try:
        table.assign(f1_50_mean=0.5).to_csv(path, index=False)
        assert NOTHING not in terminal_summary.table(workflow.folder / "results/tiny")
    finally:
        table.to_csv(path, index=False)
