"""Pixelwise segmentation: equal to SciPy, scikit-image and deepcell-toolbox, and to the arrays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage import filters, measure, morphology, segmentation

from cellseg.export import example
from cellseg.segmentation import methods
from cellseg.segmentation.components import components
from cellseg.segmentation.methods import threshold_components
from cellseg.targets import heads

OWN = {"method": "threshold-components"}


def mask_of(random: np.random.Generator) -> np.ndarray:
    """A mask of up to 40 pixels a side: noise of any density, blobs, stripes."""
    shape = tuple(random.integers(1, 41, 2))
    kind = random.integers(3)
    if kind == 0:
        return random.random(shape) < random.random()
    if kind == 1:
        smooth = ndimage.gaussian_filter(random.random(shape), random.uniform(0.5, 2))
        return smooth > np.quantile(smooth, random.random())
    # Combs, whose teeth meet in the last row: each is joined late.
    mask = np.zeros(shape, bool)
    mask[:, :: random.integers(2, 4)] = True
    mask[-1] = True
    return mask[:: random.choice([-1, 1])]


@pytest.mark.parametrize("neighbours", [4, 8])
@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_components_are_scipys_and_scikit_images(neighbours, seed):
    mask = mask_of(np.random.default_rng(seed))
    structure = ndimage.generate_binary_structure(2, 2 if neighbours == 8 else 1)
    found = components(mask, neighbours)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, ndimage.label(mask, structure)[0])
    np.testing.assert_array_equal(found, measure.label(mask, connectivity=neighbours // 4))


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1)])
def test_components_of_nearly_nothing(shape):
    assert components(np.ones(shape, bool)).tolist() == np.ones(shape, int).tolist()


def test_neighbours_are_four_or_eight():
    with pytest.raises(ValueError, match="4 or 8, not 6"):
        components(np.ones((2, 2), bool), 6)


def probabilities(seed: int) -> np.ndarray:
    """A map (H, W, 3) of boundary, interior and background, float32."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(*random.integers(20, 70, 2), 3))
    smooth = 6 * ndimage.gaussian_filter(noise, (2, 2, 0))
    shares = np.exp(smooth)
    return (shares / shares.sum(-1, keepdims=True)).astype(np.float32)


OF_TOOLBOX = pytest.mark.filterwarnings(  # deepcell-toolbox calls scikit-image as it was
    "ignore:Parameter `min_size`", "ignore:Only one label"
)


@OF_TOOLBOX
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_cells_are_those_of_deepcell_toolbox(seed):
    toolbox = pytest.importorskip("deepcell_toolbox.processing")
    maps, random = probabilities(seed), np.random.default_rng(seed)
    threshold, min_size = random.uniform(0.2, 0.9), int(random.choice([1, 5, 50]))
    # Half a pixel less: scikit-image 0.26 also removes cells of exactly the size that it is given.
    expected = toolbox.pixelwise(maps[None], threshold, min_size - 0.5)[0, ..., 0].astype(int)
    given_settings = {**OWN, "interior_threshold": threshold, "min_size": min_size}
    labels, scores = methods.segment({"pixelwise": maps}, given_settings)
    np.testing.assert_array_equal(labels, segmentation.relabel_sequential(expected)[0])
    means = ndimage.mean(maps[..., 1], labels, np.arange(1, labels.max() + 1))
    np.testing.assert_allclose(scores, means, rtol=1e-6)


@OF_TOOLBOX
def test_defaults_are_those_of_deepcell_toolbox():
    toolbox = pytest.importorskip("deepcell_toolbox.processing")
    maps = probabilities(3)
    expected = toolbox.pixelwise(maps[None], min_size=0.5)[0, ..., 0]
    assert expected.max() > 1
    np.testing.assert_array_equal(methods.segment({"pixelwise": maps}, OWN)[0], expected)


def test_two_cells_part_at_a_boundary_and_not_without():
    interior = np.zeros((9, 20), np.float32)
    interior[2:7, 2:18] = 0.9
    assert threshold_components.find_cells(interior).max() == 1
    interior[:, 9:11] = 0.1
    labels = threshold_components.find_cells(interior)
    assert np.bincount(labels.ravel())[1:].tolist() == [35, 35]
    assert threshold_components.find_cells(interior, interior_threshold=0.05).max() == 1
    smooth = threshold_components.find_cells(interior, 0.4, interior_smooth=2)
    assert smooth.max() == 1
    grown = threshold_components.find_cells(interior, grow=1)
    assert np.bincount(grown.ravel())[1:].tolist() == [35 + 24, 35 + 24]
    assert grown[4, 9] == 1 and grown[4, 10] == 2


def test_small_cells_go_and_small_holes_are_filled():
    interior = np.zeros((12, 20), np.float32)
    interior[1:10, 1:10], interior[4:6, 4:6], interior[2:4, 14:17] = 0.9, 0, 0.9
    find = threshold_components.find_cells
    assert np.bincount(find(interior).ravel())[1:].tolist() == [77, 6]
    assert np.bincount(find(interior, min_size=7).ravel())[1:].tolist() == [77]
    assert np.bincount(find(interior, fill_holes_threshold=5).ravel())[1:].tolist() == [81, 6]


def test_corners_join_with_eight_neighbours():
    interior = np.eye(5, dtype=np.float32)
    assert threshold_components.find_cells(interior, neighbours=4).max() == 5
    assert threshold_components.find_cells(interior, neighbours=8).max() == 1


def test_all_settings_of_a_search_give_what_each_gives_alone():
    maps = {"pixelwise": probabilities(7)}
    tries = [
        {**OWN, "interior_threshold": threshold, "interior_smooth": smooth, "min_size": 4,
         "grow": grow}
        for threshold in (0.4, 0.6) for smooth in (0, 1) for grow in (0, 2)
    ]  # fmt: skip
    found = dict(methods.segment_all(maps, tries))
    assert sorted(found) == list(range(len(tries)))
    for number, labels in found.items():
        np.testing.assert_array_equal(labels, methods.segment(maps, tries[number])[0])


@pytest.mark.parametrize(
    ("head", "channel", "more"),
    [
        ("pixelwise", 1, {}),
        ("fgbg", 1, {"interior_threshold": 0.4, "min_size": 6, "grow": 2, "neighbours": 8}),
        ("pixelwise", 1, {"interior_threshold": 0.5, "interior_smooth": 1}),
    ],
)
def test_the_example_of_an_export_finds_the_same_cells(head, channel, more):
    values = probabilities(5)[..., : heads.HEADS[head].channels]
    chosen = {**OWN, **more}
    source = example.example([head], chosen)
    assert f'maps["{head}"][..., {channel}]' in source
    start = source.index("interior =")
    lines = source[start : source.index("np.savez")]
    space = {"maps": {head: values}, "filters": filters, "measure": measure,
             "morphology": morphology, "segmentation": segmentation}  # fmt: skip
    exec(lines, space)
    np.testing.assert_array_equal(space["cells"], methods.segment({head: values}, chosen)[0])
    assert "8 bits" in example.note(chosen)


def test_perfect_maps_lose_the_boundary_and_growing_gives_it_back():
    """What the method can reach at best, from the target itself."""
    true = np.zeros((30, 40), np.int32)
    true[4:16, 4:16], true[4:16, 16:30], true[20:28, 6:34] = 1, 2, 3
    target = heads.pixelwise(true, dilation_radius=1)
    found = methods.segment({"pixelwise": target}, OWN)[0]
    grown = methods.segment({"pixelwise": target}, {**OWN, "grow": 1})[0]
    assert found.max() == grown.max() == 3
    assert (found > 0).sum() < (true > 0).sum()
    shared = [(true == n) & (grown == n) for n in (1, 2, 3)]
    assert all(part.sum() > ((true == n) & (found == n)).sum() for n, part in enumerate(shared, 1))
