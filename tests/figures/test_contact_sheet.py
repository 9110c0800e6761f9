"""Contact sheet: which images it shows, of which runs, and what is written on it."""

import numpy as np
import pandas as pd
import pytest
from test_figures import badly_placed, run_script

import drawn
from cellseg.errors import UserError
from cellseg.figures import contact_sheet, contact_sheet_cases, style
from cellseg.io import atomic
from cellseg.study import runs as study

MODELS = ("resnet50", "densenet201")
# Mean of both models: a 0.5, b 0.2, c 0.45, d 0.1.
SCORES = {"a": (0.9, 0.1), "b": (0.1, 0.3), "c": (0.4, 0.5), "d": (0.1, 0.1)}


@pytest.fixture
def experiment(tmp_path):
    """Files of two runs with four images of 60 x 90 pixels, and of their data set."""
    from PIL import Image

    true = np.zeros((60, 90), np.int32)
    true[5:15, 40:50], true[5:15, 55:65], true[40:50, 5:15] = 1, 2, 3
    paths = [str(tmp_path / f"{name}.png") for name in SCORES]
    for path in paths:
        Image.fromarray((100 + true * 20).astype(np.uint8)).save(path)
    atomic.write_stack(tmp_path / "truth.npz", [(name, true) for name in SCORES])
    pd.DataFrame({"image": list(SCORES), "path": paths}).to_parquet(tmp_path / "images.parquet")
    runs = []
    for number, model in enumerate(MODELS):
        folder = tmp_path / model
        folder.mkdir()
        predicted = np.minimum(true, 2 - number)
        atomic.write_stack(folder / "labels.npz", [(name, predicted) for name in SCORES])
        rows = [
            {
                **{"dataset": "livecell", "data_split": "test", "image": name, "cell_type": "A172"},
                **{"small_objects": small, "n_true": 3, "n_pred": 2 - number},
                "msa": scores[number] if small == "kept" else 1 - scores[number],
            }
            for name, scores in SCORES.items()
            for small in ("kept", "removed")
        ]
        pd.DataFrame(rows).to_csv(folder / "metrics.csv", index=False)
        runs.append({"model": model, "heads": "pixelwise", "subset": "full", "seed": 3})
    return {
        "runs": runs,
        "predicted": [tmp_path / model / "labels.npz" for model in MODELS],
        "metrics": [tmp_path / model / "metrics.csv" for model in MODELS],
        "truth": tmp_path / "truth.npz",
        "images": tmp_path / "images.parquet",
    }


def test_images_are_the_same_for_all_and_ranked_by_their_mean(experiment):
    columns, rows, subtitle = contact_sheet_cases.load(**experiment, question="Which?")
    headings = [column.heading.split("\n")[:2] for column in columns]
    assert headings == [["Best", "a"], ["Median", "b"], ["Worst", "d"]]
    assert columns[0].heading.endswith("A172 · 3 true cells")
    assert [row.name for row in rows] == list(MODELS)
    assert rows[0].captions[0] == "MSA 0.90 · 2 predicted cells"
    assert rows[1].captions == ["MSA 0.10 · 1 predicted cell", "MSA 0.30 · 1 predicted cell",
                                "MSA 0.10 · 1 predicted cell"]  # fmt: skip
    assert [int(row.predictions[0].max()) for row in rows] == [2, 1]
    assert subtitle.startswith(
        "Which?\nTest split of livecell: 4 images, 12 cells; seed 3. Heads: pixelwise"
    )


def test_only_images_that_all_runs_have_are_shown(experiment):
    table = pd.read_csv(experiment["metrics"][1])
    table[table["image"] != "a"].to_csv(experiment["metrics"][1], index=False)
    columns, *_ = contact_sheet_cases.load(**experiment)
    assert [column.heading.split("\n")[1] for column in columns] == ["c", "b", "d"]
    table[table["image"] == "z"].to_csv(experiment["metrics"][1], index=False)
    with pytest.raises(UserError, match=r"densenet201/metrics\.csv has no rows"):
        contact_sheet_cases.load(**experiment)
    table.assign(image="z").to_csv(experiment["metrics"][1], index=False)
    with pytest.raises(UserError, match="no image was scored in all runs"):
        contact_sheet_cases.load(**experiment)


def test_different_first_seeds_are_told(experiment):
    experiment["runs"][1]["seed"] = 5
    _, rows, subtitle = contact_sheet_cases.load(**experiment)
    assert [row.name for row in rows] == ["resnet50 · seed 3", "densenet201 · seed 5"]
    assert "first seed of each row" in subtitle and "tuned" not in subtitle


def test_the_tuning_of_the_thresholds_is_told(experiment):
    *_, subtitle = contact_sheet_cases.load(**experiment, tuning="grid")
    assert subtitle.endswith(
        "seed 3; thresholds tuned on validation images (search grid). "
        "Heads: pixelwise; training subset: full."
    )
    *_, subtitle = contact_sheet_cases.load(**experiment, tuning="grid", tuned_by="cell-type")
    assert "; thresholds tuned, for each cell type, on validation images (search grid)." in subtitle


@pytest.mark.parametrize(("name", "file"), [("predicted", "labels.npz"), ("truth", "truth.npz")])
def test_a_file_without_the_image_is_named(experiment, name, file):
    path = experiment[name][1] if name == "predicted" else experiment[name]
    atomic.write_stack(path, [("another", np.zeros((60, 90), np.int32))])
    with pytest.raises(UserError, match=rf"{file} has no 'a'"):
        contact_sheet_cases.load(**experiment)


@pytest.mark.parametrize("n_rows", [1, 2, 12])
def test_sheet_fits_the_page_and_shows_the_densest_third(experiment, n_rows, monkeypatch):
    monkeypatch.setattr(contact_sheet, "NARROWEST", 1)
    columns, rows, subtitle = contact_sheet_cases.load(**experiment, question="Which?")
    rows = [contact_sheet.Row(f"row {n}", rows[0].predictions, rows[0].captions)
            for n in range(n_rows)]  # fmt: skip
    figure = contact_sheet.contact_sheet(columns, rows, subtitle, contact_sheet_cases.NOTE)
    width, height = figure.get_size_inches() * 25.4
    assert width == pytest.approx(180) and (n_rows > 2 or height < 250)
    assert len(figure.axes) == 3 * n_rows
    for axes in figure.axes:
        left, right = axes.get_xlim()
        lower, upper = axes.get_ylim()
        assert right - left == 30
        # The centres of both cells at the top, in true proportions.
        assert left <= 44 and right >= 59 and upper < 9 < lower
        box = axes.get_position()
        drawn = (box.height * height) / (box.width * width)
        assert (lower - upper) / (right - left) == pytest.approx(drawn, rel=0.05)
    with style.look():
        assert badly_placed(figure) == []


@pytest.mark.parametrize(("pixel_size", "said"), [(None, "20 px"), (1.24, "20 µm"), (3, "50 µm")])
def test_small_images_are_shown_whole_and_each_row_has_its_scale(experiment, pixel_size, said):
    columns, rows, _ = contact_sheet_cases.load(**experiment)
    figure = contact_sheet.contact_sheet(columns, rows, pixel_size=pixel_size)
    assert len(figure.axes) == 3 * len(rows)
    for axes in figure.axes:
        left, right = axes.get_xlim()
        assert right - left == 90  # all of it: a third would be 30 pixels
        assert drawn.texts(axes) == [said]
        (length,) = {round(float(np.ptp(line.get_xdata())), 3) for line in axes.lines}
        assert length == round(float(said.split()[0]) / (pixel_size or 1), 3)


def test_rule_script_draws_a_contact_sheet(checkout, experiment, tmp_path):
    inputs = {name: experiment[name] for name in ("truth", "images")}
    lists = {name: [str(path) for path in experiment[name]] for name in ("predicted", "metrics")}
    params = {"runs": experiment["runs"], "question": "Which?", "tuning": "grid", "tuned_by": None}
    run_script(checkout, "contact_sheet", tmp_path, inputs, lists=lists, params=params)


def test_the_first_seed_of_each_condition_is_shown():
    experiment = {
        "dataset": "d",
        "conditions": [
            {"model": ["b", "a"], "heads": "fgbg", "subset": "full", "seed": [2, 1]},
            {"model": "a", "heads": "fgbg", "subset": "half", "seed": 0},
        ],
    }
    found = study.first_runs({"dataset": "d", "experiments": {"one": experiment}}, "one")
    assert [(run.model, run.subset, run.seed) for run in found] == [
        ("b", "full", 2), ("a", "full", 2), ("a", "half", 0)
    ]  # fmt: skip
