"""The study that cases of settings change, and the files that its jobs read."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tifffile

import layouts_made
import planned_jobs
import sartorius_made
import squares
from cellseg.inference import map_store
from cellseg.io import run_format
from cellseg.search import files
from cellseg.segmentation import by_cell_type
from cellseg.study import searches
from cellseg.targets import head_names
from planned_jobs import Plan
from setting_cases import World

ALL_HEADS = "inner-distance+outer-distance+fgbg+pixelwise"
COMMON = "inner-distance+pixelwise"
STARS = "star-distances+object-probability"
FLOWS = "flows+fgbg"
EVERY = "+".join(head_names.HEADS)
"""For either method."""
SPLITS = ("train", "val", "test")

BASE = {
    "dataset": "squares",
    "datasets": {
        "squares": {
            "kind": "local",
            "images": "squares/images",
            "annotations": {split: f"squares/{split}.json" for split in SPLITS},
        },
        "painted": {
            "kind": "local",
            "images": "squares/images",
            "labels": {split: f"squares/labels/{split}" for split in SPLITS},
        },
        "official": {"kind": "local", "path": "squares/official"},
        "simulated": {
            "kind": "simulated",
            "cell_types": ["BV2", "SkBr3"],
            "images": {"train": 1, "val": 1, "test": 1},
            "height": 64,
            "width": 64,
        },
        "downloaded": {"kind": "download", "url": "http://127.0.0.1:9/set/", "retries": 0},
        "kaggle": {"kind": "sartorius", "path": "kaggle/whole"},
        "public": {"kind": "public", "layout": "cellpose", "path": "public/whole"},
    },
    "tilings": {
        "cut-64": {"size": 64, "tile_overlap": 8},
        "squeezed": {"mode": "resize", "size": 64},
    },
    "training": {
        "tiling": "cut-64",
        "epochs": 8,
        "batch_size": 16,  # an epoch is one step
        "rotation": 30,
        "flips": False,
    },
    "pretrained": {
        "one": {"url": "http://127.0.0.1:9/set/one.h5"},
        "two": {"url": "http://127.0.0.1:9/set/two.h5"},
    },
    "models": {
        "unet": {"family": "unet", "width": 2},
        "net": {
            "family": "panopticnet",
            "backbone": "featurenet",
        },
        "reference": {
            "family": "deepcell",
            "backbone": "featurenet",
        },
        # Trained by no run: their heads need other methods.
        "stars": {"family": "stardist"},
        "flowing": {"family": "cellpose"},
        "searched": {"family": "unet", "architecture": "unet-expanded"},
    },
    "subsets": {
        "full": {},
        "half": {"fraction": 0.5, "selection": "seeded"},
        "extended": {"synthetic_per_image": 1},
        "folded": {"folds": {"count": 3, "fold": 1}},
    },
    "segmentation": {"interior_smooth": 0},
    "threshold_searches": {
        "thresholds": {"maxima_threshold": [0.05, 0.1]},
        "distances": {"distance_threshold": [0.2]},
    },
    "apply": {"run": "trained/first", "images": "squares/images/A172_Phase_C0_1_00d00h00m_1.tif"},
    "hyperparameter_searches": {
        "swept": {
            "title": "Which width?",
            "model": "searched",
            "heads": "fgbg",
            "subset": "full",
            "trials": 4,
            "rungs": [1, 2],
            "space": {
                "width": [2, 3],
                "training.clipnorm": {"log": [0.001, 0.1]},
                "training.batch_norm_momentum": {"uniform": [0.1, 0.9]},
                "slope": {"sets": {"none": {"negative_slope": 0}, "some": {"negative_slope": 0.5}}},
            },
        }
    },
    "experiments": {
        "first": {
            "title": "What is seen?",
            "conditions": [
                {"model": "unet", "heads": ALL_HEADS, "subset": "full", "seed": 0},
                {"model": "unet", "heads": "fgbg", "subset": ["half", "extended"], "seed": 0},
                {"model": ["net", "reference"], "heads": COMMON, "subset": "full", "seed": 0},
            ],
            "figures": ["f1-by-heads"],
        },
        "tuned": {
            "title": "And tuned?",
            "threshold_search": "thresholds",
            "conditions": [{"model": "unet", "heads": COMMON, "subset": "full", "seed": 0}],
            "figures": ["contact-sheet"],
        },
        "folds": {
            "title": "And held out?",
            "conditions": [{"model": "unet", "heads": "fgbg", "subset": "folded", "seed": 0}],
            "figures": [],
        },
    },
}

TARGETS = (
    *("all", "prefetch", "apply"),
    *(f"results/data/{name}/annotations/problems.csv" for name in BASE["datasets"]),
    *(f"results/data/{name}/labels/test.npz" for name in BASE["datasets"]),
    *(f"results/data/squares/tiles/squeezed/{split}.npz" for split in SPLITS),
    "results/data/squares/tiles/cut-64/test.npz",
    "results/squares/searches/swept/search.png",
    f"results/squares/runs/unet/{COMMON}/full/seed-0/tuning-distances/chosen.json",
    "results/squares/runs/unet/fgbg/half/seed-0/export.zip",
    *(f"results/data/pretrained/{name}.h5" for name in BASE["pretrained"]),
)
"""What is planned: a job of every rule."""


def only(heads: str, **more) -> dict[str, object]:
    """Changes of the base after which all networks have the same heads."""
    condition = {"model": "unet", "heads": heads, "seed": 0}
    return {
        "experiments.first.conditions": [
            {**condition, "subset": "full"},
            {**condition, "subset": ["half", "extended"]},
        ],
        "experiments.tuned.conditions": [{**condition, "subset": "full"}],
        "experiments.folds.conditions": [{**condition, "subset": "folded"}],
        "hyperparameter_searches.swept.heads": heads,
        **more,
    }


def _targets(study: Mapping) -> list[str]:
    """As :data:`TARGETS`, of the heads that the study has if all its networks have the same; no
    export of several networks."""
    several = study["models"]["unet"]["ensemble"]
    targets = [one for one in TARGETS if not (several and one.endswith("export.zip"))]
    heads = study["experiments"]["first"]["conditions"][0]["heads"]
    if heads != study["hyperparameter_searches"]["swept"]["heads"]:
        return targets
    return [
        one.replace(f"/{COMMON}/", f"/{heads}/").replace("/fgbg/", f"/{heads}/") for one in targets
    ]


def plan(checkout: Path, root: Path, config: Mapping, study: Mapping) -> Plan:
    """Plan a variant of the base study, with the first trial of each rung of its search.

    Parameters
    ----------
    study : the same variant, resolved
    """
    trials = [
        f"{files.run_path(run)}/history.csv"
        for epochs in study["hyperparameter_searches"]["swept"]["rungs"]
        for run in searches.runs_of(study, "swept", 1, epochs)
    ]
    return planned_jobs.plan(checkout, root, config, [*_targets(study), *trials])


def write(root: Path) -> None:
    """Write the images, trained runs and tables that jobs take as given."""
    squares.write(root / "squares")
    sartorius_made.write(root / "kaggle/whole")
    sartorius_made.write(root / "kaggle/fewer", images=5)
    layouts_made.every(root / "public/whole", 8)
    layouts_made.every(root / "public/fewer", 7)
    table = root / "results/squares/searches/swept/trials.csv"
    weights = [root / f"results/data/pretrained/{name}.h5" for name in BASE["pretrained"]]
    for path in (table, *weights):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write_predictions(root: Path) -> None:
    """Write the cells that another program found in the test images of the squares.

    Two cells in the first image and one cell there, with scores for the two.
    """
    labels = np.load(root / "results/data/squares/labels/test.npz")
    folder = root / "predicted"
    rows = []
    for number, image in enumerate(sorted(labels.files)):
        for name, cells in (("two-cells", 2), ("one-cell", 1)):
            made = np.zeros_like(labels[image], np.uint8)
            made[2:8, 2 : 2 + 6 * cells] = np.repeat(np.arange(1, cells + 1), 6)
            (folder / name).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(folder / name / f"{image}.tif", made * (number == 0))
        rows += [f"{image},1,0.5", f"{image},2,0.25"]
    (folder / "scores.csv").write_text("\n".join(["image,label,score", *rows]))


def write_runs(root: Path, settings: dict) -> None:
    """Write two trained runs for ``apply``, with thresholds of their own and tuned ones.

    Parameters
    ----------
    settings : of the run
    """
    views = {"flips": False, "rotations": False, "scales": [1]}
    prediction = {"window": None, "window_overlap": 0.25, "batch_size": 8,
                  "test_time_augmentation": views}  # fmt: skip
    for name, smallest in (("first", 0), ("second", 20)):
        for tuning, more in ((None, 0), ("thresholds", 130)):
            folder = root / "trained" / name / (f"tuning-{tuning}" if tuning else "")
            folder.mkdir(parents=True, exist_ok=True)
            own = {"method": "watershed", "interior_smooth": 0}
            own["min_size"] = smallest + more
            about = {"tuning": tuning, "prediction": prediction, "segmentation": own}
            if tuning:
                about[by_cell_type.KEY] = {"BV2": {**own, "min_size": smallest}}
            (folder / "segmentation.json").write_text(json.dumps(run_format.stamped(about)))
        written = json.dumps(run_format.stamped(settings))
        (root / "trained" / name / "settings.json").write_text(written)
        (root / "trained" / name / "weights.h5").touch()


def write_maps(path: Path, images: dict[str, dict]) -> None:
    """Write predicted maps: by image, arrays (H, W) by channel such as ``pixelwise/1``."""
    names = list(next(iter(images.values())))
    stacks = [(image, np.stack([maps[n] for n in names], -1)) for image, maps in images.items()]
    map_store.write(path, names, stacks)


def make_data(world: World) -> None:
    """Make tables, labels and tiles of the squares where jobs look for them."""
    for pattern in ("use_local squares", "parse squares", "rasterize squares/*",
                    "tile squares/*"):  # fmt: skip
        for job in world.plan.find(pattern):
            world.make(job)
