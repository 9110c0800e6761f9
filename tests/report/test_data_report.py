"""The data report: counts one can check by eye, and files that are the same each time."""

import numpy as np
import pandas as pd
import pytest

from cellseg.data import annotations, problems, sources
from cellseg.figures import data_overview
from cellseg.report import data_report

SPLITS = ("train", "val", "test")


@pytest.fixture
def images():
    return pd.DataFrame(
        {
            "split": ["train", "train", "train", "test"],
            "cell_type": ["BV2", "A172", "A172", "A172"],
            "n_cells": [0, 1, 2, 1],
            "incomplete": [False, True, False, False],
        }
    )


@pytest.fixture
def cells():
    """Areas on both sides of the cuts at 324 and 961 pixels."""
    return pd.DataFrame(
        {
            "split": ["train", "train", "train", "test"],
            "cell_type": ["A172"] * 4,
            "area": [323.9, 324.0, 961.0, 10.0],
        }
    )


def test_counts(images, cells):
    table = data_report.counts(images, cells).set_index(["split", "cell_type"])
    assert list(table.index) == [
        ("train", "all"),
        ("train", "A172"),
        ("train", "BV2"),
        ("test", "all"),
        ("test", "A172"),
    ]
    row = table.loc[("train", "all")]
    assert row[["images", "cells", "cells_per_image_max", "incomplete"]].tolist() == [3, 3, 2, 1]
    assert row["cells_per_image_mean"] == 1
    assert row[["small", "medium", "large"]].tolist() == [1, 1, 1]
    row = table.loc[("train", "BV2")]
    assert row[["images", "cells", "small", "medium", "large"]].tolist() == [1, 0, 0, 0, 0]
    assert np.isnan(row["area_median"])


def test_cell_sizes_hold_every_cell(cells):
    cells.loc[3, "area"] = 1e9  # beyond the last bin
    table = data_report.cell_sizes(cells)
    assert table["cells"].sum() == 4
    assert table["split"].tolist() == ["train"] * 2 + ["test"]
    inside = table[table["split"] == "train"].iloc[0]
    assert inside["area_from"] <= 323.9 and inside["area_to"] >= 324 and inside["cells"] == 2


def test_problems_are_summed_by_kind():
    rows = [
        ("train", "outline without area", "a", 1, 2, "dropped"),
        ("train", "outline without area", "b", 2, 3, "dropped"),
        ("train", "cell of an unlisted image", None, 9, 4, "dropped"),
    ]
    table = data_report.summarize_problems(pd.DataFrame(rows, columns=problems.COLUMNS)).set_index(
        "problem"
    )
    row = table.loc["outline without area"]
    assert row[["images", "cells", "examples"]].tolist() == [2, 5, "a b"]
    assert table.loc["cell of an unlisted image", "examples"] == ""


def test_picture_of_the_printed_width(images, cells):
    figure = data_overview.draw(images, cells, "mine")
    assert figure.get_figwidth() == pytest.approx(180 / 25.4)
    left, _, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["A172", "BV2"]
    shares = [text.get_text() for text in right.texts]
    assert shares == ["small", "medium", "large", "50%", "25%", "25%"]
    assert "train 3 images with 3 cells" in " ".join(text.get_text() for text in figure.texts)


def test_data_set_without_cells(images, cells):
    figure = data_overview.draw(images.assign(n_cells=0), cells[:0], "empty")
    figure.draw_without_rendering()
    assert len(figure.axes) == 3
    assert data_report.counts(images.assign(n_cells=0), cells[:0])["cells"].sum() == 0


def test_report_of_the_real_images(livecell_mini, tmp_path):
    annotations.parse(sources.official_layout("mini", livecell_mini), tmp_path)
    tables = [
        [tmp_path / f"{split}.{kind}.parquet" for split in SPLITS] for kind in ("images", "cells")
    ]
    names = ("counts.csv", "problems.csv", "sizes.csv", "data.png", "data.pdf", "data.rst")
    written = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        keys = ("counts", "problems", "sizes", "png", "pdf", "caption")
        outputs = {key: folder / name for key, name in zip(keys, names, strict=True)}
        data_report.write(*tables, tmp_path / "problems.csv", outputs, "mini")
        written.append([(folder / name).read_bytes() for name in names])
    assert written[0] == written[1]
    table = pd.read_csv(tmp_path / "one" / "counts.csv")
    everything = table[table["cell_type"] == "all"]
    assert everything["images"].tolist() == [8, 1, 4]
    assert everything["cells"].tolist() == [1535, 180, 1032]
