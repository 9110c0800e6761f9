"""A hyperparameter search end to end: trained, halved, drawn; one of its trials diverges."""

import subprocess
import sys

import pandas as pd
import pytest

from workflow_runner import TINY, Workflow

SEARCH = {
    "title": "Which rate?",
    "model": "featurenet",
    "heads": "inner-distance+pixelwise",
    "subset": "full",
    "trials": "all",
    "rungs": [1, 2],
    "space": {"training.learning_rate": [1.0e30, 0.001]},
}
PLACE = "results/tiny/searches/rates"


def search(workflow, *arguments):
    """Call the command as a user does, with one thread a training so that two run at a time."""
    return subprocess.run(
        [
            *(sys.executable, "scripts/search.py", "rates", "--cores", "2"),
            *("--set-threads", "train=1", "--configfile", "study.yaml"),
            *("--replace-workflow-config", *arguments),
        ],
        cwd=workflow.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow  # test_search.py has rungs, halving and divergence
def test_a_search_end_to_end(checkout, tmp_path):
    tiny = {**TINY, "models": {"featurenet": TINY["models"]["featurenet"]}}
    tiny["datasets"] = {"tiny": {**TINY["datasets"]["tiny"], "cell_types": ["BV2"]}}
    tiny["subsets"] = {"full": {}}
    tiny["experiments"] = {"none": {**TINY["experiments"]["backbones"], "figures": []}}
    tiny["experiments"]["none"]["conditions"] = [
        {**TINY["experiments"]["backbones"]["conditions"][0], "model": "featurenet"}
    ]
    tiny["hyperparameter_searches"] = {"rates": SEARCH}
    workflow = Workflow.copy(checkout, tmp_path, tiny)
    refused = workflow.call(f"{PLACE}/search.png")
    assert refused.returncode != 0 and "python scripts/search.py rates" in refused.stdout

    done = search(workflow)
    assert done.returncode == 0, done.stdout
    trials = pd.read_csv(tmp_path / PLACE / "trials.csv").set_index(["rung", "trial"])
    assert trials.index.tolist() == [(1, 1), (1, 2), (2, 2)]
    assert trials["promoted"].tolist() == [False, True, False]
    assert trials["diverged"].tolist() == [True, False, False]
    assert trials["score"].notna().tolist() == [False, True, True]
    for (_, trial), row in trials[~trials["diverged"]].iterrows():
        history = pd.read_csv(tmp_path / row["runs"] / "history.csv")
        assert len(history) == row["epochs"] and history["val_loss"].min() == row["score"]
        assert row["training.learning_rate"] == SEARCH["space"]["training.learning_rate"][trial - 1]
    assert trials.loc[trials["best"]].index.tolist() == [(2, 2)]
    for suffix in ("png", "pdf"):
        assert (tmp_path / PLACE / f"search.{suffix}").stat().st_size > 5000

    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/tiny/**/*.*")}
    again = search(workflow)
    assert again.returncode == 0, again.stdout
    for path, date in made.items():
        if path.parent != tmp_path / PLACE:
            assert path.stat().st_mtime_ns == date, path
