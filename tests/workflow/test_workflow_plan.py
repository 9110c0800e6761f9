"""What the workflow plans, without running it."""

import copy
import re

import pytest
import yaml
from PIL import Image

from cellseg.study import runs as studies
from cellseg.study import validation
from workflow_runner import TINY, Workflow


@pytest.fixture(scope="module")
def fresh(checkout, tmp_path_factory):
    """A checkout without results."""
    return Workflow.copy(checkout, tmp_path_factory.mktemp("fresh"), TINY)


def test_plan_of_the_default_study(fresh):
    """The report's three studies and learning curves; runs named twice are trained once."""
    plan = fresh.planned(study=False)
    as_the_report = 5  # segmented with its own settings alone
    # Shared: full with resnet50, and percent-5.
    runs = 8 * 3 + 8 * 2 + 4 * 3 + as_the_report + 6 * 3 - 3 - 3
    for rule in ("train", "predict", "learning_curve"):
        assert plan[rule] == runs
    tuned = 8 * 3  # of runs that are there
    assert plan["predict_validation"] == plan["tune"] == tuned + as_the_report
    for rule in ("segment", "score", "predict_shown", "overlay"):
        assert plan[rule] == runs + tuned
    assert plan["collect"] == plan["format_tables"] == 6
    assert plan["figure"] == 23 and plan["contact_sheet"] == 3
    assert plan["overview"] == 1
    assert plan["download"] == 1 and plan["fetch_weights"] == 3


def test_plan_of_the_detectors(fresh, checkout):
    """Six detectors and two networks of maps, here with one seed.

    Thresholds are found for each, and once more by cell type.
    """
    study = yaml.safe_load((checkout / "workflow/studies/detectors.yaml").read_text())
    for condition in study["experiments"]["detectors"]["conditions"]:
        condition["seed"] = 0
    fresh.configure(study)
    try:
        plan = fresh.planned()
    finally:
        fresh.configure(TINY)
    of_instances, of_maps = 6, 2
    assert plan["predict_instances"] == of_instances and plan["predict"] == of_maps
    assert plan["paint"] == 2 * of_instances and plan["segment"] == 2 * of_maps
    assert plan["train"] == of_instances + of_maps
    for rule in ("predict_validation", "tune", "score", "overlay"):
        assert plan[rule] == 2 * plan["train"]
    assert plan["tile"] == 2 and "fetch_weights" not in plan


@pytest.mark.parametrize("name", ["detectors", "poster", "representations", "thesis"])
def test_studies_of_the_repository_are_valid(checkout, name):
    """Those that compare at equal images seen train all their models on as many."""
    config, schema = (
        yaml.safe_load((checkout / path).read_text())
        for path in (f"workflow/studies/{name}.yaml", "workflow/schemas/config.schema.yaml")
    )
    study = validation.resolve(config, schema)
    assert studies.all_runs(study)
    if name in ("detectors", "representations"):
        used = {run.model for run in studies.all_runs(study)}
        trainings = [studies.training_of(study, model) for model in study["models"]]
        seen = {(one["tiling"], one["steps"], one["batch_size"]) for one in trainings}
        assert used == set(study["models"]) and len(seen) == 1


def test_one_condition_by_name(fresh):
    target = "results/livecell/runs/resnet50/inner-distance+pixelwise/percent-5/seed-0/metrics.csv"
    plan = fresh.planned(target, study=False)
    assert plan == {
        "download": 1, "parse": 1, "rasterize": 3, "tile": 2, "fetch_weights": 1,
        "train": 1, "predict": 1, "segment": 1, "score": 1,
    }  # fmt: skip


def test_one_trial_of_a_search_by_name(fresh):
    history = "results/livecell/runs/{}/inner-distance+pixelwise/percent-5/seed-0/history.csv"
    plan = fresh.planned(history.format("settings-027-epochs-9"), study=False)
    assert plan["train"] == 1 and "predict" not in plan
    refused = fresh.call("--dry-run", history.format("settings-028-epochs-9"), study=False)
    assert refused.returncode != 0
    assert "model: 'settings-028-epochs-9' is not defined" in refused.stdout


def test_prefetch_is_all_that_needs_the_internet(fresh):
    assert fresh.planned("prefetch", study=False) == {
        "download": 1, "fetch_weights": 3, "prefetch": 1
    }  # fmt: skip


def test_plan_of_the_demo(fresh, checkout):
    """Two heads, two seeds and three families; tuned ones are the same runs."""
    fresh.configure(yaml.safe_load((checkout / "workflow/studies/demo.yaml").read_text()))
    light, distances = "inner-distance+pixelwise", "outer-distance+fgbg"
    try:
        plan = fresh.planned()
        first = fresh.planned(f"results/simulated/runs/recommended/{light}/full/seed-1/weights.h5")
        other = fresh.call("--dry-run", f"results/simulated/runs/recommended/{distances}/full/"
                           "seed-0/tuning-thresholds/metrics.csv")  # fmt: skip
    finally:
        fresh.configure(TINY)
    trained, tuned = 5, 2
    for rule in ("train", "predict", "learning_curve"):
        assert plan[rule] == trained
    assert plan["predict_validation"] == plan["tune"] == tuned
    for rule in ("segment", "score", "predict_shown", "overlay"):
        assert plan[rule] == trained + tuned
    assert plan["collect"] == plan["format_tables"] == 3
    assert plan["figure"] == 10 and plan["contact_sheet"] == 1
    assert plan["simulate"] == plan["parse"] == plan["overview"] == 1
    assert plan["rasterize"] == 3 and plan["tile"] == 4  # of two splits: cut, and drawn from
    assert "download" not in plan and "fetch_weights" not in plan
    assert first == {"simulate": 1, "parse": 1, "rasterize": 2, "tile": 2, "train": 1}
    assert other.returncode == 0 and "tune" in other.stdout


def _with_gpu(text: str) -> str:
    """The study's recipe for a GPU: the lines that its comments name, changed as they say."""
    text, accelerators = re.subn("accelerator: cpu +# GPU: gpu", "accelerator: gpu", text)
    cpu, gpu = re.findall(r"^ +(?:# )?- {model: .*}$", text, re.M)
    assert "recommended" in cpu and "# " in gpu and accelerators == 1
    return text.replace(cpu + "\n", "").replace(gpu, gpu.replace("# ", ""))


@pytest.mark.parametrize("recipe", ["gpu", "cpu"])
def test_plan_of_own_images(fresh, checkout, recipe):
    """The study to copy for them, with its blanks filled in as its comments say."""
    text = (checkout / "workflow/studies/own.yaml").read_text()
    text = _with_gpu(text) if recipe == "gpu" else text
    text = text.replace("<FOLDER OF IMAGES>", "own/images")
    for split in ("train", "val", "test"):
        text = text.replace(f"{split}: <FOLDER>", f"{split}: own/labels/{split}")
        for kind in ("images", "labels"):
            folder = fresh.folder / "own" / kind / split
            folder.mkdir(parents=True, exist_ok=True)
            Image.new("L", (80, 60), 1).save(folder / f"{split}-1.png")
    fresh.configure(yaml.safe_load(text))
    try:
        plan = fresh.planned()
    finally:
        fresh.configure(TINY)
    seeds = {"gpu": 3, "cpu": 1}[recipe]
    assert plan["use_local"] == plan["parse"] == 1
    assert plan.get("fetch_weights", 0) == (recipe == "gpu")  # the CPU needs no internet
    assert plan["rasterize"] == 3 and plan["tile"] == 2
    assert plan["train"] == plan["tune"] == plan["overlay"] == seeds
    assert plan["figure"] == 6 and plan["contact_sheet"] == 1 and "download" not in plan


def test_own_yaml_says_how_many_steps_each_recipe_makes(checkout):
    text = (checkout / "workflow/studies/own.yaml").read_text()
    content = yaml.safe_load(text)
    head = text.partition("dataset: mine")[0]
    for model in content["models"].values():
        training = {**content["training"], **model.get("training", {})}
        assert f" {training['steps']:,} " in head


@pytest.mark.parametrize(("validation", "splits"), [("official", 1), ("by-well", 2)])
def test_plan_of_an_extended_subset(fresh, validation, splits):
    """Two seeds and two models share the synthetic images; a run without them asks for none."""
    own = copy.deepcopy(TINY)
    own["subsets"]["extended"] = {"synthetic_per_image": 3, "validation": validation}
    own["experiments"]["backbones"]["conditions"] += [
        {**own["experiments"]["backbones"]["conditions"][0], "subset": "extended", "seed": [0, 1]}
    ]
    fresh.configure(own)
    run = "results/tiny/runs/featurenet/inner-distance+pixelwise/{}/seed-0/weights.h5"
    try:
        plan = fresh.planned()
        without = fresh.planned(run.format("full"))
    finally:
        fresh.configure(TINY)
    for rule in ("extend", "parse_extension", "rasterize_extension", "extension_report"):
        assert plan[rule] == splits
    assert plan["tile_extension"] == splits and plan["train"] == 6
    assert without == {"simulate": 1, "parse": 1, "rasterize": 2, "tile": 2, "train": 1}


@pytest.mark.parametrize(
    ("axis", "value", "hint"),
    [("model", "featurnet", "featurenet"), ("subset", "fulll", "full"), ("heads", "fgbh", "fgbg")],
)
def test_a_misspelt_name_is_refused(fresh, axis, value, hint):
    wrong = copy.deepcopy(TINY)
    wrong["experiments"]["backbones"]["conditions"][0][axis] = value
    fresh.configure(wrong)
    try:
        done = fresh.call("--dry-run")
    finally:
        fresh.configure(TINY)
    assert done.returncode != 0
    assert value in done.stdout and hint in done.stdout
    assert "Traceback" not in done.stdout


def test_a_target_that_no_setting_defines_is_refused(fresh):
    done = fresh.call(
        "--dry-run",
        "results/tiny/runs/vgg16/inner-distance+pixelwise/full/seed-0/metrics.csv",
    )
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert "model: 'vgg16' is not defined. Possible: featurenet, mobilenetv2." in done.stdout


def test_apply_says_what_it_needs(fresh, tmp_path):
    done = fresh.call("--dry-run", "apply")
    assert done.returncode != 0 and "apply.images: say which images" in done.stdout
    chosen = f"apply={{run: {tmp_path}, images: {tmp_path}}}"
    done = fresh.call("--dry-run", "apply", "--config", chosen)
    assert done.returncode != 0 and "is not a finished run" in done.stdout


def test_the_slurm_link_is_there(checkout):
    assert (checkout / "slurm" / "config.yaml").samefile(
        checkout / "workflow/profiles/slurm/config.yaml"
    )
