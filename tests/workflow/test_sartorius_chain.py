"""The Sartorius layout from the archive to the scores of all folds and a submission."""

import numpy as np
import pandas as pd
import pytest

import sartorius_made
from cellseg.segmentation import submission
from workflow_runner import Workflow

STUDY = {
    "dataset": "kaggle",
    "datasets": {"kaggle": {"kind": "sartorius", "path": "kaggle.zip"}},
    "tilings": {"cut-64": {"size": 64, "tile_overlap": 8}},
    "training": {"tiling": "cut-64", "epochs": 1, "batch_size": 8},
    "models": {"unet": {"family": "unet", "width": 4}},
    "subsets": {"three": {"folds": {"count": 3}}},
    "experiments": {
        "folds": {
            "title": "How well are held-out images scored?",
            "conditions": [
                {"model": "unet", "heads": "inner-distance+pixelwise", "subset": "three", "seed": 0}
            ],
            "figures": [],
        }
    },
}
RUN = "results/kaggle/runs/unet/inner-distance+pixelwise/three-fold-2/seed-0"
TABLE = "results/kaggle/tables/folds/out_of_fold.csv"
CAPTION = "results/kaggle/figures/folds/counts.rst"


@pytest.mark.slow
def test_every_image_is_scored_once_and_a_submission_gives_the_labels_back(checkout, tmp_path):
    workflow = Workflow.copy(checkout, tmp_path / "checkout", STUDY)
    rows = sartorius_made.write(tmp_path / "kaggle")
    sartorius_made.pack(tmp_path / "kaggle", workflow.folder / "kaggle.zip")
    done = workflow.call(TABLE, CAPTION, f"{RUN}/submission.csv")
    assert done.returncode == 0, done.stdout
    images = pd.read_csv(workflow.folder / TABLE).query("small_objects == 'kept'")
    assert images.set_index("cell_type")["n_images"].to_dict() == {
        "all": 18, "SHSY5Y": 6, "astro": 6, "cort": 6
    }  # fmt: skip
    assert set(images["subset"]) == {"three"} and set(images["data_split"]) == {"held-out"}
    assert images.set_index("cell_type")["n_true"]["all"] == pytest.approx(len(rows), abs=3)
    assert "3 folds together: 18 images" in (workflow.folder / CAPTION).read_text()
    labels = np.load(workflow.folder / RUN / "labels.npz")
    size = sartorius_made.HEIGHT, sartorius_made.WIDTH
    found = submission.read(workflow.folder / RUN / "submission.csv", *size)
    assert len(labels.files) == 6 and set(found) == set(labels.files)
    assert all(np.array_equal(found[name], labels[name]) for name in labels.files)
    assert workflow.planned(TABLE, f"{RUN}/submission.csv") == {}
