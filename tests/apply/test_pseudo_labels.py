"""Cells found in unlabelled images: which are learnt, what is left out, what is written."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cellseg.apply import pseudo_labels
from cellseg.apply.pseudo_labels import Floor
from cellseg.data import annotation_tables, true_cells
from cellseg.data.annotation_tables import IMAGE_SCHEMA
from cellseg.data.local_images import content
from cellseg.errors import UserError
from cellseg.export import model_card, terms
from cellseg.io.atomic import open_stack
from cellseg.segmentation import of_image
from cellseg.training import pseudo_labels as learnt

LABELS = np.zeros((20, 30), np.int32)
LABELS[2:6, 2:12] = 1  # 40 pixels
LABELS[8:10, 2:12] = 2  # 20
LABELS[12:18, 5:15] = 3  # 60
RUN = {"dataset": "mine", "model": "unet", "heads": "fgbg", "subset": "full", "seed": 0}


def test_cells_below_the_floor_are_not_learnt():
    chosen = pseudo_labels.choose(LABELS, np.array([0.9, 0.5, 0.8]), 0.8)
    assert chosen.n_cells == 2 and chosen.unsure_share == pytest.approx(20 / 120)
    np.testing.assert_array_equal(chosen.labels, np.where(LABELS == 3, 2, LABELS == 1))
    np.testing.assert_array_equal(chosen.others, LABELS == 2)
    none = pseudo_labels.choose(np.zeros((4, 4), np.int32), np.zeros(0), 0.8)
    assert (none.n_cells, none.unsure_share, none.labels.shape) == (0, 0, (4, 4))


def test_the_cells_of_a_label_image_are_its_pixels():
    random = np.random.default_rng(0)
    for labels in (LABELS, random.integers(0, 5, (13, 17)).astype(np.int32)):
        cells = true_cells.of_labels(labels)
        masks = [labels == number for number in range(1, labels.max() + 1)]
        expected = true_cells.draw([_encoded(mask) for mask in masks], *labels.shape)
        for name in ("area", "pixels", "first_run", "start", "length"):
            np.testing.assert_array_equal(getattr(cells, name), getattr(expected, name), name)
    assert len(true_cells.of_labels(np.zeros((3, 4), np.int32)).pixels) == 0


def _encoded(mask):
    from pycocotools import mask as coco

    return coco.encode(np.asfortranarray(mask.astype(np.uint8)))


FOUND = {
    "good": [0.9, 0.95, 0.85],
    "unsure": [0.9, 0.5, 0.5],
    "empty": [],
    "known": [0.9] * 3,
    "sub/better": [0.9, 0.7, 0.9],  # 1 in 6 pixels
}
"""Confidence of each cell, by image; an image's grey value is its number."""


@pytest.fixture
def made(tmp_path, monkeypatch):
    """What writes pseudo-labels of five images, one of the data set, and two broken ones."""
    root = tmp_path / "unlabelled"
    (root / "sub").mkdir(parents=True)
    for number, name in enumerate(FOUND):
        cv2.imwrite(str(root / f"{name}.png"), np.full((20, 30), 40 * number, np.uint8))
    (root / "broken.tif").write_bytes(b"none")
    (root / "dead.tif").symlink_to("nowhere.tif")
    row = dict.fromkeys(IMAGE_SCHEMA.names) | {"image": "k", "split": "test"}
    table = pd.DataFrame([row | {"sha256": content(root / "known.png")}])
    annotation_tables.write_images(tmp_path / "test.parquet", table)
    (tmp_path / "provenance.json").write_text(
        json.dumps({"train_images": ["a", "b"], "started_from": [{"file": "x", "kind": None}]})
    )

    def finder(*_, by):
        def find(grey):
            scores = np.array(list(FOUND.values())[grey[0, 0] // 40])
            return (LABELS if len(scores) else np.zeros_like(LABELS)), scores

        return find

    class Family:
        @staticmethod
        def set_threads(_):
            pass

    monkeypatch.setattr(of_image, "finder", finder)
    names = {"images": "images.parquet", "labels": "labels.npz", "cells": "cells.npz",
             "table": "images.csv", "about": "about.json", "picture": "p.jpg"}  # fmt: skip
    outputs = {key: str(tmp_path / "out" / name) for key, name in names.items()}

    def write(*floor, images=None):
        floor = Floor(*floor)
        about = pseudo_labels.about(
            RUN, "download", str(tmp_path / "provenance.json"), "unlabelled", floor
        )
        pseudo_labels.write(
            settings={"model": {}}, folder=tmp_path, segmentation={}, prediction={},
            load_family=lambda model: Family, about=about,
            images=sorted(root.rglob("*.*")) if images is None else images, root=root,
            known=[str(tmp_path / "test.parquet")], floor=floor, outputs=outputs, threads=1,
        )  # fmt: skip
        return outputs

    return write


@pytest.mark.parametrize(
    ("floor", "used"),
    [
        ((0.8, 0.1, 1), {"good.png": ""}),
        ((0.8, 0.2, 1), {"good.png": "", "sub/better.png": ""}),
        ((0.8, 0.1, 0), {"good.png": "", "empty.png": ""}),
        ((0.5, 0.1, 1), {"good.png": "", "sub/better.png": "", "unsure.png": ""}),
        ((0.8, 1, 2), {"good.png": "", "sub/better.png": ""}),
    ],
)
def test_images_with_too_many_unsure_cells_are_left_out(made, floor, used):
    outputs = made(*floor)
    table = pd.read_csv(outputs["table"], keep_default_na=False).set_index("image")
    assert set(table.index[table["used"]]) == set(used)
    assert table.loc["known.png", "why"] == "in the test split of the data set"
    assert table.loc[["broken.tif", "dead.tif"], "why"].tolist() == ["cannot be read"] * 2
    assert table.loc["good.png", ["cells", "sure_cells"]].tolist() == [3, 3]
    n_sure = sum(score >= floor[0] for score in FOUND["unsure"])
    assert table.loc["unsure.png", ["cells", "sure_cells"]].tolist() == [3, n_sure]
    images = pd.read_parquet(outputs["images"])
    keys = [learnt.key(name) for name in sorted(used)]
    assert sorted(images["image"]) == keys == sorted(learnt.among(["a", *keys]))
    labels, cells = (open_stack(outputs[name]) for name in ("labels", "cells"))
    for row in images.itertuples():
        assert labels[row.image].max(initial=0) == row.n_cells
        assert len(true_cells.read(cells, row.image).pixels) == row.n_cells
    about = json.loads(Path(outputs["about"]).read_text())
    assert (about["images"], about["cells"]) == (len(used), images["n_cells"].sum())
    assert cv2.imread(outputs["picture"]).shape[2] == 3


def test_nothing_to_learn_is_said(made):
    with pytest.raises(
        UserError, match=r"none of the 7 images .* is left.*Lower pseudo_labels.conf"
    ):
        made(1.0, 0.1, 1)
    with pytest.raises(UserError, match=r"pseudo_labels.images: .* holds no images"):
        made(0.8, 0.1, 1, images=[])


def test_the_card_names_the_run_its_data_and_their_terms(made):
    about = json.loads(Path(made(0.8, 0.1, 1)["about"]).read_text())
    [said] = model_card._pseudo({"pseudo_labels": about})
    assert said.startswith("And 1 of 7 unlabelled images of the folder `unlabelled`, with 3 cells")
    assert "run `mine/unet/fgbg/full/seed-0` found them with a confidence of at least 0.8" in said
    assert model_card._pseudo({}) == []
    lines = list(terms.licences("simulated", {"family": "unet"}, [], about))
    assert any("run `mine/unet/fgbg/full/seed-0` was trained on: " in one and "CC BY-NC" in one
               for one in lines)  # fmt: skip
    assert any("the file `x` was trained on: not known" in one for one in lines)
    assert any("unlabelled images of the folder `unlabelled`" in one for one in lines)
    twice = {**about, "run": {**about["run"], "pseudo_labels": {**about, "folder": "before"}}}
    assert any("`before`" in one for one in learnt.licences(twice))
    started = [{**RUN, "kind": "simulated", "pseudo_labels": about}]
    lines = list(terms.licences("simulated", {"family": "unet"}, started))
    assert any("unlabelled images of the folder" in one for one in lines)
