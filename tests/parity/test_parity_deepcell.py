"""The same numbers as deepcell 0.12.10 and deepcell-toolbox 0.12.1, on awkward images."""

import json
import warnings
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import ndimage

from cellseg.data.rasterize import rasterize
from cellseg.scoring import metrics
from cellseg.scoring.overlaps import treatments
from cellseg.segmentation import watershed
from cellseg.tables import collect
from cellseg.targets import heads as targets
from made_labels import ellipses, sequential, spoilt

pytestmark = [
    pytest.mark.parity,
    # The reference packages are written for older releases of what they use.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def transforms():
    """deepcell's label transforms."""
    if not find_spec("tf_keras") or not find_spec("deepcell"):
        pytest.skip("deepcell is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Before deepcell; a sorted import statement would come after it.
        import_module("cellseg.models.deepcell.compat")
        from deepcell.utils import transform_utils
    return transform_utils


@pytest.fixture(scope="module")
def toolbox():
    """What is compared of deepcell-toolbox."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("deepcell_toolbox")
        from deepcell_toolbox.deep_watershed import deep_watershed
        from deepcell_toolbox.metrics import ObjectMetrics, PixelMetrics
        from skimage.morphology import remove_small_objects

        # scikit-image 0.26.0 takes `min_size` for the new, inclusive `max_size` (its issue 8001):
        # with it deepcell removes and fills one pixel more than it was written to.
        is_inclusive = not remove_small_objects(np.array([[1, 2, 2]]), min_size=2).any()
    return SimpleNamespace(
        deep_watershed=deep_watershed,
        ObjectMetrics=ObjectMetrics,
        PixelMetrics=PixelMetrics,
        too_much=int(is_inclusive),
    )


def awkward() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    empty = np.zeros((20, 24), np.int32)
    pixel, pieces, full = empty.copy(), empty.copy(), np.ones_like(empty)
    pixel[5, 5] = 3
    pieces[2:8, 2:8] = pieces[12:18, 12:20] = 4
    halves = full.copy()
    halves[:, 12:] = 2
    noise = np.where(random.random((40, 50)) < 0.6, random.integers(1, 6, (40, 50)), 0)
    blocks = np.kron(random.integers(0, 5, (6, 7)), np.ones((6, 7), np.int32))
    return {
        "empty": empty, "pixel": pixel, "pieces": pieces, "full": full, "halves": halves,
        "noise": noise.astype(np.int32), "blocks": blocks.astype(np.int32),
        "cells": ellipses(40, 96, 128, 1), "dense": ellipses(120, 96, 128, 2),
    }  # fmt: skip


AWKWARD = awkward()
each_image = pytest.mark.parametrize("name", AWKWARD)


@each_image
@pytest.mark.parametrize("erosion_width", [0, 1, 2])
def test_distances(transforms, name, erosion_width):
    labels = AWKWARD[name]
    for alpha, beta in (("auto", 1), ("auto", 2.5), (0.1, 1)):
        expected = transforms.inner_distance_transform_2d(
            labels, erosion_width=erosion_width, alpha=alpha, beta=beta
        )
        found = targets.inner_distance(labels, alpha, beta, erosion_width=erosion_width)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    for normalize in (True, False):
        expected = transforms.outer_distance_transform_2d(
            labels, erosion_width=erosion_width, normalize=normalize
        )
        found = targets.outer_distance(labels, erosion_width, normalize)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@each_image
def test_pixelwise(transforms, name):
    labels = AWKWARD[name]
    for radius in (0, 1, 2, 3):
        expected = transforms.pixelwise_transform(
            labels, dilation_radius=radius or None, data_format="channels_last"
        )
        assert np.array_equal(targets.pixelwise(labels, radius), expected)


@pytest.mark.usefixtures("transforms")
@each_image
def test_all_heads_as_the_generator_makes_them(name):
    from deepcell.image_generators import _transform_masks

    labels = AWKWARD[name][None, ..., None]
    ours = {"fgbg": targets.foreground, "pixelwise": targets.pixelwise,
            "inner-distance": targets.inner_distance,
            "outer-distance": targets.outer_distance}  # fmt: skip
    options = {"pixelwise": {"dilation_radius": 1}, "fgbg": {},
               "inner-distance": {"alpha": "auto", "beta": 1, "erosion_width": 1},
               "outer-distance": {"erosion_width": 1}}  # fmt: skip
    for head, target in ours.items():
        expected = _transform_masks(labels, head, data_format="channels_last", **options[head])[0]
        found = target(AWKWARD[name]).reshape(*labels.shape[1:3], -1)
        if head == "fgbg" and expected.shape[-1] == 1:
            # deepcell leaves out the other channel of a tile of one kind; ours has always two.
            assert (AWKWARD[name] > 0).all() or not AWKWARD[name].any()
        else:
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def smooth_noise(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    field = ndimage.gaussian_filter(random.random(shape), random.uniform(0.5, 4))
    return ((field - field.min()) / np.ptp(field)).astype(np.float32)


@pytest.mark.parametrize("peaks", ["h_maxima", "local_maxima"])
def test_watershed_label_for_label(toolbox, peaks):
    random = np.random.default_rng(5)
    n_cells = 0
    for trial in range(60):
        shape = tuple(random.integers(20, 70, 2))
        maxima, interior = smooth_noise(random, shape), smooth_noise(random, shape)
        if trial % 5 == 0:
            maxima = np.round(maxima * 8) / 8  # plateaus
        settings = {
            "maxima_threshold": float(random.choice([0.02, 0.1, 0.3])),
            "interior_threshold": float(random.choice([0.2, 0.3, 0.5])),
            "maxima_smooth": int(random.integers(0, 3)),
            "interior_smooth": int(random.integers(0, 3)),
            "radius": int(random.integers(1, 5)),
            "exclude_border": bool(random.integers(0, 2)),
        }
        sizes = {
            name: int(random.choice([0, 5, 15]))
            for name in ("small_objects_threshold", "fill_holes_threshold")
        }
        expected = toolbox.deep_watershed(
            [maxima[None, ..., None], interior[None, ..., None]],
            maxima_algorithm={"h_maxima": "h_maxima", "local_maxima": "peak_local_max"}[peaks],
            **settings,
            **{name: max(size - toolbox.too_much, 0) for name, size in sizes.items()},
        )[0, ..., 0]
        found = watershed.segment(maxima, interior, peaks=peaks, **settings, **ours(sizes))
        assert np.array_equal(found, expected), (trial, settings, sizes)
        n_cells += found.max()
    assert n_cells > 200


def test_the_watershed_of_as_the_report_is_deepcells(toolbox, checkout):
    """All of its settings, as the workflow calls it with the maps of a network."""
    study = yaml.safe_load((checkout / "workflow/studies/as-the-report.yaml").read_text())
    settings = study["segmentation"]
    sizes = {
        "small_objects_threshold": settings["min_size"],
        "fill_holes_threshold": settings["fill_holes_threshold"],
    }
    names = ("maxima_threshold", "maxima_smooth", "interior_threshold", "interior_smooth", "radius")
    random = np.random.default_rng(7)
    n_cells = n_changed = 0
    for _ in range(30):
        shape = tuple(random.integers(60, 120, 2))
        maxima, interior = (smooth_noise(random, shape).astype(np.float32) for _ in range(2))
        expected = toolbox.deep_watershed(
            [maxima[None, ..., None], interior[None, ..., None]],
            **{name: settings[name] for name in names},
            **{name: size - toolbox.too_much for name, size in sizes.items()},
        )[0, ..., 0]
        maps = {"inner-distance": maxima[..., None], "pixelwise": {1: interior}}
        found = watershed.segment_maps(maps, settings)
        assert np.array_equal(found, expected)
        n_cells += found.max()
        n_changed += not np.array_equal(
            found, watershed.segment_maps(maps, {**settings, "min_size": 0})
        )
    assert n_cells > 100 and n_changed > 0


def ours(sizes: dict) -> dict:
    """Sizes of objects and holes by our names."""
    return {"min_size": sizes["small_objects_threshold"],
            "fill_holes_threshold": sizes["fill_holes_threshold"]}  # fmt: skip


NAMES = {
    "missed": "missed_detections", "gained": "gained_detections", "merge": "merge",
    "split": "split", "catastrophe": "catastrophe", "correct": "correct_detections",
    "precision": "precision", "recall": "recall", "f1": "f1",
}  # fmt: skip


def assert_same_errors(toolbox, true: np.ndarray, pred: np.ndarray) -> dict:
    true, pred = sequential(true), sequential(pred)
    expected = toolbox.ObjectMetrics(true, pred).to_dict()
    found = metrics.error_counts(true, pred)
    assert found == pytest.approx({ours: expected[theirs] for ours, theirs in NAMES.items()})
    pixels = toolbox.PixelMetrics(true > 0, pred > 0).to_dict()
    scores = metrics.pixel_scores(true, pred)
    assert scores["pixel_iou"] == pytest.approx(pixels["jaccard"])
    assert scores["pixel_f1"] == pytest.approx(pixels["dice"])
    return found


def test_object_errors(toolbox):
    random = np.random.default_rng(1)
    total = dict.fromkeys(metrics.COUNTS, 0)
    for trial in range(60):
        true = ellipses(int(random.integers(3, 60)), 70, 90, trial)
        found = assert_same_errors(toolbox, true, spoilt(true, trial % 4, random))
        total = {name: total[name] + found[name] for name in total}
    assert min(total.values()) > 20, "the images must contain every kind of error"


def test_object_errors_when_one_image_is_empty(toolbox):
    cells = ellipses(5, 40, 50, 0)
    assert_same_errors(toolbox, cells, np.zeros_like(cells))
    assert_same_errors(toolbox, np.zeros_like(cells), cells)


def test_pooled_pixel_scores_are_those_of_the_stack(toolbox):
    """deepcell takes all images as one array; images of little and much foreground differ."""
    random = np.random.default_rng(2)
    kinds = ["A172", "BV2", "A172", "BV2", "A172", "A172"]
    true = [ellipses(n, 70, 90, n) for n in (2, 5, 20, 40, 60)] + [np.zeros((70, 90), np.int32)]
    true[:2] = [np.where(np.arange(90) < 30, labels, 0) for labels in true[:2]]
    pred = [np.roll(labels, 10, 1) for labels in true[:2]]
    pred += [spoilt(labels, how, random) for labels, how in zip(true[2:4], (0, 3), strict=True)]
    pred += [np.zeros_like(true[4]), ellipses(3, 70, 90, 1)]  # all missed, and nothing to find
    run = {"dataset": "d", "model": "m", "heads": "fgbg", "subset": "full", "seed": 0}
    rows = [
        {**run, "data_split": "test", "image": str(number), "cell_type": kind,
         "small_objects": small, **metrics.score_table(table), **metrics.pixel_counts(table)}
        for number, kind in enumerate(kinds)
        for small, table in treatments(true[number], pred[number], 15).items()
    ]  # fmt: skip
    images = pd.DataFrame(rows)
    found = collect.with_pooled_pixels(collect.per_run(images), images)
    found = found.set_index(["cell_type", "small_objects"])
    for small, threshold in (("kept", 0), ("removed", 15)):
        stacks = [
            np.stack([np.where(np.bincount(x.ravel())[x] < threshold, 0, x) for x in labels])
            for labels in (true, pred)
        ]
        for kind in ("all", "A172", "BV2"):
            chosen = [kind in ("all", one) for one in kinds]
            expected = toolbox.PixelMetrics(*(stack[chosen] for stack in stacks)).to_dict()
            row = found.loc[(kind, small)]
            assert row["pixel_iou_pooled"] == pytest.approx(expected["jaccard"], rel=1e-12)
            assert row["pixel_f1_pooled"] == pytest.approx(expected["dice"], rel=1e-12)
            assert row["pixel_f1_pooled"] == pytest.approx(expected["f1"], rel=1e-12)
    little_and_much = found.loc[("BV2", "kept")]
    assert little_and_much["pixel_iou_pooled"] > little_and_much["pixel_iou"] + 0.05


@pytest.fixture(scope="session")
def real_labels(livecell_mini) -> list[np.ndarray]:
    """Label images of the real test split."""
    content = json.loads(
        (livecell_mini / "annotations/LIVECell/livecell_coco_test.json").read_text()
    )
    outlines = {image["id"]: [] for image in content["images"]}
    for annotation in content["annotations"]:
        outlines[annotation["image_id"]].append(annotation["segmentation"])
    return [
        rasterize(outlines[image["id"]], image["height"], image["width"])
        for image in content["images"]
    ]


def test_targets_of_real_cells(transforms, real_labels):
    for labels in real_labels:
        expected = transforms.inner_distance_transform_2d(labels, erosion_width=1, alpha="auto")
        np.testing.assert_allclose(targets.inner_distance(labels), expected, rtol=0, atol=1e-6)
        expected = transforms.outer_distance_transform_2d(labels, erosion_width=1)
        np.testing.assert_allclose(targets.outer_distance(labels), expected, rtol=0, atol=1e-6)
        expected = transforms.pixelwise_transform(labels, dilation_radius=1)
        assert np.array_equal(targets.pixelwise(labels), expected)


@pytest.mark.parametrize("radius", [2, 10])
def test_watershed_of_real_cells(toolbox, real_labels, radius):
    """Maps of a middling network: blurred, noisy targets."""
    random = np.random.default_rng(radius)
    for labels in real_labels:
        clean = [targets.inner_distance(labels), targets.pixelwise(labels)[..., 1]]
        maxima, interior = (
            np.clip(
                ndimage.gaussian_filter(one.astype(np.float32), 1.5)
                + 0.5 * ndimage.gaussian_filter(random.normal(size=labels.shape), 2),
                0, 1,
            ).astype(np.float32)
            for one in clean
        )  # fmt: skip
        settings = {"maxima_threshold": 0.1, "interior_threshold": 0.3, "interior_smooth": 1,
                    "radius": radius}  # fmt: skip
        sizes = {"small_objects_threshold": 15, "fill_holes_threshold": 15}
        expected = toolbox.deep_watershed(
            [maxima[None, ..., None], interior[None, ..., None]],
            **settings, **{name: size - toolbox.too_much for name, size in sizes.items()},
        )[0, ..., 0]  # fmt: skip
        found = watershed.segment(maxima, interior, **settings, **ours(sizes))
        assert np.array_equal(found, expected) and found.max() > 40


def test_object_errors_on_real_cells(toolbox, real_labels):
    true = sequential(real_labels[0][:220, :260])
    random = np.random.default_rng(2)
    for how in (1, 2, 3):
        assert_same_errors(toolbox, true, spoilt(true, how, random))
