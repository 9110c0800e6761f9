"""Cases of the settings of instance detectors: models, painting and its thresholds."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from cellseg.inference import instance_store
from cellseg.io import atomic
from cellseg.models.detectors import sizes
from cellseg.models.detectors.presets import PRESETS
from cellseg.targets.instances import Detections
from setting_cases import ABSENT, Case, World
from settings_base import ALL_HEADS, COMMON
from settings_of_models import NETWORK_CASES
from settings_of_training import CASES as TRAINING

NAMES = {family: f"found-{family}" for family in PRESETS}
"""Models of the study below, by family."""
RUN = f"squares/{NAMES['centermask']}/instances/full/0"
GIVEN = {
    "tilings.crops": {"mode": "crop", "size": 64, "tile_overlap": 8},
    "tilings.larger-crops": {"mode": "crop", "size": 128, "tile_overlap": 8},
    **{f"models.{name}": {"family": family, "training": {"tiling": "crops"}}
       for family, name in NAMES.items()},
    "experiments.detectors": {
        "title": "Which detector?",
        "conditions": [
            {"model": list(NAMES.values()), "heads": "instances", "subset": "full", "seed": 0}
        ],
        "figures": [],
    },
}  # fmt: skip
"""Detectors next to the base study."""

UNUSED = [
    *("training.xla", "training.warp", "training.softmax_loss_scale"),
    *(case.key for case in TRAINING if case.key.startswith("heads.")),
]
REFUSED = {f"models.*<{family}>.{key}" for family in NAMES for key in UNUSED}
"""Keys that a detector has no use for, or takes one value of: see test_detector_checks.py."""


def option(family: str, *keys: str) -> Callable[[World], object]:
    """The value in the settings of a run."""

    def see(world: World) -> object:
        value = world.plan.one(f"train squares/{NAMES[family]}/instances/full/0").params["settings"]
        for key in keys:
            value = value.get(key, ABSENT)
        return value

    return see


def weights_of(family: str) -> Callable[[World], int]:
    """Number of weights of the network."""
    return lambda world: sizes.parameters(option(family, "model")(world), 1)


def overriding(case: Case, family: str) -> Case:
    name, key = NAMES[family], case.key.removeprefix("training.")
    plan = [f"train squares/{name}/*: params.settings.training.{key}"]
    given, other = case.seen[0][0], case.seen[1][0]
    values = [(ABSENT, given), (other, other)]
    if key == "tiling":
        values = [("crops", "crops"), ("larger-crops", "larger-crops")]
        plan += [
            f"train squares/{name}/*: params.settings.tiling.*",
            f"train squares/{name}/*: input.*_tiles",
            "tile */larger-crops/*: added",
        ]
    if key == "global_clipnorm":
        plan.append(f"train squares/{name}/*: params.settings.training.clipnorm")
    of_study = case.given if key == "steps" else {}
    return Case(f"models.*<{family}>.training.{key}", f"models.{name}.training.{key}", values,
                option(family, "training", *key.split(".")), plan, {**GIVEN, **of_study},
                alone=case.alone)  # fmt: skip


def model(family: str, key: str, *seen: tuple, sees=None, plan=()) -> Case:
    name = NAMES[family]
    return Case(f"models.*<{family}>.{key}", f"models.{name}.{key}", seen,
                sees or option(family, "model", key),
                [f"train squares/{name}/*: params.settings.model.{key}", *plan],
                GIVEN)  # fmt: skip


def of_family(family: str) -> list[Case]:
    presets = {name: sizes.parameters({"family": family, "preset": name}, 1)
               for name in PRESETS[family]}  # fmt: skip
    report = "data_report squares: params.ensembles"
    weights = f"train squares/{NAMES[family]}/*: input.weights"
    return [
        model(family, "preset", *presets.items(), sees=weights_of(family)),
        model(family, "norm", (None, None), ("frozen", "frozen"), ("group", "group")),
        model(family, "detections", (None, None), (50, 50)),
        model(family, "optimizer", ("adam", "adam"), ("sgd", "sgd")),
        model(family, "momentum", (0.9, 0.9), (0.5, 0.5)),
        model(family, "weights", (None, None), ("one", "one"), plan=[weights]),
        model(family, "ensemble", (None, None), ("cell-type", "cell-type"), plan=[report]),
    ]


def switch(family: str, key: str, given: bool) -> Case:
    """One that is a part of the network."""
    default = sizes.parameters({"family": family}, 1)
    changed = sizes.parameters({"family": family, key: not given}, 1)
    return model(family, key, (None, default), (not given, changed), sees=weights_of(family))


# --- painting

FOUND = Detections(
    (40, 60),
    np.float32([[2, 2, 12, 12], [20, 2, 30, 12], [40, 2, 44, 6]]),
    np.float32([0.9, 0.4, 0.8]),
    np.stack([np.full((28, 28), level, np.uint8) for level in (255, 255, 150)]),
)
"""One cell that is sure, one that is not, and a small one of which no pixel is sure."""


def painted(world: World) -> int:
    """Number of cells."""
    path = world.folder / "instances.zip"
    instance_store.write(path, [("one", FOUND)])
    output = world.run(f"paint {RUN}/", maps=str(path))
    used = json.loads(Path(output.settings).read_text())["segmentation"]
    assert used["method"] == "painting"
    return int(np.load(output.labels)["one"].max())


def painting(key: str, *seen: tuple) -> list[Case]:
    plan = [f"paint *0/: params.segmentation.{key}"]
    others = {heads: {"method": "watershed"} for heads in (ALL_HEADS, COMMON, "fgbg")}
    whole = {**GIVEN, "segmentation": {"method": "painting"}, "segmentation_by_heads": others}
    own = {**GIVEN, "segmentation_by_heads": {"instances": {"method": "painting"}}}
    return [
        Case(f"segmentation<painting>.{key}", f"segmentation.{key}", seen, painted, plan, whole),
        Case(f"segmentation_by_heads.*<painting>.{key}", f"segmentation_by_heads.instances.{key}",
             seen, painted, plan, own),
    ]  # fmt: skip


def tuning(key: str, *seen: tuple) -> Case:
    """Values that a search tries on the detections of a validation image."""
    given = {**GIVEN, "threshold_searches.found": {key: seen[0][0]},
             "experiments.detectors.threshold_search": "found"}  # fmt: skip

    def tried(world: World) -> list[float]:
        path, truth = world.folder / "instances.zip", world.folder / "truth.npz"
        labels = np.zeros((40, 60), np.int32)
        labels[2:12, 2:12] = 1
        instance_store.write(path, [("one", FOUND)])
        atomic.write_stack(truth, [("one", labels)])
        made = world.run(f"tune {RUN}/found", maps=str(path), truths=[str(truth)])
        return sorted(set(pd.read_csv(made.tried)[key]))

    return Case(f"threshold_searches.*.{key}", f"threshold_searches.found.{key}", seen, tried,
                [f"tune */found: params.tuning.{key}"], given)  # fmt: skip


# --- fusion

FUSED = {
    **GIVEN,
    "models.fused": {"family": "fusion", "members": [
        {"model": NAMES["centermask"]}, {"model": NAMES["maskrcnn"], "seed": 1},
    ]},
    "experiments.fused": {
        "title": "Together?",
        "conditions": [{"model": "fused", "heads": "instances", "subset": "full", "seed": 0}],
        "figures": [],
    },
}  # fmt: skip
BESIDE = Detections(
    (40, 60), np.float32([[4, 2, 14, 12]]), np.float32([0.5]), np.full((1, 28, 28), 255, np.uint8)
)
"""The first cell of :data:`FOUND`, as another detector finds it: the IoU of the two is 2 / 3."""


def fused(world: World) -> list[float]:
    """Scores, the best first."""
    job = world.plan.one("fuse squares/fused/*")
    maps, runs = [], []
    for number, path in enumerate(job.input["maps"]):
        maps.append(str(world.folder / f"member-{number}.zip"))
        runs.append(str(world.folder / f"member-{number}.json"))
        instance_store.write(maps[-1], [("one", BESIDE if number else FOUND)])
        atomic.write_json(runs[-1], {"train_images": [path], "val_images": ["a", path]})
    made = world.run("fuse squares/fused/*", maps=maps, runs=runs)
    about = json.loads(Path(made.provenance).read_text())
    settings = json.loads(Path(made.settings).read_text())["model"]
    assert settings["iou"] == job.params["fusion"]["iou"]
    assert [one["weight"] for one in settings["members"]] == job.params["fusion"]["weights"]
    assert about["train_images"] == sorted(job.input["maps"]) and about["members"] == maps
    assert about["val_images"] == (["a"] if len(maps) > 1 else ["a", maps[0]])
    scores = instance_store.open(made.maps).read("one")["instances"].scores
    return [round(float(score), 3) for score in scores]


def members(world: World) -> list[str]:
    return [path.removeprefix("results/squares/runs/").removesuffix("/instances.zip")
            for path in world.plan.one("fuse squares/fused/*").input["maps"]]  # fmt: skip


def _run(family: str, seed: int) -> str:
    return f"{NAMES[family]}/instances/full/seed-{seed}"


def fusion(key: str, *seen: tuple, sees=fused, plan=(), alone: bool = False) -> Case:
    name = key.replace("[]", "").replace("members.", "members.1.")
    return Case(f"models.*<fusion>.{key}", f"models.fused.{name}", seen, sees, plan, FUSED,
                alone=alone)  # fmt: skip


OF_FUSION = [
    fusion("iou", (0.5, [0.7, 0.4, 0.2]), (0.7, [0.45, 0.4, 0.25, 0.2]),
           plan=["fuse squares/fused/*: params.fusion.iou"]),
    fusion("members[].weight", (ABSENT, [0.7, 0.4, 0.2]), (3, [0.6, 0.2, 0.1]),
           plan=["fuse squares/fused/*: params.fusion.weights*"]),
    fusion("members[].model",
           (NAMES["maskrcnn"], [_run("centermask", 0), _run("maskrcnn", 1)]),
           (NAMES["cascade"], [_run("centermask", 0), _run("cascade", 1)]), sees=members,
           plan=["fuse squares/fused/*: input.*",
                 *(f"{rule} squares/{NAMES[family]}/instances/full/1: {what}"
                   for rule in ("train", "predict_instances")
                   for family, what in (("maskrcnn", "removed"), ("cascade", "added")))],
           alone=True),
    fusion("members[].seed",
           (1, [_run("centermask", 0), _run("maskrcnn", 1)]),
           (None, [_run("centermask", 0), _run("maskrcnn", 0)]),
           sees=members, alone=True,
           plan=["fuse squares/fused/*: input.*",
                 *(f"{rule} squares/{NAMES['maskrcnn']}/instances/full/1: removed"
                   for rule in ("train", "predict_instances"))]),
]  # fmt: skip


CASES = [
    *OF_FUSION,
    Case("overlays.detections", "overlays.detections", [(True, True), (False, False)],
         lambda world: world.plan.one(f"overlay {RUN}/").params["boxes"],
         ["overlay squares/*/instances/*: params.boxes"], GIVEN),
    *(case for family in NAMES for case in of_family(family)),
    switch("maskrcnn", "v2_heads", False),
    switch("centermask", "mask_scoring", True),
    switch("cascade", "deformable", False),
    *(overriding(case, family) for family in NAMES for case in [*TRAINING, *NETWORK_CASES]
      if case.key.startswith("training.")
      and f"models.*<{family}>.{case.key}" not in REFUSED),
    *painting("score_threshold", (0.5, 2), (0.3, 3)),
    *painting("mask_threshold", (0.5, 2), (0.7, 1)),
    *painting("min_size", (0, 2), (30, 1)),
    tuning("score_threshold", ([0.3], [0.3, 0.5]), ([0.7], [0.5, 0.7])),
    tuning("mask_threshold", ([0.3], [0.3, 0.5]), ([0.7], [0.5, 0.7])),
]  # fmt: skip
