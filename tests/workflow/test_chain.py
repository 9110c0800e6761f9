"""The whole chain on a tiny simulated data set, and what reruns when something changes."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml

from cellseg.inference import map_store
from cellseg.models.panopticnet import sizes
from cellseg.space import plan as space
from cellseg.study import validation as config
from workflow_runner import TINY, Workflow

STUDY = copy.deepcopy(TINY)
STUDY["models"] = {
    "featurenet": TINY["models"]["featurenet"],
    "deepcell": {"family": "deepcell", "backbone": "featurenet"},
}
STUDY["experiments"]["backbones"]["conditions"][0]["model"] = list(STUDY["models"])
RUN = "results/tiny/runs/{model}/inner-distance+pixelwise/full/seed-0"


@pytest.fixture(scope="module")
def finished(checkout, tmp_path_factory):
    """A checkout in which the tiny study has run."""
    workflow = Workflow.copy(checkout, tmp_path_factory.mktemp("chain"), STUDY)
    # One run first, by the name of its scores.
    run = RUN.format(model="featurenet")
    done = workflow.call(f"{run}/metrics.csv")
    assert done.returncode == 0, done.stdout
    assert not (workflow.folder / run / "predictions.zip").exists()
    assert workflow.planned(f"{run}/metrics.csv") == {}
    assert workflow.planned(f"{run}/overlay.png") == {"predict_shown": 1, "overlay": 1}
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
    finished.configure(STUDY)


def test_tables_figures_and_overlays_are_there(finished):
    folder = finished.folder / "results/tiny"
    for name in STUDY["experiments"]["backbones"]["figures"]:
        for suffix in ("pdf", "png"):
            assert (folder / f"figures/backbones/{name}.{suffix}").stat().st_size > 5000
    for model in STUDY["models"]:
        run = finished.folder / RUN.format(model=model)
        assert (run / "overlay.png").stat().st_size > 5000
        assert not (run / "resume").exists()
        assert json.loads((run / "progress.json").read_text())["state"] == "finished"
        provenance = json.loads((run / "provenance.json").read_text())
        family = STUDY["models"][model]["family"]
        assert ("deepcell" in provenance["versions"]) == (family == "deepcell")
        assert provenance["versions"]["tensorflow"]
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


def test_the_notebook_opens_a_finished_run(finished, checkout):
    cells = json.loads((checkout / "docs/notebooks/open-a-run.ipynb").read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    named = "results/simulated/runs/featurenet/inner-distance+pixelwise/full/seed-0"
    assert code.count(named) == 1
    code = code.replace(named, RUN.format(model="featurenet"))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=finished.folder,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "inner-distance/0" in done.stdout


def test_predictions_are_whole_images(finished):
    run = finished.folder / RUN.format(model="featurenet")
    maps, labels = map_store.open(run / "overlay-predictions.zip"), np.load(run / "labels.npz")
    assert maps.channels == ["inner-distance/0", "pixelwise/1"]
    assert set(maps.images) < set(labels.files) and len(labels.files) == 4 > len(maps.images) == 3
    for name in maps.images:
        read = maps.read(name)
        assert read["inner-distance"][0].shape == read["pixelwise"][1].shape == (128, 160)
        assert labels[name].shape == (128, 160)


def test_coco_scores_and_thresholds_are_in_the_tables(finished):
    run = finished.folder / RUN.format(model="featurenet")
    coco = pd.read_csv(run / "coco.csv")
    assert coco["cell_type"].tolist() == [t for t in ("all", "BV2", "SkBr3") for _ in range(2)]
    runs = pd.read_csv(finished.folder / "results/tiny/tables/backbones/runs.csv")
    own = runs[(runs["model"] == "featurenet") & (runs["small_objects"] == "kept")]
    assert own["ap"].tolist() == coco[coco["small_objects"] == "kept"]["ap"].tolist()
    assert (own["maxima_threshold"] == 0.1).all() and (own["tuning"] == "-").all()
    summary = pd.read_csv(finished.folder / "results/tiny/tables/backbones/summary.csv")
    assert {"ap_mean", "afnr_low", "msa_mean"} <= set(summary)


def test_formatted_tables_are_there(finished):
    folder = finished.folder / "results/tiny/tables/backbones"
    compared = pd.read_csv(folder / "comparisons.csv")
    assert set(compared["test"].dropna()) <= {"Wilcoxon signed rank", "none"}
    assert (compared["model_a"] == "featurenet").all()
    page, text = ((folder / f"summary.{kind}").read_text() for kind in ("html", "tex"))
    for model in STUDY["models"]:
        assert model in page and model in text
    assert "No published figure is comparable" in page and r"\toprule" in text


def test_a_second_call_has_nothing_to_do(finished):
    assert finished.planned() == {}


def test_touching_every_file_schedules_nothing(finished):
    """Files of the checkout are touched last, as by `git checkout`."""
    for folder in ("results", "envs", "workflow", "scripts"):
        for path in sorted((finished.folder / folder).rglob("*"), reverse=True):
            if path.is_file():
                os.utime(path)
    assert finished.planned() == {}


def _edit(workflow, module, text):
    path = workflow.folder / "scripts/cellseg" / module
    path.write_text(path.read_text() + text)


def test_editing_the_scores_reruns_scoring_only(edited):
    _edit(edited, "scoring/objects.py", "\nEDITED = True\n")
    plan = edited.planned()
    assert plan["score"] == 2
    assert set(plan) <= {
        "score", "collect", "figure", "format_tables", "papers", "predict_shown", "overlay",
        "overview", "contact_sheet", "all",
    }  # fmt: skip


def test_editing_a_figure_redraws_figures_only(edited):
    _edit(edited, "figures/backbones.py", "\nEDITED = True\n")
    assert set(edited.planned()) == {"figure", "overview", "all"}  # its first page shows one


def test_a_new_published_figure_rewrites_tables_only(edited):
    path = edited.folder / "workflow/published.csv"
    before = path.read_text()
    path.write_text(before.rpartition("\n")[0].rpartition("\n")[0] + "\n")
    assert set(edited.planned()) == {"format_tables", "papers", "overview", "all"}
    path.write_text(before)
    assert edited.planned() == {}


def test_editing_the_family_retrains_its_models(edited):
    _edit(edited, "models/deepcell/family.py", "\nEDITED = True\n")
    plan = edited.planned()
    assert plan["train"] == 1 and "tile" not in plan
    _edit(edited, "models/panopticnet/semantic_heads.py", "\nEDITED = True\n")
    assert edited.planned()["train"] == 2


def test_editing_the_stitching_does_not_retrain(edited):
    _edit(edited, "inference/sliding_window.py", "\nEDITED = True\n")
    plan = edited.planned()
    assert plan["predict"] == 2 and "train" not in plan


def test_explaining_the_code_reruns_nothing(edited):
    for module in (
        *("targets/heads.py", "training/loop.py"),
        *("models/deepcell/family.py", "models/panopticnet/network.py"),
    ):
        _edit(edited, module, "\n# explained\n")
    assert edited.planned() == {}


def test_a_models_learning_rate_reruns_its_runs_only(edited):
    changed = copy.deepcopy(STUDY)
    changed["models"]["deepcell"]["training"] = {"learning_rate": 0.01}
    edited.configure(changed)
    plan = edited.planned()
    assert plan["train"] == plan["predict"] == plan["score"] == 1
    assert edited.planned(RUN.format(model="featurenet") + "/metrics.csv") == {}


def test_the_order_of_keys_means_nothing(edited):
    turned = copy.deepcopy(STUDY)
    turned["training"] = dict(reversed(turned["training"].items()))
    turned["datasets"]["tiny"] = dict(reversed(turned["datasets"]["tiny"].items()))
    turned["models"] = dict(reversed(turned["models"].items()))
    turned["prediction"] = {
        "window_overlap": 0.25,
        "batch_size": 8,
    }  # the defaults, in another order
    turned["heads"] = {"inner-distance": {"beta": 1, "alpha": "auto"}}
    edited.configure(turned)
    assert edited.planned() == {}


def test_maps_go_when_the_cells_are_found(finished):
    """And so they do not when they are asked for by name: other thresholds then need no network."""
    assert list((finished.folder / "results").rglob("predictions.zip")) == []
    maps = RUN.format(model="featurenet") + "/predictions.zip"
    done = finished.call(maps)
    assert done.returncode == 0, done.stdout
    assert (finished.folder / maps).is_file()
    (finished.folder / maps).unlink()
    assert finished.planned() == {}


def test_settings_of_the_segmentation_do_not_retrain(edited):
    changed = {**copy.deepcopy(STUDY), "segmentation": {"interior_threshold": 0.4}}
    edited.configure(changed)
    plan = edited.planned()
    assert plan["predict"] == plan["segment"] == plan["score"] == 2
    assert "train" not in plan


def test_prediction_settings_do_not_retrain(edited):
    edited.configure({**copy.deepcopy(STUDY), "prediction": {"window_overlap": 0.5}})
    plan = edited.planned()
    assert plan["predict"] == plan["segment"] == 2
    assert set(plan) <= {
        "predict", "segment", "score", "collect", "figure", "format_tables", "papers",
        "predict_shown", "overlay", "overview", "contact_sheet", "all",
    }  # fmt: skip


def test_kept_maps_are_segmented_again_without_the_network(edited):
    run = RUN.format(model="featurenet")
    kept = {
        **copy.deepcopy(STUDY),
        "keep_predictions": True,
        "segmentation": {"interior_threshold": 0.4},
    }
    edited.configure(kept)
    done = edited.call(f"{run}/labels.npz")
    assert done.returncode == 0, done.stdout
    assert (edited.folder / run / "predictions.zip").is_file()
    kept["segmentation"]["interior_threshold"] = 0.3  # as before, which leaves the run as it was
    edited.configure(kept)
    assert edited.planned(f"{run}/labels.npz") == {"segment": 1}
    done = edited.call(f"{run}/metrics.csv", f"{run}/overlay.png")
    assert done.returncode == 0, done.stdout
    assert (edited.folder / run / "predictions.zip").is_file()
    (edited.folder / run / "predictions.zip").unlink()


def test_more_images_in_overlays_predict_those_alone(edited):
    edited.configure({**copy.deepcopy(STUDY), "overlays": {"images": 2}})
    assert edited.planned() == {"predict_shown": 2, "overlay": 2, "all": 1}


def test_the_plan_tells_the_space(finished, checkout):
    schema = yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())
    said = space.plan(config.resolve(STUDY, schema), finished.folder / "results")
    assert said.n_runs == 2 and said.n_unfinished == 0 and said.unknown == ()
    assert said.used == pytest.approx(said.runs + said.data)
    for model, entry in STUDY["models"].items():
        run = finished.folder / RUN.format(model=model)
        count = json.loads((run / "provenance.json").read_text())["parameters"]
        expected = sizes.parameters({**entry, "backbone_levels": ["C3", "C4", "C5"]}, 2)
        assert expected == pytest.approx(count, rel=0.01)
        assert (run / "weights.h5").stat().st_size == pytest.approx(4 * expected, rel=0.1)
    dry = finished.call("--dry-run").stdout
    assert "Space: the study keeps about" in dry and "Warning" not in dry
    for arguments in (["--summary"], ["--lint"], ["--dry-run", "--quiet"]):
        assert "Space: " not in finished.call(*arguments).stdout


def test_an_experiment_that_shares_runs_trains_only_the_new_ones(edited):
    more = copy.deepcopy(STUDY)
    more["experiments"]["round-cells"] = {
        "title": "One cell type",
        "conditions": [
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


def test_tuning_reuses_the_training(edited):
    """Only what the tuned thresholds change is made again, in a folder of its own."""
    tuned = copy.deepcopy(STUDY)
    tuned["threshold_searches"] = {
        "grid": {"maxima_threshold": [0.02, 0.05], "interior_threshold": [0.2, 0.4], "score": "f1"}
    }
    tuned["experiments"]["tuned"] = {
        "title": "Tuned thresholds",
        "threshold_search": "grid",
        "conditions": [
            {
                "model": "featurenet",
                "heads": "inner-distance+pixelwise",
                "subset": "full",
                "seed": 0,
            }
        ],
        "figures": ["f1-by-cell-type"],
    }
    edited.configure(tuned)
    plan = {
        "predict": 1, "predict_validation": 1, "tune": 1, "segment": 1, "score": 1, "collect": 1,
    }  # fmt: skip
    assert edited.planned("results/tiny/tables/tuned/runs.csv") == plan
    assert "train" not in edited.planned()
    done = edited.call("results/tiny/tables/tuned/runs.csv")
    assert done.returncode == 0, done.stdout
    run = edited.folder / RUN.format(model="featurenet")
    chosen = json.loads((run / "tuning-grid/chosen.json").read_text())
    provenance = json.loads((run / "provenance.json").read_text())
    assert chosen["images"] == sorted(provenance["val_images"])
    assert chosen["combinations"] == len(pd.read_csv(run / "tuning-grid/tried.csv")) == 5
    assert chosen["mean"] >= chosen["mean of the study's own"]
    used = json.loads((run / "tuning-grid/segmentation.json").read_text())
    assert used["segmentation"] == chosen["segmentation"] and used["tuning"] == "grid"
    runs = pd.read_csv(edited.folder / "results/tiny/tables/tuned/runs.csv")
    assert (runs["tuning"] == "grid").all()
    assert (runs["maxima_threshold"] == chosen["segmentation"]["maxima_threshold"]).all()
    assert not list(run.rglob("predictions.zip")) and not list(
        run.rglob("validation-predictions.zip")
    )
    # A finer grid searches again.
    tuned["threshold_searches"]["grid"]["maxima_threshold"].append(0.03)
    edited.configure(tuned)
    assert edited.planned("results/tiny/tables/tuned/runs.csv") == plan


@pytest.mark.slow  # tests/tuning/test_by_cell_type.py has its parts
def test_each_cell_type_gets_its_thresholds(edited):
    """One more threshold search of a trained run, whose tables say what each type got."""
    typed = copy.deepcopy(STUDY)
    values = {"maxima_threshold": [0.02, 0.05], "interior_threshold": [0.2, 0.4]}
    typed["threshold_searches"] = {"typed": {**values, "by": "cell-type"}}
    [condition] = typed["experiments"]["backbones"]["conditions"]
    typed["experiments"]["typed"] = {
        "title": "Tuned by type",
        "threshold_search": "typed",
        "conditions": [{**condition, "model": "featurenet"}],
        "figures": [],
    }
    edited.configure(typed)
    target = "results/tiny/tables/typed/runs.csv"
    done = edited.call(target)
    assert done.returncode == 0, done.stdout
    assert edited.planned(target) == {}
    folder = edited.folder / RUN.format(model="featurenet") / "tuning-typed"
    chosen, used = (json.loads((folder / name).read_text())
                    for name in ("chosen.json", "segmentation.json"))  # fmt: skip
    assert list(chosen["segmentation_by_cell_type"]) == ["BV2", "SkBr3"]
    assert used["segmentation_by_cell_type"] == chosen["segmentation_by_cell_type"]
    assert chosen["mean by cell type"] >= chosen["mean"]
    runs = pd.read_csv(edited.folder / target)
    assert (runs["tuned_by"] == "cell-type").all() and (runs["tuning"] == "typed").all()
    for name, settings in chosen["segmentation_by_cell_type"].items():
        for setting in values:
            assert (runs.loc[runs["cell_type"] == name, setting] == settings[setting]).all()
    log = (folder / "logs/segment.log").read_text()
    assert "thresholds of their cell type: BV2 (2), SkBr3 (2); with those of all: none." in log


@pytest.mark.slow  # tests/models/test_learners.py has the weights, test_rules.py the rule
def test_a_run_starts_from_pretrained_weights(edited, server):
    path = edited.folder.parent / "mobilenetv2.h5"
    make = (
        "from tf_keras.applications import MobileNetV2\n"
        "net = MobileNetV2(input_shape=(64, 64, 3), include_top=False, weights=None)\n"
        f"net.save_weights({str(path)!r})"
    )
    subprocess.run([sys.executable, "-c", make], check=True)
    server.files["mobilenetv2.h5"] = path.read_bytes()
    study = copy.deepcopy(STUDY)
    study["pretrained"] = {"net": {"url": f"{server.url}/mobilenetv2.h5"}}
    study["models"] = {
        "pretrained": {"family": "deepcell", "backbone": "mobilenetv2", "weights": "net"}
    }
    # Steps too small to be seen: the first layer stays as it was given.
    study["training"] |= {"epochs": 1, "learning_rate": 1e-12}
    study["experiments"]["backbones"]["conditions"][0]["model"] = "pretrained"
    edited.configure(study)
    done = edited.call(RUN.format(model="pretrained") + "/weights.h5")
    assert done.returncode == 0, done.stdout
    kernels = [
        _first_kernel(file)
        for file in (path, edited.folder / RUN.format(model="pretrained") / "weights.h5")
    ]
    np.testing.assert_allclose(*kernels, atol=1e-6)
    shutil.rmtree(edited.folder / RUN.format(model="pretrained"))


def _first_kernel(path):
    """The kernel of MobileNetV2's first convolution in a file of weights."""
    found = []

    def look(name, item):
        if "Conv1" in name.split("/") and name.rpartition("/")[2].startswith("kernel"):
            found.append(item[()])

    with h5py.File(path) as file:
        file.visititems(look)
    (kernel,) = found
    return kernel


def test_a_run_is_applied_to_a_folder_and_exported(edited):
    run = RUN.format(model="featurenet")
    images = edited.folder / "results/data/tiny/source/images/livecell_test_images"
    chosen = f"apply={{run: {run}, images: {images}, output: cells of mine}}"
    other = {**copy.deepcopy(STUDY), "prediction": {"window": 128, "window_overlap": 0.5}}
    for model in other["models"].values():
        model["location"] = False  # with which a network takes no other window
    edited.configure(other)
    done = edited.call("apply", "--config", chosen)  # as the run was scored nevertheless
    assert done.returncode == 0, done.stdout
    edited.configure(STUDY)
    done = edited.call("apply", f"{run}/export.zip", "--config", chosen)
    assert done.returncode == 0 and "rule apply:" not in done.stdout, done.stdout
    output, expected = (
        edited.folder / "cells of mine",
        np.load(edited.folder / run / "labels.npz"),
    )
    paths = sorted((output / "labels").rglob("*.tif"))
    assert len(paths) == len(expected.files) == 4
    for path in paths:
        name = path.stem.removesuffix("_labels")
        np.testing.assert_array_equal(tifffile.imread(path), expected[name])
    assert (output / "overview.html").read_text().count("<figure>") == 4
    assert (edited.folder / run / "export.zip").is_file()
    assert edited.planned("apply", "--config", chosen) == {}
    shutil.copy2(next(images.rglob("*.tif")), images / "another.tif")
    assert edited.planned("apply", "--config", chosen) == {"apply": 1}
    (images / "another.tif").unlink()


def test_redrawing_does_not_retrain(finished):
    (finished.folder / "results/tiny/figures/backbones/backbones.pdf").unlink()
    assert finished.planned("figures") == {"figure": 1, "figures": 1}
    done = finished.call("figures")
    assert done.returncode == 0, done.stdout
    assert (finished.folder / "results/tiny/figures/backbones/backbones.pdf").is_file()


def test_the_report_is_written(finished):
    report = finished.folder / "results/tiny/report.html"
    command = [
        sys.executable, "scripts/report.py", "--configfile", "study.yaml",
        "--replace-workflow-config",
    ]  # fmt: skip

    def make():
        return subprocess.run(command, cwd=finished.folder, capture_output=True, text=True)

    done = make()
    assert done.returncode == 0, done.stderr
    page = report.read_text()
    for words in ("Which backbone?", "What was run on tiny", "2 networks trained", "Provenance"):
        assert words in page
    assert "system-message" not in page  # docutils found nothing to complain about
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=.?https?:", page)
    report.unlink()
    figure = finished.folder / "results/tiny/figures/backbones/backbones.png"
    figure.rename(figure.with_suffix(".kept"))
    done = make()
    figure.with_suffix(".kept").rename(figure)
    assert done.returncode != 0 and not report.exists()
    assert "not finished" in done.stderr and "figures/backbones/backbones.png" in done.stderr


def test_bad_local_data_ends_with_a_message_that_names_the_file(checkout, tmp_path):
    config = copy.deepcopy(STUDY)
    config["datasets"] = {"tiny": {"kind": "local", "path": str(tmp_path / "nowhere")}}
    workflow = Workflow.copy(checkout, tmp_path / "checkout", config)
    done = workflow.call("results/data/tiny/source.json")
    assert done.returncode != 0
    assert "datasets.tiny.path" in done.stdout and "nowhere" in done.stdout
