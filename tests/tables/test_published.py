"""The table of published figures, and what of it may stand next to measured scores."""

import csv
import re

import pytest

from cellseg.errors import UserError
from cellseg.scoring import names, pooled_pixels
from cellseg.tables import published

LINE = {
    "source": "Somebody 2020", "system": "U-Net", "trained_on": "", "dataset": "LIVECell",
    "cell_type": "all", "metric": "msa", "value": "0.4", "sd": "", "unit": "fraction",
    "split": "test", "small_objects": "", "n_images": "", "comparable": "yes", "note": "Table 1",
}  # fmt: skip


@pytest.fixture(scope="module")
def figures(checkout):
    """The published figures of the repository."""
    return published.read(checkout / "workflow/published.csv")


@pytest.fixture
def write(tmp_path):
    """Writes a table of the given lines."""

    def write(*lines: dict, columns: tuple = published.COLUMNS):
        path = tmp_path / "published.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows([line[column] for column in published.COLUMNS] for line in lines)
        return path

    return write


def test_comparable_metrics_are_columns_of_our_tables(figures):
    ours = {*names.COLUMNS, *pooled_pixels.SCORES, *names.COCO_SCORES}
    metrics = {figure.metric for figure in figures if figure.comparable}
    assert metrics <= ours
    assert {"ap", "ar2000", "afnr", "msa"} <= metrics


def test_figures_are_those_of_the_sources(figures):
    """A few, by eye: CenterMask2's mask AP, the report's table 1, the thesis's table 4."""
    by_system = {(f.system, f.metric, f.cell_type, f.split): f for f in figures}
    centermask = by_system["CenterMask2 VoVNet-99", "ap", "all", "test"]
    assert centermask.value == 47.78 and centermask.fraction == pytest.approx(0.4778)
    report = [f for f in figures if f.source.startswith("Yi, Da and Bai")]
    assert [f.value for f in report if f.metric == "pixel_iou_pooled"] == [0.4979, 0.5518, 0.5087]
    for iou, f1 in zip(
        (f.value for f in report if f.metric == "pixel_iou_pooled"),
        (f.value for f in report if f.metric == "pixel_f1_pooled"),
        strict=True,
    ):
        assert 2 * iou / (1 + iou) == pytest.approx(f1, abs=1e-4)
    thesis = [f for f in figures if f.note.startswith("Table 4,")]
    assert [(f.value, f.sd) for f in thesis[:2]] == [(0.8795, 0.0044), (0.8743, 0.0043)]
    assert not any(f.comparable for f in figures if f.dataset != "LIVECell")


def test_every_value_stands_in_its_source(checkout):
    shared = checkout.parent / "shared"
    files = {
        "LIVECell official": "facts/livecell.md",
        "collected in livecell.md": "facts/livecell.md",
        "Yi, Da and Bai": "seeds/mesmer-livecell-report.txt",
        "Kim, Song": "seeds/unet-centermask-poster.txt",
        "Wang": "seeds/kaggle-sartorius-top1.txt",
        "Cui": "seeds/caltech-thesis.txt",
    }
    if not (shared / "seeds").is_dir():
        pytest.skip("the documents (shared/seeds) are not next to the checkout")
    texts = {name: (shared / path).read_text() for name, path in files.items()}
    with (checkout / "workflow/published.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) > 200
    anchor_based = []
    for line in lines:
        if line["note"].startswith("model/README.md of the official repository"):
            anchor_based.append((line["cell_type"], line["value"]))  # of no file in shared
            continue
        text = next(text for name, text in texts.items() if line["source"].startswith(name))
        for printed in filter(None, (line["value"], line["sd"])):
            assert re.search(rf"(?<![\d.]){re.escape(printed)}(?!\d)", text), line
    assert anchor_based == [
        ("A172", "38.02"), ("BT474", "43.00"), ("BV2", "52.60"), ("Huh7", "51.83"),
        ("MCF7", "37.94"), ("SHSY5Y", "24.92"), ("SkBr3", "65.39"), ("SKOV3", "54.12"),
    ]  # fmt: skip


def test_only_the_same_thing_is_comparable(figures):
    same = {"kind": "download", "data_split": "test", "subsample": 1, "small_objects": "kept"}
    found = published.comparable(figures, **same)
    assert {f.metric for f in found} == {"ap", "ar2000", "afnr", "msa"}
    assert all(f.cell_type == "all" and f.split == "test" for f in found)
    one_type = published.comparable(figures, **same, cell_type="A172")
    assert [f.fraction for f in one_type] == pytest.approx([0.3457, 0.3802])
    for other in (
        {"kind": "simulated"}, {"kind": "local"}, {"data_split": "val"}, {"subsample": 10},
        {"small_objects": "removed"},
    ):  # fmt: skip
        assert published.comparable(figures, **{**same, **other}) == []
    assert published.obstacle(kind="download", subsample=1, small_objects="kept") == ""
    drawn = {"kind": "download", "subsample": 1, "sampled": True, "small_objects": "kept"}
    assert "each seed drew some" in published.obstacle(**drawn)
    assert published.comparable(figures, data_split="test", **drawn) == []
    assert "every 10" in published.obstacle(kind="download", subsample=10, small_objects="kept")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": "high"}, "not a number"),
        ({"value": "40"}, "40 fraction"),
        ({"unit": "points"}, "possible: fraction, percent"),
        ({"metric": "AP"}, "metric 'AP'"),
        ({"dataset": "Sartorius 2021"}, "dataset 'Sartorius 2021'"),
        ({"split": ""}, "split ''"),
        ({"n_images": "many"}, "not a whole number"),
        ({"comparable": "maybe"}, "comparable is 'maybe'"),
        ({"note": ""}, "note is empty"),
        ({}, "the same figure"),
    ],
)
def test_a_wrong_line_is_named(write, change, words):
    path = write(LINE, {**LINE, **change})
    with pytest.raises(UserError) as raised:
        published.read(path)
    assert "published.csv, line 3: " in str(raised.value) and words in str(raised.value)


def test_a_wrong_file_is_named(write, tmp_path):
    assert [figure.metric for figure in published.read(write(LINE))] == ["msa"]
    with pytest.raises(UserError, match=r"nothing\.csv does not exist"):
        published.read(tmp_path / "nothing.csv")
    with pytest.raises(UserError, match=r"line 1: the columns must be source, system"):
        published.read(write(LINE, columns=published.COLUMNS[::-1]))
    path = write(LINE)
    path.write_text(path.read_text() + "one,two\n")
    with pytest.raises(UserError, match="line 3: 2 fields instead of"):
        published.read(path)
