"""Files asked for by name: what no rule makes is refused in the plan, with the nearest file."""

import re

import pytest
from PIL import Image

from workflow_runner import TINY, Workflow

HEADS = "inner-distance+pixelwise"
RUN = f"results/tiny/runs/featurenet/{HEADS}/full/seed-0"
STUDY = {
    **TINY,
    "datasets": {**TINY["datasets"], "other": {"kind": "simulated"}},
    "threshold_searches": {"thresholds": {"maxima_threshold": [0.1, 0.2]}},
    "hyperparameter_searches": {
        "rates": {
            "title": "Rates", "model": "featurenet", "heads": HEADS, "subset": "full",
            "trials": 2, "rungs": [1, 2], "space": {"training.learning_rate": [0.1, 0.2]},
        }
    },
}  # fmt: skip

MISSPELT = {
    # each part is known, but not together
    "results/tiny/runs/featurenet/external/full/seed-0/labels.npz": (
        "heads external belong to family labels",
        "",
    ),
    # of figures and tables
    "results/tiny/figures/backbones/backbone.pdf": (
        "figure: 'backbone' is not defined. Did you mean 'backbones'? Possible: f1-by-heads, f1-by",
        "results/tiny/figures/backbones/backbones.pdf",
    ),
    "results/tiny/figures/backbones/f1-by-head.png": (
        "Did you mean 'f1-by-heads'?",
        "results/tiny/figures/backbones/f1-by-heads.png",
    ),
    "results/tiny/figures/backbones/contact_sheet.pdf": (
        "Did you mean 'contact-sheet'?",
        "results/tiny/figures/backbones/contact-sheet.pdf",
    ),
    "results/tiny/figures/backbones/errors.jpg": (
        "there is no 'errors.jpg' here.",
        "results/tiny/figures/backbones/errors.png",
    ),
    "results/tiny/figures/backbone/errors.pdf": (
        "experiment: 'backbone' is not defined. Did you mean 'backbones'?",
        "results/tiny/figures/backbones/errors.pdf",
    ),
    "results/tiny/figures/errors.pdf": (
        "no rule makes this file.",
        "results/tiny/figures/backbones/errors.pdf",
    ),
    "results/tiny/tables/backbones/sumary.csv": (
        "Did you mean 'summary.csv'?",
        "results/tiny/tables/backbones/summary.csv",
    ),
    "results/tiny/tables/resource.csv": ("resources.csv", "results/tiny/tables/resources.csv"),
    # of runs
    f"{RUN}/metric.csv": ("Did you mean 'metrics.csv'?", f"{RUN}/metrics.csv"),
    f"{RUN}/overlay.jpeg": ("there is no 'overlay.jpeg' here.", f"{RUN}/overlay.jpg"),
    f"{RUN}/log/train.log": ("Did you mean 'logs'?", f"{RUN}/logs/train.log"),
    f"{RUN}/tuning-threshold/metrics.csv": (
        "threshold search: 'threshold' is not defined. Did you mean 'thresholds'?",
        f"{RUN}/tuning-thresholds/metrics.csv",
    ),
    f"{RUN}/tuning-thresholds/history.csv": ("", f"{RUN}/history.csv"),
    f"{RUN.replace('tiny', 'tiney')}/metrics.csv": (
        "data set: 'tiney' is not defined. Did you mean 'tiny'?",
        f"{RUN}/metrics.csv",
    ),
    f"{RUN.replace('featurenet', 'feature-net')}/metrics.csv": (
        "model: 'feature-net' is not defined. Did you mean 'featurenet'? Possible: featurenet, "
        "mobilenetv2. Near",
        f"{RUN}/metrics.csv",
    ),
    f"{RUN.replace('featurenet', 'rates-003-epochs-2')}/metrics.csv": (
        "model: 'rates-003-epochs-2' is not defined.",
        "/runs/rates-00",
    ),
    f"{RUN.replace('featurenet', 'rates-002-epochs-2')}/metric.csv": (
        "there is no 'metric.csv' here. Did you mean 'metrics.csv'?",
        f"{RUN.replace('featurenet', 'rates-002-epochs-2')}/metrics.csv",
    ),
    f"{RUN.replace(HEADS, 'pixelwise+inner-distance')}/metrics.csv": (
        f"write it as '{HEADS}'",
        f"{RUN}/metrics.csv",
    ),
    f"{RUN.replace(HEADS, 'fgbh')}/metrics.csv": (
        "'fgbh' is not one of",
        f"{RUN.replace(HEADS, 'fgbg')}/metrics.csv",
    ),
    f"{RUN.replace('full', 'fully')}/metrics.csv": ("Did you mean 'full'?", f"{RUN}/metrics.csv"),
    f"{RUN.replace('seed-0', '7')}/metrics.csv": (
        "there is no '7' here.",
        f"{RUN.replace('seed-0', 'seed-7')}/metrics.csv",
    ),
    # of data, searches, and what other commands make
    "results/data/tiny/labels/tests.npz": (
        "split: 'tests' is not defined. Did you mean 'test'?",
        "results/data/tiny/labels/test.npz",
    ),
    "results/data/tiny/tiles/cut-46/train.npz": (
        "tiling: 'cut-46' is not defined.",
        "results/data/tiny/tiles/cut-64/train.npz",
    ),
    "results/dta/tiny/report/data.png": ("Did you mean 'data'?", "results/data/tiny/report/data."),
    "results/tiny/searches/rate/search.png": (
        "search: 'rate' is not defined. Did you mean 'rates'?",
        "results/tiny/searches/rates/search.png",
    ),
    "results/tiny/searches/rates/trials.csv": ("`python scripts/search.py NAME` does", ""),
    "results/tiny/report.html": ("`make report` does", ""),
    "results/README.md": ("no rule makes this file.", ""),
    "results/typo": ("data set: 'typo' is not defined", "results/tiny/answers.rst"),
    # of another data set than that of the experiment
    "results/other/tables/backbones/summary.csv": (
        "experiment 'backbones' is on data set 'tiny'.",
        "Did you mean results/tiny/tables/backbones/summary.csv?",
    ),
    "results/other/searches/rates/search.png": (
        "search 'rates' is on data set 'tiny'.",
        "Did you mean results/tiny/searches/rates/search.png?",
    ),
    # folders
    "results/tiny/figures/": ("a folder cannot be asked for", "results/tiny/figures/backbones/"),
    RUN: ("a folder cannot be asked for", f"such as {RUN}/"),
    "./results//tiny/tables/backbones/sumary.csv": (
        "Did you mean 'summary.csv'?",
        "Nearest file: results/tiny/tables/backbones/summary.csv",
    ),
}


@pytest.fixture(scope="module")
def fresh(checkout, tmp_path_factory):
    """A checkout without results, but for a file that no rule makes."""
    workflow = Workflow.copy(checkout, tmp_path_factory.mktemp("fresh"), STUDY)
    (workflow.folder / "results").mkdir()
    (workflow.folder / "results/README.md").touch()
    return workflow


@pytest.fixture(scope="module")
def said(fresh):
    """What a plan of all misspelt files says of each."""
    done = fresh.call("--dry-run", *MISSPELT)
    assert done.returncode == 1
    assert "Space:" not in done.stdout and "Building DAG" not in done.stdout
    return dict(re.findall(r"^(\S*results\S*): (.*)$", done.stdout, re.M))


@pytest.mark.parametrize("target", MISSPELT)
def test_a_misspelt_file_is_refused_with_the_nearest_one(said, target):
    reason, nearest = MISSPELT[target]
    assert reason in said[target]
    assert nearest in said[target]


def test_an_absolute_path_is_refused_with_the_relative_one(fresh):
    target = f"{fresh.folder}/{RUN}/metrics.csv"
    done = fresh.call("--dry-run", target)
    assert done.returncode == 1
    assert f"{target}: name it relative to the working directory, {RUN}/metrics.csv." in done.stdout


@pytest.mark.parametrize("option", ["--until", "--forcerun", "--omit-from", "--prioritize"])
def test_other_options_that_name_files(fresh, option):
    assert fresh.planned("tables", option, f"{RUN}/history.csv")
    assert fresh.planned("tables", option, "train")
    refused = fresh.call("--dry-run", "tables", option, f"{RUN}/histry.csv")
    assert refused.returncode == 1 and f"Nearest file: {RUN}/history.csv" in refused.stdout


def test_files_that_a_rule_makes_are_planned(fresh):
    """However their path is written; logs and benchmarks among them."""
    tuned = f"{RUN}/tuning-thresholds"
    planned = fresh.planned(
        f"./{RUN}/metrics.csv",
        f"{RUN.replace('tiny', '/tiny')}/overlay.png",
        f"{tuned}/chosen.json/",
        f"{RUN.replace('seed-0', 'seed-12')}/export.zip",
        f"{RUN.replace('featurenet', 'rates-002-epochs-2')}/history.csv",
        f"{RUN}/benchmarks/train.tsv",
        "results/logs/figure/tiny-backbones-counts.log",
        "results/tiny/figures/backbones/f1-by-iou.pdf",
        "results/tiny/figures/backbones/contact-sheet.png",
        "results/data/tiny/extended-3/train/report/pca.png",
        "results/data/other/report/data.png",
    )
    assert planned["train"] == 4 and planned["export"] == planned["tune"] == 1
    assert planned["figure"] == 2 and planned["simulate"] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        (
            *("--configfile", "study.yaml", "results/tiny/searches/rates/best.yaml"),
            "--replace-workflow-config",
        ),
        ("--cleanup-metadata", "results/of-an-earlier/study.csv"),
        ("--list-rules",),
        ("--unlock",),
    ],
)
def test_files_that_are_no_targets_are_left_alone(fresh, arguments):
    best = fresh.folder / "results/tiny/searches/rates/best.yaml"
    best.parent.mkdir(parents=True, exist_ok=True)
    best.write_text("{}")
    (fresh.folder / "results/of-an-earlier").mkdir(exist_ok=True)
    (fresh.folder / "results/of-an-earlier/study.csv").touch()
    dry = ["--dry-run"] if arguments[0] == "--configfile" else []
    done = fresh.call(*arguments, *dry, study=False)
    assert "Nearest file" not in done.stdout and "common.smk" not in done.stdout


@pytest.fixture
def own(checkout, tmp_path):
    """A study of own images that do not exist."""
    labels = {split: f"own/labels/{split}" for split in ("train", "val", "test")}
    datasets = {"tiny": {"kind": "local", "images": "own/images", "labels": labels}}
    return Workflow.copy(checkout, tmp_path / "checkout", {**STUDY, "datasets": datasets})


def _picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (80, 60), 1).save(path)


def test_local_data_that_do_not_exist_are_refused_in_the_plan(own):
    for targets in ((), ("figures",), ("prefetch",), (f"{RUN}/history.csv",)):
        done = own.call("--dry-run", *targets)
        assert done.returncode == 1
        for key in ("images", "labels.train", "labels.val", "labels.test"):
            path = f"own/{key.replace('.', '/')}"
            line = f"datasets.tiny.{key}: the folder {path} does not exist. It is looked for in"
            assert f"{line} {own.folder}." in done.stdout
    _picture(own.folder / "own/images/a.png")
    _picture(own.folder / "own/labels/train/a.png")
    done = own.call("--dry-run")
    assert "tiny.images" not in done.stdout and "labels.train" not in done.stdout
    assert "datasets.tiny.labels.val: the folder own/labels/val does not exist." in done.stdout
    (own.folder / "own/labels/val").touch()
    assert "labels.val: own/labels/val is not a folder." in own.call("--dry-run").stdout


def test_images_that_were_read_before_are_not_needed_again(own):
    for split in ("train", "val", "test"):
        _picture(own.folder / f"own/images/{split}.png")
        _picture(own.folder / f"own/labels/{split}/{split}.png")
    report = "results/data/tiny/report/counts.csv"
    done = own.call(report)
    assert done.returncode == 0, done.stdout
    (own.folder / "own/images").rename(own.folder / "own/elsewhere")
    assert own.planned(report) == {}
    (own.folder / "own/labels/val").rename(own.folder / "own/val")
    assert "datasets.tiny.labels.val: the folder" in own.call("--dry-run", report).stdout


def test_placeholders_of_a_copied_study_are_refused(checkout, own):
    text = (checkout / "workflow/studies/own.yaml").read_text()
    (own.folder / "study.yaml").write_text(text)
    for arguments in (("--dry-run",), (), ("--dry-run", "apply")):
        done = own.call(*arguments)
        assert done.returncode == 1
        assert (
            "- datasets.mine.images: replace <FOLDER OF IMAGES> (Folder of images, searched with "
            "its subfolders; instead of `path`.)\n"
        ) in done.stdout
        for split in ("train", "val", "test"):
            assert f"- datasets.mine.labels.{split}: replace <FOLDER> (Folder of" in done.stdout
