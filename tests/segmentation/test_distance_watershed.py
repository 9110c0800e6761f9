"""The watershed on distances to centres and borders: true maps give the cells back."""

import numpy as np
import pytest
from skimage import measure, segmentation

from cellseg.segmentation import methods
from cellseg.segmentation.methods import distance_watershed
from cellseg.targets import heads
from made_labels import ellipses

OWN = {"method": "distance-watershed"}


def true_maps(labels: np.ndarray) -> dict[str, np.ndarray]:
    names = ("center-distance", "boundary-distance", "fgbg")
    targets = heads.compute(labels.astype(np.int32), {name: {} for name in names})
    return {name: targets[name][..., : heads.HEADS[name].channels].astype(np.float32)
            for name in names}  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_true_maps_give_the_cells_back(seed):
    labels = ellipses(20, 128, 160, seed)
    found, scores = methods.segment(true_maps(labels), {**OWN, "distance_smooth": 0.5})
    assert found.dtype == np.int32 and len(scores) == found.max()
    assert scores.min() == 1
    ious = []
    for one in measure.regionprops(labels):
        true = labels == one.label
        best = np.bincount(found[true]).argmax()
        ious.append((true & (found == best)).sum() / (true | (found == best)).sum())
    assert len(ious) > 10 and np.mean(np.array(ious) > 0.75) > 0.8


def test_touching_cells_are_parted_at_their_border():
    labels = np.zeros((20, 40), np.int32)
    labels[3:17, 4:20], labels[3:17, 20:36] = 1, 2
    found, _ = methods.segment(true_maps(labels), {**OWN, "distance_smooth": 0})
    assert found.max() == 2
    assert (found != labels).mean() <= 14 / labels.size  # ties in the border's columns


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_the_description_by_skimage(seed):
    """Seeds by both thresholds, labelled; a watershed on the distance within the foreground."""
    random = np.random.default_rng(seed)
    maps = {name: values + random.normal(0, 0.05, values.shape).astype(np.float32)
            for name, values in true_maps(ellipses(20, 128, 160, seed)).items()}  # fmt: skip
    settings = {"center_distance_threshold": 0.6, "boundary_distance_threshold": 0.4,
                "foreground_threshold": 0.4, "distance_smooth": 1}  # fmt: skip
    found, _ = methods.segment(maps, {**OWN, **settings})
    to_centre, to_border = (distance_watershed.gaussian(maps[name][..., 0], 1)
                            for name in ("center-distance", "boundary-distance"))  # fmt: skip
    mask = maps["fgbg"][..., 1] > 0.4
    seeds = measure.label(mask & (to_centre < 0.6) & (to_border > 0.4), connectivity=2)
    expected = segmentation.watershed(-to_border, seeds, mask=mask)
    assert found.max() > 10
    assert np.array_equal(found, expected)


def test_a_search_finds_what_single_settings_find():
    maps = true_maps(ellipses(20, 96, 96, 5))
    tries = [
        {**OWN, "distance_smooth": smooth, "center_distance_threshold": center, "min_size": least}
        for smooth in (0, 1.6)
        for center in (0.2, 0.5)
        for least in (0, 40)
    ]
    found = dict(methods.segment_all(maps, tries))
    assert sorted(found) == list(range(len(tries)))
    for number, one in enumerate(tries):
        assert np.array_equal(found[number], methods.segment(maps, one)[0])


def test_no_seed_no_cell():
    maps = true_maps(np.zeros((16, 16), np.int32))
    labels, scores = methods.segment(maps, OWN)
    assert not labels.any() and len(scores) == 0


def test_its_example_finds_the_same_cells(tmp_path):
    maps = true_maps(ellipses(12, 96, 96, 2))
    settings = {"distance_smooth": 1, "min_size": 20}
    code = distance_watershed.example(
        list(maps), settings, lambda head, c: f"maps[{head!r}][..., {c}]"
    )
    space = {"maps": maps, "np": np}
    exec("from skimage import filters, measure, morphology, segmentation\n" + code, space)
    found, _ = methods.segment(maps, {**OWN, **settings})
    cells = space["cells"]
    assert (cells > 0).sum() == pytest.approx((found > 0).sum(), abs=20)
    assert len(np.unique(cells)) - 1 == found.max()
