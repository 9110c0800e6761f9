"""The overview of a study: tables that one can check by eye, and the front page."""

import copy
import json
from types import SimpleNamespace
from urllib.parse import quote

import pandas as pd
import pytest
import yaml
from docutils.core import publish_parts
from jinja2 import Environment, StrictUndefined

from cellseg.errors import UserError
from cellseg.report import (
    check,
    markup,
    origins,
    page,
    provenance_section,
    resources,
    scores,
    sections,
)
from cellseg.study import runs as study
from cellseg.study import validation
from workflow_runner import TINY

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
HEADS = "inner-distance+pixelwise"
RUN = "here/{dataset}/runs/{model}/{heads}/{subset}/seed-{seed}"
PATTERNS = {
    "tile": "here/logs/{dataset}-{tiling}-{split}.tsv",
    "train": f"{RUN}/train.tsv",
    "tune": f"{RUN}/tuning-{{tuning}}/tune.tsv",
    "score": f"{RUN}/{{variant}}score.tsv",
}


@pytest.fixture
def tiny(checkout):
    """The tiny study with two seeds, one experiment of which is tuned."""
    changed = copy.deepcopy(TINY)
    changed["experiments"]["backbones"]["conditions"][0]["seed"] = [0, 1]
    changed["threshold_searches"] = {"grid": {"maxima_threshold": [0.1, 0.2]}}
    block = {"model": "featurenet", "heads": HEADS, "subset": "full", "seed": 0}
    changed["experiments"]["tuned"] = {
        "title": "With *tuned* thresholds?", "threshold_search": "grid",
        "conditions": [block], "figures": [],
    }  # fmt: skip
    schema = (checkout / "workflow/schemas/config.schema.yaml").read_text()
    return validation.resolve(changed, yaml.safe_load(schema))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _benchmark(path, seconds, rss="100", load="50"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{seconds}\t0:00:01\t{rss}\t1\t1\t1\t0\t0\t{load}\t1\n")


def _run(folder, model, seed):
    return folder / f"here/tiny/runs/{model}/{HEADS}/full/seed-{seed}"


def test_rules_are_measured_of_the_runs_that_have_them():
    detector, fused = (study.Run("tiny", name, "instances", "full", 0) for name in ("net", "both"))
    outside = study.Run("tiny", "theirs", "external", "full", 0)
    measured = {
        rule: [resources._measured(rule, run, ["both"]) for run in (detector, fused, outside)]
        for rule in ("train", "predict_instances", "fuse", "tune", "score")
    }
    assert measured == {
        "train": [True, False, False], "predict_instances": [True, False, False],
        "fuse": [False, True, False], "tune": [True, True, False], "score": [True, True, True],
    }  # fmt: skip


def test_times_and_memory_by_rule_and_model(folder, tiny):
    _benchmark(_run(folder, "featurenet", 0) / "train.tsv", 10, 1000, 100)
    _benchmark(_run(folder, "featurenet", 1) / "train.tsv", 30, 500, 200)
    _benchmark(_run(folder, "mobilenetv2", 1) / "train.tsv", 5, "NA", "-")
    _benchmark(_run(folder, "featurenet", 0) / "score.tsv", 1)
    _benchmark(_run(folder, "featurenet", 0) / "tuning-grid/score.tsv", 3)
    _benchmark(_run(folder, "featurenet", 7) / "score.tsv", 1000)  # no run of the study
    _benchmark(_run(folder, "featurenet", 0) / "tuning-old/score.tsv", 1000)
    _benchmark(folder / "here/logs/tiny-cut-64-train.tsv", 2)
    _benchmark(folder / "here/logs/tiny-cut-32-train.tsv", 1000)  # no tiling of the study
    table = resources.table(PATTERNS, tiny, "tiny").set_index(["rule", "model"])
    assert list(table.index) == [
        ("tile", "-"), ("train", "featurenet"), ("train", "mobilenetv2"), ("tune", "featurenet"),
        ("score", "featurenet"), ("score", "mobilenetv2"),
    ]  # fmt: skip
    assert table.loc[("train", "featurenet")].tolist() == [2, 0, 20, 40, 1000, 175]
    other = table.loc[("train", "mobilenetv2")]
    assert other[:4].tolist() == [1, 1, 5, 5] and other[4:].isna().all()
    assert table.loc[("tune", "featurenet")][:2].tolist() == [0, 1]
    # Untuned seeds 0 and 1 and tuned seed 0, of which seed 1 was not measured.
    assert table.loc[("score", "featurenet")][:4].tolist() == [2, 1, 2, 4]
    assert table.loc[("tile", "-")][:4].tolist() == [1, 0, 2, 2]


def test_broken_benchmarks_and_unknown_wildcards(folder, tiny):
    broken = _run(folder, "featurenet", 0) / "train.tsv"
    broken.parent.mkdir(parents=True)
    broken.write_text("s\tmax")
    _benchmark(_run(folder, "featurenet", 0) / "trial-5/train.tsv", 4)
    patterns = {"train": PATTERNS["train"], "search": f"{RUN}/trial-{{trial}}/train.tsv"}
    table = resources.table(patterns, tiny, "tiny").set_index(["rule", "model"])
    assert table.loc[("train", "featurenet"), ["jobs", "missing"]].tolist() == [0, 2]
    assert table.loc[("search", "featurenet"), ["jobs", "missing"]].tolist() == [1, 0]


def _provenance(folder, tiny, **changed):
    """Table of all runs of the study; `changed` are facts of seed 1 of featurenet."""
    runs = study.all_runs(tiny)
    paths = []
    for run in runs:
        versions = {"python": "3.12.1", "tensorflow": "2.21.0"}
        versions |= {"keras": "3.1"} if run.model == "featurenet" else {"deepcell": "0.12"}
        facts = {
            "finished": f"2026-01-0{run.seed + 1}T10:00:00+00:00", "device": "cpu",
            "commit": "abc", "uncommitted_changes": False, "versions": versions,
            "train_images": ["a", "b"], "val_images": ["c"],
            "steps": 1_200, "tiles_seen": 2_300, "seconds_of_epochs": 180.0,
        }  # fmt: skip
        if run.model == "featurenet" and run.seed == 1:
            facts |= changed
        path = folder / f"{run.model}-{run.seed}.json"
        path.write_text(json.dumps(facts))
        paths.append(path)
    return origins.table(runs, paths)


def test_provenance_has_a_row_a_run(folder, tiny):
    table = _provenance(folder, tiny)
    assert table[["model", "seed"]].to_numpy().tolist() == [
        ["featurenet", 0], ["featurenet", 1], ["mobilenetv2", 0], ["mobilenetv2", 1]
    ]  # fmt: skip
    assert table["keras"].tolist() == ["3.1", "3.1", "-", "-"]
    assert table["numpy"].tolist() == ["-"] * 4
    assert table["train_images"].tolist() == [2] * 4
    assert table["synthetic_images"].tolist() == [0] * 4
    assert "All runs were made alike." in provenance_section.write(table, "9", folder)


def test_steps_tiles_and_hours_are_told_by_model_and_device(folder, tiny):
    table = _provenance(folder, tiny, device="A100", steps=100_000, seconds_of_epochs=36_000.0)
    said = sections.trainings(table)
    assert "4 trainings took 10.15 hours, 10.00 of them GPU-hours." in said
    rows = [line.strip().strip('"').split('", "') for line in said.split("\n") if '", "' in line]
    assert rows[1:] == [
        ["featurenet", "cpu", "1", "1,200", "2,300", "150", "0.05"],
        ["featurenet", "A100", "1", "100,000", "2,300", "360", "10.00"],
        ["mobilenetv2", "cpu", "2", "2,400", "4,600", "150", "0.10"],
    ]
    assert sections.trainings(_provenance(folder, tiny).assign(steps=None)) == ""


def test_provenance_tells_where_runs_differ(folder, tiny):
    table = _provenance(folder, tiny, commit="def", uncommitted_changes=True, device=None)
    (most, other) = origins.by_value(table, "commit")
    assert (most.value, other.value) == ("abc", "def")
    assert other.runs == f"1 of 4 runs: featurenet/{HEADS}/full/seed-1"
    assert origins.by_value(table, "deepcell")[1].runs == "2 of 4 runs: model mobilenetv2"
    assert origins.by_value(table, "python")[0].runs == "all 4 runs"
    assert [one.value for one in origins.by_value(table, "device")] == ["cpu", "not recorded"]
    text = provenance_section.write(table, "9.27", folder)
    assert "**The runs differ in: commit of the workflow, uncommitted changes, device.**" in text
    assert "**1 run came from a checkout with uncommitted changes**" in text
    assert "2026-01-01 10:00 to 2026-01-02 10:00" in text


def test_what_runs_started_from_is_listed_with_its_terms(folder, tiny):
    assert "started-from" not in provenance_section.write(_provenance(folder, tiny), "9", folder)
    run = {"dataset": "theirs", "model": "net", "heads": HEADS, "subset": "full", "seed": 2}
    chain = [{**run, "kind": "download"}, {"file": "given/first.h5", "kind": None}]
    table = _provenance(folder, tiny, started_from=chain)
    name = f"the run theirs/net/{HEADS}/full/seed-2 < the file first.h5"
    assert table["started_from"].tolist() == ["", name, "", ""]
    said = provenance_section.write(table, "9", folder)
    assert "All runs were made alike." in said  # they are meant to differ in this
    [line] = [line for line in said.split("\n") if "theirs/net" in line]
    assert "1 run" in line and "CC BY-NC 4.0" in line and "not known" in line


def test_provenance_that_cannot_be_read_names_the_file(tmp_path):
    (tmp_path / "provenance.json").write_text("{")
    with pytest.raises(UserError, match=r"provenance\.json is missing, damaged"):
        origins.table([study.Run("d", "m", "h", "s", 0)], [tmp_path / "provenance.json"])


def test_synthetic_images_are_told_beside_the_real_ones(folder, tiny):
    table = _provenance(folder, tiny, synthetic_images=1500)
    assert table["synthetic_images"].tolist() == [0, 1500, 0, 0]
    assert "All runs were made alike." in provenance_section.write(table, "9", folder)
    shown = [_summary(folder / name / "summary.csv") for name in ("backbones", "tuned")]
    said = [line.split('", "')[-2] for line in sections.experiments(tiny, shown, table).split("\n")
            if "   \"" in line]  # fmt: skip
    assert said == ["training images", "2 + 0 to 1,500 synthetic", "2"]


def test_images_with_pseudo_labels_are_told_next_to_the_real_ones(folder, tiny):
    table = _provenance(folder, tiny, pseudo_labels={"images": 30})
    assert table["pseudo_images"].tolist() == [0, 30, 0, 0]
    assert sections._trained_on(table.assign(train_images=4)) == "4 + 0 to 30 with pseudo-labels"


def _summary(path, data_split="test"):
    """Two conditions, one with too few seeds for an interval, and rows that are not shown."""
    row = {"dataset": "tiny", "model": "featurenet", "heads": HEADS, "subset": "full"}
    row |= {"tuning": "-", "data_split": data_split, "cell_type": "all", "small_objects": "kept"}
    row |= {"n_seeds": 3, "n_images": 4}
    row |= {"f1_50_mean": 0.5, "f1_50_low": 0.4, "f1_50_high": 0.6, "msa_mean": 0.25}
    rows = [
        row,
        {**row, "model": "mobilenetv2", "n_seeds": 2},
        {**row, "cell_type": "BV2"},
        {**row, "small_objects": "removed"},
    ]
    path.parent.mkdir(parents=True)
    pd.DataFrame(rows).to_csv(path, index=False)
    return scores.read(path)


def test_scores_of_an_experiment(tmp_path):
    found = _summary(tmp_path / "backbones" / "summary.csv")
    assert found.experiment == "backbones" and found.axes == ["model"]
    assert found.rows == [
        ["featurenet", "3", "-", "-", "0.500 ± 0.100", "0.250", "-"],
        ["mobilenetv2", "2", "-", "-", "0.500", "0.250", "-"],
    ]
    assert found.measured_on == "4 images of the test split"
    assert found.shared == "Heads: inner-distance + pixelwise; training subset: full. "


def test_scores_of_folds_name_their_table(tmp_path, tiny):
    found = _summary(tmp_path / "backbones" / "out_of_fold_summary.csv", "held-out")
    assert found.measured_on == "4 images, each one where a fold holds it out"
    said = sections.scores_of(tiny, found, tmp_path)
    assert "/tables/backbones/out_of_fold_summary.csv`` (rule *pool_folds*)" in said
    assert "``runs.csv`` has AP50, by fold." in said


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.97, "1 min 0 s"), (250, "4 min 10 s"),
     (3599.6, "1 h 0 min"), (43_500, "12 h 5 min"), (float("nan"), "-")],
)  # fmt: skip
def test_durations(seconds, words):
    assert sections.duration(seconds) == words


@pytest.mark.parametrize("words", ["-", "*a* `b` c_ |d|", "1. x", "a\\b", "..", "+ x", "f1_50"])
def test_nothing_in_words_is_markup(words):
    table = markup.table(["name"], [[markup.text(words)]], "plain")
    found = publish_parts(table, writer="html", settings_overrides={"halt_level": 2})
    assert f"<td>{words}</td>" in found["body"]


def test_words_stay_in_their_line():
    """A title with a directive in it would read a file of this machine into the report."""
    words = "x\n\n.. raw:: html\n\n   <b>\n\n.. include:: /etc/hostname\n"
    assert markup.text(words).count("\n") == markup.code(words).count("\n") == 0
    assert markup.code("a``b\n") == "``a` `b``"


def test_a_title_is_no_markup(checkout, tiny):
    study = copy.deepcopy(tiny)
    title = "x\n\n.. raw:: html\n\n   <img src=x>\n\n.. include:: /etc/hostname\n"
    study["experiments"]["backbones"]["title"] = title
    html = _front_page(checkout, study, {Category("Experiment backbones"): {}})["html_body"]
    assert "<img" not in html and ".. include:: /etc/hostname" in html


def _front_page(checkout, study, categories):
    """As Snakemake renders it."""
    text = (checkout / "workflow/report/workflow.rst").read_text()
    links = "".join(
        f"\n.. _{one.name}: javascript:app.showCategory('{quote(one)}')\n" for one in categories
    )
    environment = Environment(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    job = SimpleNamespace(config=study)
    filled = environment.from_string(f"{text}\n\n{links}").render(
        snakemake=job, categories=categories, files=[]
    )
    return publish_parts(filled, writer="html", settings_overrides={"halt_level": 2})


class Category(str):
    """Stands for Snakemake's, which has a name and an order."""

    @property
    def name(self):
        return str(self)


def test_the_front_page_holds_the_overview(checkout, folder, tiny):
    (folder / "counts.csv").write_text(
        "split,cell_type,images,cells,cells_per_image_mean,area_median\n"
        "train,all,4,1234,308.5,99\ntrain,BV2,4,1234,308.5,99\n"
    )
    _benchmark(_run(folder, "featurenet", 0) / "train.tsv", 250, "NA", 0)
    shown = [_summary(folder / name / "summary.csv") for name in ("backbones", "tuned")]
    text = page.write(
        study=tiny,
        dataset="tiny",
        counts=pd.read_csv("counts.csv"),
        summaries=shown,
        resources=resources.table(PATTERNS, tiny, "tiny"),
        provenance=_provenance(folder, tiny, commit="def"),
        snakemake_version="9.27",
        folder=folder / "here/tiny",
    )
    (folder / "overview.rst").write_text(text)
    (folder / "answers.rst").write_text("The answer of all.\n")
    job = SimpleNamespace(output=SimpleNamespace(page="overview.rst", answers="answers.rst"))
    record = SimpleNamespace(path=folder / "resources.csv", job=job)
    categories = {
        Category("All experiments"): {Category("Other"): [record]},
        Category("Experiment backbones"): {},
    }
    html = _front_page(checkout, tiny, categories)["html_body"]
    for words in (
        "<td>1,234</td>", "4 networks trained (a run that two experiments share is trained once)",
        "<td>With *tuned* thresholds?</td>", "<td>0.500 ± 0.100</td>", "<td>4 min 10 s</td>",
        "9 jobs of the study's runs left no measurement", "The runs differ in: commit",
        "app.showCategory('Experiment%20backbones')",
        "simulated images", "<strong>MSA</strong>", "Kaggle's mAP and as Cellpose's AP",
        "Means over images: pixel IoU, pixel F1, F1 at IoU 0.5 and MSA.",
        "Of the cells of all images together: AP50.",
    ):  # fmt: skip
        assert words in html, words
    # The answer comes before everything else.
    assert html.index("The answer of all.") < html.index("In this report")
    assert html.index("In this report") < html.index("What was run on tiny")
    assert "<td>-</td>\n<td>-</td>\n</tr>" in html  # memory and load, and no lists
    assert "system-message" not in html and "part of the study" not in html


def test_the_front_page_of_a_part_says_so(checkout, tiny):
    html = _front_page(checkout, tiny, {Category("Experiment tuned"): {}})["html_body"]
    assert "of a part of the study" in html and "With *tuned* thresholds?" in html


SUMMARY = "output_file\tdate\trule\tlog-file(s)\tstatus\tplan\n"


def test_a_report_of_missing_results_is_refused():
    lines = [f"runs/{n}/metrics.csv\t-\tscore\t-\tmissing\tupdate pending" for n in range(7)]
    with pytest.raises(UserError) as raised:
        check.check(SUMMARY + "\n".join(lines))
    message = str(raised.value)
    assert "7 of its 7 files are missing" in message and "and 2 more" in message
    assert "runs/4/metrics.csv" in message and "runs/5/metrics.csv" not in message


def test_a_report_of_what_is_there_is_not():
    lines = [
        "a.csv\tdate\tcollect\t-\tok\tno update",
        "predictions.zip\t-\tpredict\t-\tremoved temp file\tno update",
        "tiles.npz\t-\ttile\t-\tmissing\tno update",
    ]
    assert check.check(SUMMARY + "\n".join(lines)) == []
    old = "b.png\tdate\tfigure\t-\tparams changed\tupdate pending"
    (note,) = check.check(SUMMARY + "\n".join([*lines, old]))
    assert "make 1 file again" in note and "b.png" in note
