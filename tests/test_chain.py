"""The whole chain on a tiny simulated data set, and what reruns when something changes."""

import copy
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest

from workflow_runner import TINY, Workflow

RUN = "results/tiny/runs/{model}/inner-distance+pixelwise/full/seed-0"


@pytest.fixture(scope="module")
def finished(checkout, tmp_path_factory):
    """A checkout in which the tiny study has run."""
    workflow = Workflow.copy(checkout, tmp_path_factory.mktemp("chain"), TINY)
    done = workflow.call()
    assert done.returncode == 0, done.stdout
    return workflow


@pytest.fixture
def edited(finished):
    """The finished checkout; what a test edits is put back."""
    kept = finished.folder.parent / "kept"
    shutil.copytree(finished.folder / "scripts", kept)
    yield finished
    shutil.rmtree(finished.folder / "scripts")
    shutil.move(kept, finished.folder / "scripts")
    finished.configure(TINY)


def test_tables_figures_and_overlays_are_there(finished):
    folder = finished.folder / "results/tiny"
    for name in ("backbones", "f1-by-heads", "f1-by-cell-type", "learning-curves"):
        for suffix in ("pdf", "png"):
            assert (folder / f"figures/backbones/{name}.{suffix}").stat().st_size > 5000
    for model in TINY["models"]:
        run = finished.folder / RUN.format(model=model)
        assert (run / "overlay.png").stat().st_size > 5000
        assert not (run / "resume").exists()
        provenance = json.loads((run / "provenance.json").read_text())
        assert provenance["versions"]["deepcell"] == "0.12.10"
        assert len(provenance["train_images"]) == 4 and len(provenance["val_images"]) == 2


def test_scores_have_a_row_an_image_and_size_rule(finished):
    metrics = pd.read_csv(finished.folder / RUN.format(model="featurenet") / "metrics.csv")
    assert len(metrics) == 4 * 2
    assert list(metrics.columns[:9]) == [
        "dataset", "model", "heads", "subset", "seed", "data_split", "image", "cell_type",
        "small_objects",
    ]  # fmt: skip
    assert set(metrics["cell_type"]) == {"BV2", "SkBr3"}
    assert (metrics["n_true"] > 0).all()
    assert metrics["f1_50"].between(0, 1).all()


def test_predictions_are_whole_images(finished):
    run = finished.folder / RUN.format(model="featurenet")
    maps, labels = np.load(run / "maps.npz"), np.load(run / "labels.npz")
    assert maps["__channels__"].tolist() == ["inner-distance/0", "pixelwise/1"]
    images = [name for name in maps.files if name != "__channels__"]
    assert sorted(labels.files) == images and len(images) == 4
    for name in images:
        assert maps[name].shape == (128, 160, 2) and labels[name].shape == (128, 160)


def test_a_second_call_has_nothing_to_do(finished):
    assert finished.planned() == {}


def test_touching_every_file_schedules_nothing(finished):
    for folder in ("scripts", "workflow", "envs", "results"):
        for path in sorted((finished.folder / folder).rglob("*"), reverse=True):
            if path.is_file():
                os.utime(path)
    assert finished.planned() == {}


def _edit(workflow, module, text):
    with (workflow.folder / "scripts/cellseg" / module).open("a") as file:
        file.write(text)


def test_editing_the_scores_reruns_scoring_only(edited):
    _edit(edited, "metrics.py", "\nEDITED = True\n")
    plan = edited.planned()
    assert plan["score"] == 2
    assert set(plan) <= {"score", "collect", "figure", "overlay", "all"}


def test_editing_a_figure_redraws_figures_only(edited):
    _edit(edited, "figures/backbones.py", "\nEDITED = True\n")
    assert set(edited.planned()) == {"figure", "all"}


def test_editing_the_family_retrains_its_models(edited):
    _edit(edited, "families/deepcell.py", "\nEDITED = True\n")
    plan = edited.planned()
    assert plan["train"] == 2 and "tile" not in plan


def test_editing_the_stitching_does_not_retrain(edited):
    _edit(edited, "prediction.py", "\nEDITED = True\n")
    plan = edited.planned()
    assert plan["predict"] == 2 and "train" not in plan


def test_explaining_the_code_reruns_nothing(edited):
    for module in ("targets.py", "training.py", "metrics.py", "families/deepcell.py"):
        _edit(edited, module, "\n# explained\n")
    assert edited.planned() == {}


def test_a_models_learning_rate_reruns_its_runs_only(edited):
    changed = copy.deepcopy(TINY)
    changed["models"]["mobilenetv2"]["training"] = {"learning_rate": 0.01}
    edited.configure(changed)
    plan = edited.planned()
    assert plan["train"] == plan["predict"] == plan["score"] == 1
    assert edited.planned(RUN.format(model="featurenet") + "/metrics.csv") == {}


def test_the_order_of_keys_means_nothing(edited):
    turned = copy.deepcopy(TINY)
    turned["training"] = dict(reversed(turned["training"].items()))
    turned["datasets"]["tiny"] = dict(reversed(turned["datasets"]["tiny"].items()))
    turned["models"] = dict(reversed(turned["models"].items()))
    turned["prediction"] = {"overlap": 0.25, "batch_size": 8}  # the defaults, in another order
    turned["heads"] = {"inner-distance": {"beta": 1, "alpha": "auto"}}
    edited.configure(turned)
    assert edited.planned() == {}


def test_watershed_settings_do_not_retrain(edited):
    changed = {**copy.deepcopy(TINY), "watershed": {"interior_threshold": 0.4}}
    edited.configure(changed)
    plan = edited.planned()
    assert plan["segment"] == plan["score"] == 2
    assert "train" not in plan and "predict" not in plan


def test_an_experiment_that_shares_runs_trains_only_the_new_ones(edited):
    more = copy.deepcopy(TINY)
    more["experiments"]["round-cells"] = {
        "title": "One cell type",
        "runs": [
            {
                "model": "featurenet",
                "heads": "inner-distance+pixelwise",
                "subset": ["full", "round"],
                "seed": 0,
            }
        ],
        "figures": ["f1-by-cell-type"],
    }
    edited.configure(more)
    plan = edited.planned()
    assert plan["train"] == 1 and plan["collect"] == 1 and plan["figure"] == 1


def test_redrawing_does_not_retrain(finished):
    (finished.folder / "results/tiny/figures/backbones/backbones.pdf").unlink()
    assert finished.planned("figures") == {"figure": 1, "figures": 1}
    done = finished.call("figures")
    assert done.returncode == 0, done.stdout
    assert (finished.folder / "results/tiny/figures/backbones/backbones.pdf").is_file()


def test_the_report_is_written(finished):
    done = finished.call("--report", "results/tiny/report.html")
    assert done.returncode == 0, done.stdout
    page = (finished.folder / "results/tiny/report.html").read_text()
    assert "Which backbone?" in page or "backbones" in page


def test_bad_local_data_ends_with_a_message_that_names_the_file(checkout, tmp_path):
    config = copy.deepcopy(TINY)
    config["datasets"] = {"tiny": {"kind": "local", "path": str(tmp_path / "nowhere")}}
    workflow = Workflow.copy(checkout, tmp_path / "checkout", config)
    done = workflow.call("results/data/tiny/source.json")
    assert done.returncode != 0
    assert "Error: " in done.stdout and "nowhere" in done.stdout
