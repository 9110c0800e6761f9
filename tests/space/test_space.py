"""The space of a study, estimated from its settings and from what is there."""

import copy
import dataclasses
import re
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from cellseg import models as families
from cellseg.data import annotation_tables, expected_images
from cellseg.models.panopticnet import declarations, sizes
from cellseg.models.unet import sizes as architectures
from cellseg.space import expected, plan
from cellseg.study import runs as study
from cellseg.study import searches, validation
from workflow_runner import TINY

CHECKOUT = Path(__file__).resolve().parents[2]
SCHEMA = yaml.safe_load((CHECKOUT / "workflow/schemas/config.schema.yaml").read_text())
FULL = yaml.safe_load((CHECKOUT / "workflow/studies/full.yaml").read_text())
GB = 1e9


def resolved(content, **changes):
    return validation.resolve({**copy.deepcopy(content), **changes}, SCHEMA)


def put(folder, **sizes):
    """Files of the given sizes, holes on the disk; __ is a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in sizes.items():
        with (folder / name.replace("__", ".")).open("wb") as file:
            file.truncate(size)


def test_what_a_full_study_takes(tmp_path):
    """By hand: weights of 113 runs, most of them ResNet50's 102 MB, and tiles of 256 pixels."""
    estimate = plan.plan(resolved(FULL), tmp_path / "results")
    assert estimate.n_runs == estimate.n_unfinished == 113
    assert estimate.used == 0 and estimate.unknown == ()
    # 9 to 12 MB of overlays and cells a run next to them.
    assert 113 * 0.1 * GB < estimate.runs < 113 * 0.3 * GB
    tiles = (3253 + 570) * 3 * 3 * 256**2 * 5  # 520 x 704 pixels make 3 x 3 tiles
    assert tiles < estimate.data < tiles + 6 * GB
    assert estimate.passing == pytest.approx(7 * 4 * 66.3e6, rel=0.01)  # EfficientNetB7


def test_crops_take_whole_images_instead_of_tiles(tmp_path):
    estimate = plan.plan(resolved(FULL), tmp_path)
    crops = plan.plan(resolved(FULL, tilings={"cut-256": {"mode": "crop"}}), tmp_path)
    saved = (3253 + 570) * (3 * 3 * 256**2 - 520 * 704) * 5
    assert estimate.data - crops.data == pytest.approx(saved, rel=1e-6)


def test_kept_maps_are_no_longer_passing(tmp_path):
    without = plan.plan(resolved(FULL), tmp_path)
    kept = plan.plan(resolved(FULL, keep_predictions=True), tmp_path)
    assert 113 * 0.5 * GB < kept.runs - without.runs < 113 * 1.5 * GB
    own = copy.deepcopy(TINY)  # of large images: their maps take more than the state
    own["datasets"]["tiny"] |= {"height": 6000, "width": 6000}
    maps = maps_of(own, tmp_path) / 2
    assert plan.plan(resolved(own), tmp_path).passing == pytest.approx(maps)
    kept = plan.plan(resolved(own, keep_predictions=True), tmp_path)
    assert 0 < kept.passing < maps


def maps_of(content, folder):
    """Bytes of predictions that a study would keep."""
    kept = plan.plan(resolved(content, keep_predictions=True), folder)
    return kept.runs - plan.plan(resolved(content, keep_predictions=False), folder).runs


@pytest.mark.parametrize(
    ("heads", "channels"),
    [
        ("pixelwise", 1), ("inner-distance+pixelwise", 2), ("outer-distance+fgbg", 2),
        ("inner-distance+outer-distance+fgbg+pixelwise", 4),
    ],
)  # fmt: skip
def test_maps_go_by_channels_and_pixels(tmp_path, heads, channels):
    own = copy.deepcopy(TINY)
    own["experiments"]["backbones"]["conditions"][0]["heads"] = heads
    pixels = 2 * 4 * 128 * 160  # of two runs
    assert maps_of(own, tmp_path) == pytest.approx(expected.CHANNEL * channels * pixels)
    own["scoring"] = {"subsample": 2}
    assert maps_of(own, tmp_path) == pytest.approx(expected.CHANNEL * channels * pixels / 2)


def with_subset(entry):
    """The tiny study of two models, all of whose runs are of such a subset."""
    own = copy.deepcopy(TINY)
    own["subsets"]["own"] = entry
    own["experiments"]["backbones"]["conditions"][0]["subset"] = "own"
    own["experiments"]["backbones"]["figures"] = []
    return own


HALF = {"fraction": 0.5, "selection": "seeded"}


@pytest.mark.parametrize(
    ("entry", "images"),
    [
        (HALF, 4), ({**HALF, "scored": "seeded"}, 2),
        ({"folds": {"count": 5, "images": "all"}}, 10),  # each image is held out once
    ],
)  # fmt: skip
def test_maps_go_by_the_scored_images_of_a_subset(tmp_path, entry, images):
    pixels = 2 * images * 128 * 160  # of two models
    assert maps_of(with_subset(entry), tmp_path) == pytest.approx(2 * expected.CHANNEL * pixels)


def test_a_part_of_the_training_images_is_tuned_on_that_part_of_the_validation_images(tmp_path):
    own = with_subset(HALF)
    own["threshold_searches"] = {"grid": {"maxima_threshold": [0.1, 0.2]}}
    own["experiments"]["backbones"]["threshold_search"] = "grid"
    pixels = 2 * (4 + 1) * 128 * 160
    assert maps_of(own, tmp_path) == pytest.approx(2 * expected.CHANNEL * pixels)


def test_a_run_of_all_folds_keeps_their_networks(tmp_path):
    together = {"count": 5, "images": "training", "validation": "held-out", "scored": "split"}
    own = resolved(with_subset({"folds": {**together, "ensemble": True}}))
    kept = {run: of_one(own, run) for run in study.all_runs(own) if run.model == "featurenet"}
    [joined] = [size for run, size in kept.items() if run.is_joined]
    [alone] = {size for run, size in kept.items() if not run.is_joined}
    assert joined - alone == pytest.approx(4 * weights_of())


def test_finished_runs_speak_for_their_like(tmp_path):
    own = copy.deepcopy(TINY)
    own["experiments"]["backbones"]["conditions"][0]["seed"] = [0, 1, 2, 3]
    own = resolved(own)
    before = plan.plan(own, tmp_path)
    first, second, third, _ = (run for run in study.all_runs(own) if run.model == "featurenet")
    for run, size in ((first, 10_000_000), (second, 30_000_000)):
        put(tmp_path / run.folder, weights__h5=size, metrics__csv=0, overlay__png=5)
    put(tmp_path / third.folder, weights__h5=1_000_000)
    estimate = plan.plan(own, tmp_path)
    assert (estimate.n_runs, estimate.n_unfinished, estimate.used) == (8, 6, 41_000_010)
    # Of the third and the fourth a mean of 20 MB; the other model is as it was.
    assert estimate.runs - before.runs == pytest.approx(80_000_020 - 4 * of_one(own, first))


def of_one(own, run):
    """Bytes that a run keeps by its settings."""
    images = expected_images.images_of(own["datasets"][run.dataset], Path("missing"))
    return expected.of_run(own, run, [""], images, scored=True)[0]


def test_detectors_that_are_fused_are_counted_with_their_pretrained_weights(tmp_path):
    own = copy.deepcopy(TINY)
    own["tilings"]["crop-64"] = {"mode": "crop", "size": 64}
    own["pretrained"] = {"net": {"url": "http://nowhere.example/net.h5"}}
    own["models"] = {
        "detector": {"family": "maskrcnn", "preset": "small", "training": {"tiling": "crop-64"}},
        "fused": {"family": "fusion", "members": [{"model": "detector", "seed": [0, 1]}]},
    }
    condition = {"model": "fused", "heads": "instances", "subset": "full", "seed": 0}
    own["experiments"]["backbones"] |= {"conditions": [condition], "figures": []}
    estimate = plan.plan(resolved(own), tmp_path)
    assert estimate.n_runs == 2  # its members, of 12.3 million weights each
    assert 2 * 4 * 12.3e6 < estimate.runs < 2 * 4 * 13e6
    own["models"]["detector"]["weights"] = "net"
    fetched = 4 * 12.3e6
    assert plan.plan(resolved(own), tmp_path).data - estimate.data == pytest.approx(
        fetched, rel=0.01
    )
    del own["models"]["detector"]["weights"]
    own["models"]["detector"]["start_from"] = {"pretrained": "net"}
    assert plan.plan(resolved(own), tmp_path).data - estimate.data == pytest.approx(
        fetched, rel=0.01
    )


def test_runs_that_others_start_from_are_counted_with_their_data(tmp_path):
    own = copy.deepcopy(TINY)
    alone = plan.plan(resolved(own), tmp_path)
    own["datasets"]["first"] = own["datasets"]["tiny"]
    own["models"]["start"] = own["models"]["featurenet"]
    begun = {"model": "start", "dataset": "first"}
    own["models"]["featurenet"] = {**own["models"]["start"], "start_from": begun}
    both = plan.plan(resolved(own), tmp_path)
    assert both.n_runs == alone.n_runs + 1
    assert both.data == pytest.approx(2 * alone.data) and both.runs > alone.runs


def test_tuned_runs_take_more(tmp_path):
    own = copy.deepcopy(TINY)
    own["threshold_searches"] = {"grid": {"maxima_threshold": [0.1, 0.2]}}
    before = plan.plan(resolved(own), tmp_path)
    own["experiments"]["tuned"] = {**own["experiments"]["backbones"], "threshold_search": "grid"}
    estimate = plan.plan(resolved(own), tmp_path)
    assert estimate.n_runs == before.n_runs and estimate.runs > before.runs
    # Two validation images more than four that are scored.
    maps = [maps_of({**own, "experiments": {name: own["experiments"][name]}}, tmp_path)
            for name in ("backbones", "tuned")]  # fmt: skip
    assert maps[1] == pytest.approx(maps[0] * 6 / 4)


def test_synthetic_images_count_once_for_all_runs(tmp_path):
    own = copy.deepcopy(TINY)
    own["subsets"]["extended"] = {"synthetic_per_image": 3}
    before = plan.plan(resolved(own), tmp_path)
    own["experiments"]["backbones"]["conditions"][0]["subset"] = ["full", "extended"]
    estimate = plan.plan(resolved(own), tmp_path)
    tiles = 3 * 4 * 3 * 3 * 64**2 * 5  # three images of each of four, of about 3 x 3 tiles
    assert tiles < estimate.data - before.data < 1.3 * tiles
    extended = tmp_path / "data/tiny/extended-3/train"
    put(extended / "tiles/cut-64", train__npz=5_000)
    put(extended, labels__npz=1_000)
    made = plan.plan(resolved(own), tmp_path)
    assert made.used == 6_000
    assert made.data == pytest.approx(
        estimate.data + 6_000 - 3 * 4 * 128 * 160 * expected.SYNTHETIC
    )


def test_unlabelled_images_count_as_if_none_were_left_out(tmp_path):
    own, folder = copy.deepcopy(TINY), tmp_path / "unlabelled"
    put(folder, one__png=1, two__png=1)
    entry = {"images": str(folder), "model": "featurenet", "subset": "full",
             "heads": "inner-distance+pixelwise"}  # fmt: skip
    own["subsets"]["more"] = {"pseudo_labels": entry}
    before = plan.plan(resolved(own), tmp_path)
    own["experiments"]["backbones"]["conditions"][0].update(model="featurenet")
    without = plan.plan(resolved(own), tmp_path)
    own["experiments"]["backbones"]["conditions"][0].update(subset=["full", "more"])
    estimate = plan.plan(resolved(own), tmp_path)
    tiles = 2 * 3 * 3 * 64**2 * 5  # two images of about 3 x 3 tiles
    assert tiles < estimate.data - without.data < 1.3 * tiles
    assert before.data == pytest.approx(without.data)  # whichever models are trained on them


def test_tables_of_images_count_where_they_are(tmp_path):
    before = maps_of(TINY, tmp_path)
    names = [field.name for field in annotation_tables.IMAGE_SCHEMA]
    rows = pd.DataFrame([dict.fromkeys(names)] * 3).assign(height=100, width=200, n_cells=7)
    tables = tmp_path / "data/tiny/annotations"
    for split in ("train", "val", "test"):
        annotation_tables.write_images(tables / f"{split}.images.parquet", rows)
    assert maps_of(TINY, tmp_path) == pytest.approx(before * 3 * 100 * 200 / (4 * 128 * 160))
    annotation_tables.write_images(tables / "test.images.parquet", rows[:0])
    assert maps_of(TINY, tmp_path) == 0


def test_local_images_are_not_known_before_they_are_read(tmp_path):
    own = resolved(TINY, datasets={"tiny": {"kind": "local", "path": str(tmp_path)}})
    estimate = plan.plan(own, tmp_path / "results")
    assert estimate.unknown == ("tiny",) and estimate.runs == estimate.data == 0
    for jobs in (None, 4):
        first, second = plan.lines(estimate, jobs)
        assert "what the study takes is not known before the images of tiny are read" in first
        assert second.endswith("are free on the disk of " + f"{tmp_path / 'results'}.")
        assert not re.search(r"(?<![\d.])0(\.0)? [MG]B", first + second)
        assert "weights" not in first
    # Pretrained weights are known without any image.
    weights = {"imagenet": {"url": "http://nowhere/weights.h5"}}
    model = {"family": "panopticnet", "backbone": "mobilenetv2", "weights": "imagenet"}
    own = resolved(
        {**TINY, "datasets": own["datasets"]},
        pretrained=weights,
        models={**TINY["models"], "mobilenetv2": model},
    )
    estimate = plan.lines(plan.plan(own, tmp_path / "results"), None)
    assert re.search(r"Pretrained weights take [1-9][0-9.]* MB", estimate[0])


def test_of_data_sets_known_in_part_the_known_runs_are_counted(tmp_path):
    own = copy.deepcopy(TINY)
    own["datasets"]["mine"] = {"kind": "local", "path": str(tmp_path)}
    own["experiments"]["mine"] = {**own["experiments"]["backbones"], "dataset": "mine"}
    estimate = plan.plan(resolved(own), tmp_path / "results")
    assert (estimate.n_runs, estimate.n_unknown) == (4, 2)
    first, _, third = plan.lines(estimate, None)
    assert "(runs, 2 of 4: " in first and third.endswith("not known yet: mine.")


def test_existing_data_are_measured(tmp_path):
    before = plan.plan(resolved(TINY), tmp_path)
    data = tmp_path / "data/tiny"
    put(data / "source/images", a__tif=1000, b__tif=500)
    estimate = plan.plan(resolved(TINY), tmp_path)
    assert (estimate.used, estimate.data) == (
        1500,
        pytest.approx(before.data + 1500),
    )  # not complete
    put(data, source__json=0)
    estimate = plan.plan(resolved(TINY), tmp_path)
    assert estimate.used == 1500 and 0 < estimate.data < before.data
    put(data / "tiles/cut-64", train__npz=10_000)
    assert plan.plan(resolved(TINY), tmp_path).used == 11_500


def test_a_small_disk_is_warned_of():
    known = {"folder": Path("results"), "runs": 30 * GB, "data": 10 * GB, "used": 5 * GB,
             "passing": 2 * GB, "n_runs": 9, "n_unfinished": 9}  # fmt: skip
    enough = plan.lines(plan.Space(**known, free=37 * GB), None)
    assert len(enough) == 2 and "keeps about 40.0 GB" in enough[0]
    assert "5.0 GB exist, 35.0 GB are still to come; 37.0 GB are free" in enough[0]
    assert "2.0 GB more" in enough[1] and "at once" not in enough[1]
    *_, warning = plan.lines(plan.Space(**known, free=36 * GB), None)
    assert warning.startswith("Warning: ") and "1.0 GB" in warning
    lines = plan.lines(plan.Space(**known, free=37 * GB), 4)
    assert "4 at once: 8.0 GB" in lines[1] and "6.0 GB" in lines[2]
    # No more at once than there are runs to do.
    assert "9 at once" in plan.lines(plan.Space(**known, free=99 * GB), 100)[1]


@pytest.mark.parametrize(
    ("backbone", "levels", "heads"),
    [
        ("featurenet", "345", 1), ("featurenet", "2345", 4), ("mobilenetv2", "345", 2),
        ("mobilenetv2", "12345", 2),
    ],
)  # fmt: skip
def test_parameters_are_those_of_the_network(backbone, levels, heads):
    from cellseg.models.deepcell import family
    from cellseg.targets.head_names import HEADS

    chosen = [f"C{level}" for level in levels]
    model = {"backbone": backbone, "backbone_levels": chosen, "location": True}
    settings = {"model": model, "heads": {head: {} for head in HEADS[:heads]}}
    built = family.parameters({**settings, "tiling": {"size": 64}})
    assert sizes.parameters(model, heads) == pytest.approx(built, rel=0.03)


def test_every_family_has_a_figure_for_its_weights():
    models = {
        "cellpose": {"family": "cellpose"},
        "cellpose-sam": {"family": "cellpose-sam", "size": 64},
        "deepcell": {"family": "deepcell", "backbone": "featurenet"},
        "panopticnet": {"family": "panopticnet", "backbone": "featurenet"},
        "stardist": {"family": "stardist", "width": 8},
        "unet": {"family": "unet", "width": 2},
    }
    own = resolved(TINY, models={**TINY["models"], **models})
    for name in families.FAMILIES:
        assert families.expected_parameters(own["models"].get(name, {"family": name}), 2) > 1000


def test_an_ensemble_takes_a_network_for_each_cell_type(tmp_path):
    """Weights of as many, and of one in training the state, next to those that are trained."""
    own = copy.deepcopy(TINY)
    own["experiments"]["backbones"]["conditions"][0]["model"] = "unet"
    plans = []
    for ensemble in (None, "cell-type"):
        own["models"]["unet"] = {"family": "unet", "width": 32, "ensemble": ensemble}
        plans.append(plan.plan(resolved(own), tmp_path))
    one, two = plans
    weights = 4 * architectures.parameters({"architecture": "unet", "width": 32}, 2)
    assert one.passing == 7 * weights and two.passing == 8 * weights
    assert two.runs - one.runs == pytest.approx(weights)


def test_every_backbone_of_the_schema_has_a_figure():
    assert sorted(declarations.BACKBONES) == sorted(SCHEMA["$defs"]["backbone"]["enum"])


def test_three_thousand_finished_runs_take_less_than_a_second(tmp_path):
    own = copy.deepcopy(FULL)
    own["experiments"] = {"data-size": own["experiments"]["data-size"]}
    own["experiments"]["data-size"]["conditions"][0]["seed"] = list(range(500))
    own = resolved(own)
    names = ["weights.h5", "history.csv", "settings.json", "provenance.json", "labels.npz"]
    names += ["cells.parquet", "segmentation.json", "metrics.csv", "coco.csv", "sizes.csv"]
    names += ["overlay.png"]
    for run in study.all_runs(own):
        folder = tmp_path / run.folder
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).touch()
    took = []
    for _ in range(3):  # the least: other processes on the same core slow this one down
        started = time.process_time()
        assert plan.plan(own, tmp_path).n_runs == 3000
        took.append(time.process_time() - started)
    assert min(took) < 1


SEARCH = {"title": "Which rate?", "model": "featurenet", "heads": "inner-distance+pixelwise",
          "subset": "full", "trials": 6, "rungs": [1, 3],
          "space": {"training.learning_rate": {"log": [0.0001, 0.01]}}}  # fmt: skip


def searched(**changes):
    own = copy.deepcopy(TINY)
    own["threshold_searches"] = {"grid": {"maxima_threshold": [0.1, 0.2]}}
    return resolved(own, hyperparameter_searches={"rates": {**copy.deepcopy(SEARCH), **changes}})


def weights_of(**model):
    return 4 * sizes.parameters({"backbone": "featurenet", "backbone_levels": ["C3"], **model}, 2)


def test_a_search_keeps_what_its_trainings_leave(tmp_path):
    estimate = plan.plan_of_search(searched(), "rates", tmp_path)
    assert estimate.n_runs == estimate.n_unfinished == 6 + 2
    # No cells and no pictures.
    assert estimate.runs == pytest.approx(8 * (weights_of() + expected.SMALL_FILES))
    assert estimate.passing == 7 * weights_of()
    assert estimate.data == plan.plan(resolved(TINY), tmp_path).data
    first = plan.lines(estimate, None, "search")[0]
    assert first.startswith("Space: the search keeps about") and "(runs, 8: " in first
    assert plan.plan_of_search(searched(seed=[0, 1]), "rates", tmp_path).n_runs == 16


def test_a_tuned_search_predicts_validation_images(tmp_path):
    own = searched(threshold_search="grid")
    estimate = plan.plan_of_search(own, "rates", tmp_path)
    own["keep_predictions"] = True
    kept = plan.plan_of_search(own, "rates", tmp_path)
    pixels = 8 * 2 * 128 * 160  # of two images in eight runs
    assert kept.runs - estimate.runs == pytest.approx(2 * expected.CHANNEL * pixels)
    own = searched()
    own["keep_predictions"] = True
    assert plan.plan_of_search(own, "rates", tmp_path).runs == estimate.runs


def test_rungs_to_come_are_of_trials_from_all_over_the_space(tmp_path):
    """The first third of all combinations has the small network, the others a large one."""
    backbones = {
        "backbone": ["featurenet", "mobilenetv2", "resnet50"],
        "training.flips": [True, False],
    }
    estimate = plan.plan_of_search(
        searched(trials="all", rungs=[1, 2], reduction_factor=2, space=backbones), "rates", tmp_path
    )
    networks = [weights_of(backbone=backbone) for backbone in backbones["backbone"]]
    assert estimate.runs == pytest.approx(3 * sum(networks), rel=0.02)


def test_trials_that_are_there_are_measured(tmp_path):
    own = searched()
    before = plan.plan_of_search(own, "rates", tmp_path)
    [later] = searches.runs_of(own, "rates", 5, 3)  # went on to the second rung
    [first] = searches.runs_of(own, "rates", 5, 1)
    for run in (first, later):
        put(tmp_path / run.folder, weights__h5=10_000_000)
    estimate = plan.plan_of_search(own, "rates", tmp_path)
    assert (estimate.n_runs, estimate.used, estimate.n_unfinished) == (8, 20_000_000, 6)
    one = weights_of() + expected.SMALL_FILES
    assert estimate.runs == pytest.approx(before.runs + 20_000_000 - 2 * one)


def test_a_plan_names_the_searches_and_does_not_count_them(tmp_path):
    estimate, without = plan.plan(searched(), tmp_path), plan.plan(resolved(TINY), tmp_path)
    assert dataclasses.replace(estimate, searches={}, free=0) == dataclasses.replace(
        without, free=0
    )
    assert estimate.searches == {
        "rates": (8, plan.plan_of_search(searched(), "rates", tmp_path).runs)
    }
    [line] = set(plan.lines(estimate, 1)) - set(plan.lines(without, 1))
    assert "Not counted" in line and "rates (8 runs: " in line
    own = searched()
    own["datasets"]["mine"] = {"kind": "local", "path": str(tmp_path)}
    own["hyperparameter_searches"]["rates"]["dataset"] = "mine"
    estimate = plan.plan(own, tmp_path)
    assert estimate.unknown == () and "rates (8 runs)." in plan.lines(estimate, 1)[-1]
    assert plan.plan_of_search(own, "rates", tmp_path).unknown == ("mine",)
