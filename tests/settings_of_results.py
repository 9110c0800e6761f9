"""Cases of the settings that decide what is run, scored, drawn and applied."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd

from cellseg.figures import overlay, preview, registry, style
from cellseg.inference import map_store
from cellseg.io import download, run_format
from cellseg.plan import hours
from cellseg.plan.steps import Training
from cellseg.report import figure_caption
from cellseg.segmentation import confidence
from cellseg.study.runs import Run
from setting_cases import ABSENT, Case, World
from settings_base import ALL_HEADS, BASE, COMMON
from settings_of_maps import (
    RUN,
    TUNED,
    images_predicted,
    predicted,
    wells_predicted,
    written,
)

FIRST = "experiments.first"
PAGE = "overview squares: params.study"
"""What the front page of the report shows."""
OF_RUNS = ["collect squares/first: input.*", "overview squares: input.provenance",
           f"{PAGE}.experiments.first.conditions"]  # fmt: skip
NO_TUNING = {"experiments.tuned.threshold_search": None}
NO_FOLDS = {"experiments.folds": ABSENT}
"""Runs of folds are scored on images that were held out, not on a split."""


# --- scores and pictures of a run


def scored(world: World) -> dict[str, str]:
    """Score the true labels as if they were predicted; the files that an overlay needs."""
    [truth] = [job.input["truth"] for job in world.plan.find(f"score {RUN}/")]
    labels = np.load(world.root / truth)
    cells = {
        image: confidence.areas_and_means(labels[image], labels[image].astype(np.float32))
        for image in labels.files
    }
    confidence.write(world.folder / "cells.parquet", cells)
    made = world.run(f"score {RUN}/", predicted=truth, cells=str(world.folder / "cells.parquet"),
                     run=written(world, "provenance.json", {"steps": 8}))  # fmt: skip
    return {"metrics": str(made.metrics), "predicted": truth}


def cells_that_are_not_small(world: World) -> int:
    table = pd.read_csv(scored(world)["metrics"])
    return int(table.loc[table["small_objects"] == "removed", "n_true"].sum())


def overlaid(world: World) -> SimpleNamespace:
    """The maps that an overlay is drawn from, and what it is called with."""
    made = scored(world)
    maps = predicted(world, f"predict_shown {RUN}/", metrics=made["metrics"])
    with (
        mock.patch.object(overlay, "overlay") as draw,
        mock.patch.object(style, "save"),
        mock.patch.object(figure_caption, "write"),
        mock.patch.object(preview, "write"),
    ):
        world.run(f"overlay {RUN}/", maps=str(maps), **made)
    [(cases,), asked] = draw.call_args
    return SimpleNamespace(maps=maps, cases=cases, **asked)


def shown(world: World) -> list:
    """Images that are predicted for an overlay, those that it draws, and whether it draws boxes."""
    drawn = overlaid(world)
    return [len(map_store.open(drawn.maps).images), len(drawn.cases), drawn.boxes]


# --- figures and experiments


def drawn(world: World) -> tuple[str, str, bool]:
    """Name of the figure of an experiment, the question on it, and whether it has text at all."""
    asked = []

    def draw(name, tables, question):
        asked.append((name, question, style.has_text()))

    from cellseg.tables import conditions

    tables = {name: str(world.folder / f"{name}.csv") for name in conditions.TABLES}
    for path in tables.values():
        Path(path).write_text("image\n")
    with (
        mock.patch.object(registry, "draw", draw),
        mock.patch.object(style, "save"),
        mock.patch.object(figure_caption, "write"),
    ):
        world.run("figure squares/first/*", **tables)
    return asked[0]


def runs_of(experiment: str, place: int):
    """What the runs of an experiment have at a place of their path, such as 3 for the model."""

    def see(world: World) -> list[str]:
        metrics = world.plan.one(f"collect */{experiment}").input["metrics"]
        return sorted(path.split("/")[place] for path in np.atleast_1d(metrics).tolist())

    return see


def used_thresholds(world: World) -> list:
    """Tuning of the cells of an experiment, and whether they are found with what it chose."""
    [job] = world.plan.find(f"segment {TUNED}/*")
    chosen = {"method": "watershed", "interior_smooth": 0, "maxima_threshold": 0.77}
    maps = world.folder / "predictions.zip"
    stack = np.ones((8, 9, 2), np.float32)
    map_store.write(maps, ["inner-distance/0", "pixelwise/1"], [("one", stack)])
    if job.wildcards["variant"]:
        tuned = written(world, "chosen.json", run_format.stamped({"segmentation": chosen}))
        made = world.run(job.label, maps=str(maps), tuned=tuned)
    else:
        made = world.run(job.label, maps=str(maps))
    about = json.loads(Path(made.settings).read_text())
    return [about["tuning"], about["segmentation"] == chosen]


def seeds(world: World) -> list[int]:
    [label] = [job.label for job in world.plan.find(f"train squares/unet/{ALL_HEADS}/full/*")]
    world.run(label)
    [trained] = world.family.trained
    return [trained.train.seed, trained.validation.seed, trained.settings["seed"]]


def of_runs(axis: str, place: int, *seen: tuple, added: str, removed: str = "") -> Case:
    plan = [*OF_RUNS, *([f"{PAGE}.models"] if axis == "model" else []),
            f"* {added}*: added", *([f"* {removed}*: removed"] if removed else [])]  # fmt: skip
    return Case(f"experiments.*.conditions[].{axis}", f"{FIRST}.conditions.0.{axis}", seen,
                runs_of("first", place), plan, alone=True)  # fmt: skip


# --- apply


def applied(world: World) -> Mapping:
    """The tables of `apply`, the folder of its results and the files of it there."""
    output = world.root / world.plan.one("apply").params["apply"]["output"]
    shutil.rmtree(output, ignore_errors=True)
    made = world.run("apply")
    tables = {name: pd.read_csv(made[name]) for name in ("cells", "images")}
    record = json.loads((output / "applied.json").read_text())
    shutil.rmtree(output)  # which another run must not replace
    return SimpleNamespace(**tables, record=record, output=output.name)


def apply(
    key: str, *seen: tuple, sees, plan: Sequence[str] = (), images: str = "images", **more
) -> Case:
    given = {"apply.images": BASE["apply"]["images"].replace("images", images)}
    given |= {f"apply.{name}": value for name, value in more.items()}
    return Case(f"apply.{key}", f"apply.{key}", seen, lambda world: sees(applied(world)),
                [f"apply: params.apply.{key}", *plan], given, alone=True)  # fmt: skip


def accelerators(world: World) -> list:
    """What a training asks for, as a resource and in its script, and its environment."""
    job = world.plan.one(f"train {RUN}")
    world.run(job.label)
    return [job.gpu, job.environment, *world.family.accelerators]


# --- pretrained weights


def fetched(world: World) -> list[str]:
    """Address, and whether a file of other content is accepted."""
    asked = []

    def fetch_file(url, path, check, **more):
        asked.append(url)
        Path(path).write_bytes(b"other content")
        check(Path(path))

    with mock.patch.object(download, "fetch_file", fetch_file):
        try:
            world.run("fetch_weights one")
        except SystemExit:
            return [*asked, "refused"]
    return [*asked, "accepted"]


HALF = "squares/unet/fgbg/half/0"


def source_of_step_times(study: dict) -> str:
    """Where the plan takes the time of a step of the U-Net from."""
    training = Training(Run("squares", "unet", "fgbg", "half", 0), 10, 20, exact=True)
    [model] = hours.by_model([training], [], {}, study["step_ms"])
    return model.source


CASES = [
    Case("scoring.data_split", "scoring.data_split", [("test", ["C"]), ("val", ["B"])],
         wells_predicted,
         ["predict *: input.images", "predict_shown *: input.images", "score *: params.data_split",
          *(f"{rule} *: input.{name}" for rule in ("score", "overlay", "contact_sheet")
            for name in ("truth", "images")), "score *: input.outlines"],
         given={**NO_TUNING, **NO_FOLDS}, alone=True),
    Case("scoring.subsample", "scoring.subsample", [(1, 4), (2, 2)],
         lambda world: len(images_predicted(world)),
         ["predict *: params.subsample", "format_tables *: params.experiment.subsample",
          "papers *: params.subsample",
          f"{PAGE}.scoring.subsample"]),
    Case("subsets.*.scored", "subsets.half.scored", [("all", 4), ("seeded", 2)],
         lambda world: len(map_store.open(predicted(world, f"predict {HALF}", HALF)).images),
         ["predict */half/0: params.sample*", "format_tables */first: params.experiment.sampled"],
         alone=True),
    Case("step_ms.*", "step_ms.unet", [(ABSENT, ""), (250, "assumed, config")],
         lambda world: source_of_step_times(world.study), []),
    Case("scoring.min_size", "scoring.min_size",
         [(15, 20), (5, 24)], cells_that_are_not_small,
         ["score *: params.min_size",
          "format_tables *: params.experiment.min_size",
          f"{PAGE}.scoring.min_size"]),
    Case("overlays.images", "overlays.images", [(3, [3, 3, False]), (1, [1, 1, False])], shown,
         ["overlay *: params.images", "predict_shown *: params.shown"]),
    Case("overlays.boxes", "overlays.boxes", [(False, [3, 3, False]), (True, [3, 3, True])], shown,
         ["overlay *: params.boxes"]),
    Case("figure_text", "figure_text", [(True, True), (False, False)],
         lambda world: drawn(world)[2],
         [f"{rule} *: params.figure_text" for rule in
          ("figure", "contact_sheet", "overlay", "learning_curve", "data_report",
           "extension_report", "search_figure", "papers")]),
    Case("datasets.*<local>.pixel_size", "datasets.squares.pixel_size", [(None, None), (0.5, 0.5)],
         lambda world: overlaid(world).pixel_size,
         [f"{rule} squares/*: params.pixel_size"
          for rule in ("overlay", "contact_sheet", "export")]),
    *(Case(f"datasets.*<{kind}>.pixel_size", f"datasets.{dataset}.pixel_size",
           [(None, [None]), (0.5, [0.5])],
           lambda world, dataset=dataset: [
               world.plan.one(f"contact_sheet {dataset}/tuned").params["pixel_size"]
           ],
           [f"{rule} {dataset}/*: params.pixel_size" for rule in ("overlay", "contact_sheet")],
           given={"experiments.tuned.dataset": dataset}, alone=True)
      for kind, dataset in (("download", "downloaded"), ("simulated", "simulated"),
                            ("sartorius", "kaggle"), ("public", "public"))),
    Case("experiments.*.title", f"{FIRST}.title",
         [("What is seen?", "What is seen?"), ("What else?", "What else?")],
         lambda world: drawn(world)[1],
         ["figure */first/*: params.question", "format_tables */first: params.experiment.title",
          f"{PAGE}.experiments.first.title"]),
    Case("experiments.*.figures", f"{FIRST}.figures",
         [(["f1-by-heads"], "f1-by-heads"), (["errors"], "errors")], lambda world: drawn(world)[0],
         ["figure squares/first/f1-by-heads: removed", "figure squares/first/errors: added",
          "overview squares: input.picture"],
         alone=True),
    Case("experiments.*.dataset", "experiments.tuned.dataset",
         [(ABSENT, ["squares"]), ("simulated", ["simulated"])], runs_of("tuned", 1),
         ["* simulated*: added", "* squares/tuned: removed",
          *(f"{rule} {TUNED}/tuning-thresholds/: removed"
            for rule in ("segment", "score", "overlay", "predict_shown")),
          *(f"{rule} {TUNED}/thresholds: removed" for rule in ("tune", "predict_validation")),
          *(f"{rule} {TUNED}: removed" for rule in ("predict", "learning_curve")),
          "overview squares: input.*", "papers squares/*: input.*",
          "papers squares/*: params.folds", f"{PAGE}.experiments.tuned.*"], alone=True),
    Case("experiments.*.threshold_search", "experiments.tuned.threshold_search",
         [("thresholds", ["thresholds", True]), ("distances", ["distances", True]),
          (None, [None, False])], used_thresholds,
         [f"* {TUNED}/*thresholds*: removed", f"* {TUNED}/*: added",
          "collect squares/tuned: input.*", "contact_sheet squares/tuned: *",
          f"{PAGE}.experiments.tuned.threshold_search"], alone=True),
    of_runs("model", 3, ("unet", ["net", "reference", "unet", "unet", "unet"]),
            ("searched", ["net", "reference", "searched", "unet", "unet"]),
            added="squares/searched/", removed=RUN),
    of_runs("heads", 4, (ALL_HEADS, ["fgbg", "fgbg", ALL_HEADS, COMMON, COMMON]),
            ([ALL_HEADS, "pixelwise"],
             ["fgbg", "fgbg", ALL_HEADS, COMMON, COMMON, "pixelwise"]),
            added="squares/unet/pixelwise/"),
    of_runs("subset", 5, ("full", ["extended", "full", "full", "full", "half"]),
            ("half", ["extended", "full", "full", "half", "half"]),
            added=f"squares/unet/{ALL_HEADS}/half/", removed=RUN),
    Case("experiments.*.conditions[].seed", f"{FIRST}.conditions.0.seed",
         [(0, [0] * 3), (5, [5] * 3)], seeds,
         [*OF_RUNS, f"* {RUN}*: removed", f"* squares/unet/{ALL_HEADS}/full/5*: added"],
         alone=True),
    apply("run", ("trained/first", 4), ("trained/second", 3), sees=lambda one: len(one.cells),
          plan=["apply: params.chosen"]),
    apply("images", (BASE["apply"]["images"], 1), ("squares/images", 16),
          sees=lambda one: len(one.images),
          plan=["apply: params.chosen", "apply: params.apply.output", "apply: output.*"]),
    apply("output", (None, "A172_Phase_C0_1_00d00h00m_1"), ("results/elsewhere", "elsewhere"),
          sees=lambda one: one.output, plan=["apply: output.*"]),
    apply("tuning", (None, 4), ("thresholds", 2), sees=lambda one: len(one.cells),
          plan=["apply: params.chosen"]),
    apply("cell_type", (None, 2), ("BV2", 4), sees=lambda one: len(one.cells),
          tuning="thresholds"),
    apply("pixel_size", (None, "not known"), (0.5, 121 * 0.25),
          sees=lambda one: one.cells["area_um2"].fillna("not known").tolist()[0]),
    apply("page", (None, [1, 2]), (2, [2]), sees=lambda one: one.images["page"].tolist(),
          images="paged"),
    apply("channel", (None, 4), (3, 0), sees=lambda one: len(one.cells), images="colour"),
    Case("accelerator", "accelerator",
         [("cpu", [0, "train-cpu.yaml", "cpu"]), ("gpu", [1, "train-gpu.yaml", "gpu"])],
         accelerators,
         [*(f"{rule}*: gpu" for rule in ("train *", "predict *", "predict_validation *", "apply")),
          *(f"{rule}*: environment" for rule in
            ("train *", "predict *", "predict_validation *", "predict_shown *", "export *",
             "apply"))], alone=True),
    Case("pretrained.*.url", "pretrained.one.url",
         [(f"http://127.0.0.1:9/{name}.h5", [f"http://127.0.0.1:9/{name}.h5", "accepted"])
          for name in ("set/one", "moved")], fetched, ["fetch_weights one: params.source.url"]),
    Case("pretrained.*.md5", "pretrained.one.md5",
         [(None, ["http://127.0.0.1:9/set/one.h5", "accepted"]),
          ("0" * 32, ["http://127.0.0.1:9/set/one.h5", "refused"])], fetched,
         ["fetch_weights one: params.source.md5"]),
]  # fmt: skip
