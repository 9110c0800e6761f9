"""The thesis' studies: planned as it describes them; small, on simulated images, they run."""

import copy
import itertools

import pandas as pd
import pytest
import yaml

import planned_jobs
from cellseg.study import runs as studies
from cellseg.study import segmentation_methods, validation
from workflow_runner import TINY, Workflow

PIXELWISE, WATERSHED = "pixelwise", "inner-distance+outer-distance"
BACKBONES = ("resnet50", "mobilenetv2")
SEEDS = [0, 1, 2]


@pytest.fixture(scope="module")
def thesis(checkout):
    return yaml.safe_load((checkout / "workflow/studies/thesis.yaml").read_text())


@pytest.fixture(scope="module")
def study(checkout, thesis):
    schema = yaml.safe_load((checkout / "workflow/schemas/config.schema.yaml").read_text())
    return validation.resolve(thesis, schema)


def conditions(study, experiment) -> list[tuple]:
    """Model, heads and subset of each condition; all have the three seeds."""
    runs = studies.runs_of(study, experiment)
    found = list(dict.fromkeys((run.model, run.heads, run.subset) for run in runs))
    assert len(runs) == len(found) * len(SEEDS) and {run.seed for run in runs} == {*SEEDS}
    return found


def test_networks_are_trained_as_it_says(study):
    for model in study["models"]:
        run = studies.run_settings(study, model, WATERSHED, "full", 0)
        training = run["training"]
        assert run["tiling"]["size"] == 128 and run["tiling"]["tile_overlap"] > 0
        assert (training["epochs"], training["batch_size"]) == (15, 4)
        assert (training["learning_rate"], training["l2"]) == (1e-5, 1e-5)
        assert (training["clipnorm"], training["weight_decay"]) == (1e-3, 0)


def test_pixelwise_is_thresholded_and_distances_are_flooded(study):
    methods = {
        heads: segmentation_methods.settings_for(study, heads)["method"]
        for heads in (PIXELWISE, WATERSHED)
    }
    assert methods == {PIXELWISE: "threshold-components", WATERSHED: "watershed"}
    assert study["scoring"]["min_size"] == 100


def test_its_tables_and_figures_have_their_conditions(study):
    """A condition for each row of tables 4 to 8 and each point of figures 3 to 5, RetinaMask's
    left out."""
    location = [f"{backbone}{more}" for backbone in BACKBONES for more in ("", "-no-location")]
    wanted = itertools.product(location, [WATERSHED], ["percent-10", "full"])
    assert sorted(conditions(study, "spatial-awareness")) == sorted(wanted)
    weights = [f"{backbone}{more}" for backbone in BACKBONES for more in ("", "-random")]
    wanted = itertools.product(weights, [PIXELWISE, WATERSHED], ["full"])
    assert sorted(conditions(study, "transfer-learning")) == sorted(wanted)
    shares = ["percent-1", "percent-10", "percent-25", "percent-50", "full"]
    wanted = itertools.product(BACKBONES, [PIXELWISE, WATERSHED], shares)
    assert sorted(conditions(study, "data-size")) == sorted(wanted)
    fractions = [study["subsets"][name]["fraction"] for name in shares]
    assert fractions == [0.01, 0.1, 0.25, 0.5, 1]
    found = [(study["models"][model]["backbone"], heads, subset)
             for model, heads, subset in conditions(study, "networks")]  # fmt: skip
    assert sorted(found) == [(name, WATERSHED, "full")
                             for name in ("featurenet", "mobilenetv2", "resnet50")]  # fmt: skip


def test_table_8_is_two_by_two(study):
    """Location and ImageNet, in all combinations, with nothing else that differs."""
    for backbone in BACKBONES:
        models = [
            study["models"][model]
            for model, heads, subset in conditions(study, "location-and-transfer")
            if study["models"][model]["backbone"] == backbone
        ]
        switches = [(model["location"], model["weights"] is not None) for model in models]
        assert sorted(switches) == list(itertools.product((False, True), repeat=2))
        rest = [{k: v for k, v in m.items() if k not in ("location", "weights")} for m in models]
        assert all(one == rest[0] for one in rest)


def test_runs_that_experiments_share_are_trained_once(study):
    """Those of tables 4 to 8 and figures 3 to 5, which repeat one another's."""
    asked = sum(len(studies.runs_of(study, name)) for name in study["experiments"])
    # Sizes, no location, no ImageNet, neither, FeatureNet.
    assert len(studies.all_runs(study)) == 3 * (2 * 2 * 5 + 4 + 4 + 2 + 1) < asked


def small(thesis: dict) -> dict:
    """The study with its models, heads and methods, made to train in seconds on a light backbone.

    One seed, two sizes, and of the networks one with and one without the location layer.
    """
    own = copy.deepcopy(TINY)
    study = {**copy.deepcopy(thesis), **{key: own[key] for key in ("dataset", "datasets")}}
    study["datasets"]["tiny"] |= {
        "images": {"train": 4, "val": 2, "test": 2},
        "cell_types": ["BV2"],
    }
    study["tilings"] = own["tilings"]
    study["training"] |= {**own["training"], "learning_rate": 0.003, "batch_norm_momentum": 0.8}
    study["accelerator"] = "cpu"
    for model in study["models"].values():
        model |= {"backbone": "featurenet", "weights": None, "backbone_levels": ["C2", "C3", "C4"]}
    experiments = study["experiments"]
    for name, models in (("data-size", "resnet50"), ("location-and-transfer", None)):
        (block,) = experiments[name]["conditions"]
        block["seed"] = 0
        block["model"] = models or ["resnet50", "resnet50-no-location"]
    experiments["data-size"]["conditions"][0]["subset"] = ["percent-50", "full"]
    study["experiments"] = {
        name: experiments[name] for name in ("data-size", "location-and-transfer")
    }
    return study


def test_the_plan_gives_each_run_its_method_and_maps(checkout, thesis, tmp_path):
    plan = planned_jobs.plan(checkout, tmp_path, small(thesis), ["tables", "figures"])
    segmented = {job.wildcards["heads"]: job for job in plan.find("segment *")}
    assert segmented[PIXELWISE].params["segmentation"]["method"] == "threshold-components"
    assert segmented[WATERSHED].params["segmentation"]["method"] == "watershed"
    stored = {job.wildcards["heads"]: job.params["channels"]["stored"]
              for job in plan.find("predict *")}  # fmt: skip
    assert stored == {PIXELWISE: ["pixelwise/1"],
                      WATERSHED: ["inner-distance/0", "outer-distance/0"]}  # fmt: skip
    assert len(plan.find("train *")) == 5  # one is of both experiments
    assert {job.params["min_size"] for job in plan.find("score *")} == {100}
    drawn = {job.wildcards["figure"] for job in plan.find("figure */data-size/*")}
    assert drawn == {*thesis["experiments"]["data-size"]["figures"]}


@pytest.fixture(scope="module")
def finished(checkout, thesis, tmp_path_factory):
    """A checkout in which the small study has run."""
    workflow = Workflow.copy(checkout, tmp_path_factory.mktemp("thesis"), small(thesis))
    targets = ["tables", "figures"]
    done = workflow.call("--set-threads", "train=1", "predict=1", "--", *targets)
    assert done.returncode == 0, done.stdout
    assert workflow.planned(*targets) == {}
    return workflow


@pytest.mark.slow  # the chain once more; its parts have tests of their own
def test_sizes_have_their_annotated_cells_and_scores_before_and_after(finished):
    tables = finished.folder / "results/tiny/tables/data-size"
    training = pd.read_csv(tables / "training.csv")
    cells = training.groupby("subset")["train_cells"].unique()
    (half,), (full,) = cells["percent-50"], cells["full"]
    assert 0 < half < full
    summary = pd.read_csv(tables / "summary.csv")
    summary = summary[summary["cell_type"] == "all"]
    assert len(summary) == 2 * 2 * 2  # heads, subsets, small objects
    assert {*summary["small_objects"]} == {"kept", "removed"}
    kept, removed = (summary[summary["small_objects"] == kind] for kind in ("kept", "removed"))
    assert (removed["n_true_mean"].to_numpy() < kept["n_true_mean"].to_numpy()).any()
    runs = pd.read_csv(tables / "runs.csv").groupby("heads")["method"].unique()
    assert runs[PIXELWISE].tolist() == ["threshold-components"]
    assert runs[WATERSHED].tolist() == ["watershed"]
    figures = finished.folder / "results/tiny/figures/data-size"
    assert (figures / "errors-by-annotated-cells-removed.pdf").stat().st_size > 1000


@pytest.mark.slow
def test_small_objects_of_another_size_need_no_new_prediction(finished, thesis):
    study = small(thesis)
    study["scoring"]["min_size"] = 15
    finished.configure(study)
    planned = finished.planned("tables")
    assert planned["score"] == 5
    assert not {"train", "predict", "segment"} & {*planned}
