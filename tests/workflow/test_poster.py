"""The poster's study, small, on simulated images: all its kinds of network and training data."""

import numpy as np
import pandas as pd
import pytest
import yaml

from cellseg.training import ensemble
from workflow_runner import TINY, Workflow

CELL_TYPES = ["SHSY5Y", "SkBr3"]  # those that the study trains on alone
pytestmark = pytest.mark.slow  # the chain a second time; its parts have tests of their own
EXTENDED = "results/data/tiny/extended-1/train"


def small(poster: dict) -> dict:
    """The study with its own models, subsets and experiments, made to train in seconds.

    One seed, narrow networks, one synthetic image a real one, and of the experiments those that
    together have every kind of network and of subset.
    """
    study = {**poster, **{key: TINY[key] for key in ("dataset", "tilings", "training")}}
    study["datasets"] = {"tiny": {**TINY["datasets"]["tiny"], "cell_types": CELL_TYPES}}
    study["accelerator"] = "cpu"
    models = study["models"].items()  # detectors have a chain of their own
    study["models"] = {name: model for name, model in models if model["family"] != "centermask"}
    for model in study["models"].values():
        if model["family"] == "unet":
            model.update(width=2, training={"epochs": 1})
    for subset in study["subsets"].values():
        if "synthetic_per_image" in subset:
            subset["synthetic_per_image"] = 1
    networks, single = study["experiments"]["networks"], study["experiments"]["single-types"]
    single["conditions"][0]["subset"] = ["SHSY5Y", "SHSY5Y-extended", "full"]
    for run in [*networks["conditions"], *single["conditions"]]:
        run["seed"] = 0
    study["experiments"] = {"networks": networks, "single-types": single}
    return study


@pytest.fixture(scope="module")
def finished(checkout, tmp_path_factory):
    """A checkout in which the small study has run."""
    poster = yaml.safe_load((checkout / "workflow/studies/poster.yaml").read_text())
    folder = tmp_path_factory.mktemp("poster")
    workflow = Workflow.copy(checkout, folder, small(poster))
    targets = ["tables", f"{EXTENDED}/report/pca.png"]
    done = workflow.call("--set-threads", "train=1", "predict=1", "--", *targets)
    assert done.returncode == 0, done.stdout
    assert workflow.planned(*targets) == {}
    return workflow


def test_the_posters_table_has_a_row_a_network_and_training_set(finished):
    table = pd.read_csv(finished.folder / "results/tiny/tables/networks/summary.csv")
    table = table[(table["cell_type"] == "all") & (table["small_objects"] == "kept")]
    assert sorted(zip(table["model"], table["subset"], strict=True)) == [
        ("unet", "extended"),
        ("unet", "full"),
        ("unet-deep", "full"),
        ("unet-deep-ensemble", "extended"),
        ("unet-expanded", "full"),
    ]
    assert table["pixel_f1_mean"].between(0, 1).all()


def test_the_ensemble_has_a_network_a_cell_type_and_scores_both(finished):
    run = finished.folder / "results/tiny/runs/unet-deep-ensemble/fgbg/extended/seed-0"
    assert ensemble.cell_types(run / "weights.h5") == CELL_TYPES
    history = pd.read_csv(run / "history.csv")
    assert history["cell_type"].tolist() == CELL_TYPES
    metrics = pd.read_csv(run / "metrics.csv")
    assert sorted(metrics["cell_type"].unique()) == CELL_TYPES


def test_synthetic_images_are_made_and_compared_with_real_ones(finished):
    with np.load(finished.folder / EXTENDED / "tiles/cut-64.npz") as tiles:
        assert len(np.unique(tiles["image"])) == 4
        assert tiles["y"].max() > 1
    assert (finished.folder / EXTENDED / "report/pca.png").is_file()
    distances = pd.read_csv(finished.folder / EXTENDED / "report/distances.csv")
    assert distances["synthetic_images"].tolist()[0] == 4


def test_a_single_type_is_trained_on_its_own_synthetic_images_too(finished):
    said = {"SHSY5Y": "18 tiles of 2 images,",
            "SHSY5Y-extended": "36 tiles of 2 images and 2 synthetic ones,"}  # fmt: skip
    for subset, trained_on in said.items():
        run = finished.folder / f"results/tiny/runs/unet/fgbg/{subset}/seed-0"
        assert f"Training on {trained_on}" in (run / "logs/train.log").read_text()
