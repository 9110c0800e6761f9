"""Frames that depart from the table of cell types."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from cellseg.data import rasterize
from cellseg.errors import UserError
from cellseg.simulate import writing
from cellseg.simulate.cell_types import CELL_TYPES
from cellseg.simulate.frame import simulate_frame
from cellseg.simulate.sheet import area
from cellseg.simulate.variation import LOOKS, Departure, Variation, draw

A172, MCF7 = CELL_TYPES["A172"], CELL_TYPES["MCF7"]
WIDE = Variation(looks=0.3, magnification=(0.7, 1.5), light=8.0, streaks=2.0, rafts=1.0)
SINGLE = {
    "contrast": (0.5, 0.6),
    "debris": (5.0, 6.0),
    "faint_rims": 1.0,
    "focus": (1.5, 2.0),
    "grain": 1.0,
    "light": 20.0,
    "looks": 0.3,
    "magnification": (1.3, 1.4),
    "nuclei": 1.0,
    "rafts": 1.0,
    "seams": 1.0,
    "spindles": 1.0,
    "streaks": 3.0,
    "veils": 0.7,
}

BEFORE = {
    "A172": (3, 4.237),
    "BT474": (11, 10.89),
    "BV2": (9, 11.627),
    "Huh7": (4, 6.928),
    "MCF7": (8, 9.551),
    "SHSY5Y": (8, 7.592),
    "SKOV3": (4, 6.413),
    "SkBr3": (9, 12.361),
}
"""Outlines and standard deviation of grey values in frames of the simulator without variation."""


def _frame(kind=A172, side=160, hours=48, **departure):
    return simulate_frame(
        kind, hours, side, side, np.random.default_rng(3), Departure(kind, **departure)
    )


def _written(folder, **settings):
    images = {"train": 1, "val": 0, "test": 0}
    writing.write_dataset(folder, images, ["MCF7"], 96, 112, seed=4, **settings)
    return next(folder.rglob("*.tif"))


@pytest.mark.parametrize("name", sorted(CELL_TYPES))
def test_without_variation_frames_are_as_they_were(name):
    """Another order of drawing would give every study with simulated images other ones."""
    assert draw(CELL_TYPES[name], Variation(), None) == Departure(CELL_TYPES[name])
    frame = simulate_frame(CELL_TYPES[name], 50, 96, 112, np.random.default_rng(5))
    outlines, deviation = BEFORE[name]
    assert len(frame.outlines) == outlines
    assert frame.image.std() == pytest.approx(deviation, abs=0.01)


@pytest.mark.parametrize("name", sorted(SINGLE))
def test_each_variation_changes_images_and_is_recorded(name, tmp_path):
    plain = tifffile.imread(_written(tmp_path / "plain"))
    none = tifffile.imread(_written(tmp_path / "none", variation={}))
    varied = tifffile.imread(_written(tmp_path / "varied", variation={name: SINGLE[name]}))
    again = tifffile.imread(_written(tmp_path / "again", variation={name: SINGLE[name]}))
    np.testing.assert_array_equal(none, plain)
    np.testing.assert_array_equal(again, varied)
    assert varied.shape == plain.shape and (varied != plain).mean() > 0.01
    marker = json.loads((tmp_path / "varied" / writing.MARKER).read_text())
    value = SINGLE[name]
    assert marker["variation"] == {name: list(value) if isinstance(value, tuple) else value}
    assert "variation" not in json.loads((tmp_path / "none" / writing.MARKER).read_text())


def test_a_magnified_frame_shows_fewer_and_larger_cells():
    areas = {}
    for scale in (0.7, 1.0, 1.5):
        frame = _frame(MCF7, side=320, magnification=scale)
        assert frame.image.shape == (320, 320)
        corners = np.concatenate(frame.outlines)
        assert corners.min() >= 0 and corners.max() <= 320
        areas[scale] = [area(polygon) for polygon in frame.outlines]
    assert len(areas[0.7]) > len(areas[1.0]) > len(areas[1.5])
    assert np.median(areas[1.5]) / np.median(areas[1.0]) == pytest.approx(1.5**2, rel=0.3)
    assert np.median(areas[0.7]) / np.median(areas[1.0]) == pytest.approx(0.7**2, rel=0.3)


def test_light_grows_along_a_frame_and_cells_lose_contrast():
    light = np.array([[0.0, 20.0], [0.0, 0.0]])
    plain, lit = _frame(), _frame(light=light)
    columns = (lit.image.astype(float) - plain.image).mean(0)
    np.testing.assert_allclose(columns[[0, -1]], [-20, 20], atol=4)
    faint = _frame(contrast=0.5)
    assert faint.image.std() < 0.7 * plain.image.std()


def test_streaks_lie_in_one_direction():
    difference = _frame(streaks=4.0).image.astype(float) - _frame().image
    spectrum = np.abs(np.fft.fft2(difference - difference.mean())) ** 2
    rows, columns = np.meshgrid(*(np.fft.fftfreq(160),) * 2, indexing="ij")
    middle = (np.hypot(rows, columns) > 0.15) & (np.hypot(rows, columns) < 0.4)
    angles = np.arctan2(rows, columns)[middle] % np.pi
    power, _ = np.histogram(angles, 12, (0, np.pi), weights=spectrum[middle])
    assert power.max() > 0.3 * power.sum()  # a twelfth, were there no direction


def test_spindles_are_long():
    def elongation(share):
        frame = _frame(replace(MCF7, spindles=share, rounded=(1e-9, 1e-9)), side=320, hours=0)
        shapes = [np.linalg.svd(one - one.mean(0), compute_uv=False) for one in frame.outlines]
        return np.median([long / short for long, short in shapes])

    assert elongation(1.0) > 1.6 * elongation(0.0)


def _grey_values(**changes):
    """Grey values of MCF7 cells in sheets, and where cells meet, at free rims, and inside."""
    frame = _frame(replace(MCF7, rounded=(1e-9, 1e-9), debris=0, **changes), side=320)
    labels = rasterize.rasterize([[one.ravel().tolist()] for one in frame.outlines], 320, 320)
    largest = ndimage.maximum_filter(labels, 3)
    smallest = ndimage.minimum_filter(labels, 3)
    inner = ndimage.distance_transform_edt(labels > 0)
    meeting = (smallest > 0) & (smallest != largest)
    free = (inner <= 1) & (labels > 0)
    rim = (inner > 2) & (inner <= 5) & (smallest == largest)
    middle = (inner > 5) & (smallest == largest)
    return [frame.image[where].astype(float) for where in (meeting, free, rim, middle)]


def test_hidden_seams_are_not_seen_where_cells_meet():
    meeting, free, *_ = _grey_values()
    hidden, still, *_ = _grey_values(seams=1.0)
    assert hidden.mean() - 128 < 0.3 * (meeting.mean() - 128)
    assert still.mean() - 128 > 0.7 * (free.mean() - 128)


def test_faint_rims_have_no_bright_line():
    _, free, *_ = _grey_values()
    _, faint, *_ = _grey_values(faint_rims=1.0)
    assert faint.mean() - 128 < 0.3 * (free.mean() - 128)


def test_grain_reaches_the_rim_and_nuclei_have_dark_nucleoli():
    plain, grainy, marked = _grey_values(), _grey_values(grain=1.0), _grey_values(nuclei=1.0)
    assert grainy[2].std() > 1.1 * plain[2].std()
    assert np.percentile(marked[3], 1) < np.percentile(plain[3], 1) - 3


def test_each_frame_draws_between_nothing_and_the_largest():
    settings = {name: 0.8 for name in ("seams", "faint_rims", "grain", "nuclei", "spindles")}
    drawn = [
        draw(MCF7, Variation(**settings, veils=0.8, streaks=0.8), np.random.default_rng(seed))
        for seed in range(20)
    ]
    values = {name: [getattr(one.kind, name) for one in drawn] for name in (*settings, "veil")}
    values["streaks"] = [one.streaks for one in drawn]
    for name, found in values.items():
        assert 0 <= min(found) < 0.3 and 0.5 < max(found) < 0.8, name


def test_each_frame_of_a_data_set_departs_in_its_own_way(tmp_path, monkeypatch):
    departures = []

    def record(*arguments):
        departures.append(arguments[-1])
        return simulate_frame(*arguments)

    monkeypatch.setattr(writing, "simulate_frame", record)
    images = {"train": 3, "val": 0, "test": 0}
    variation = {"magnification": (0.5, 2)}
    writing.write_dataset(tmp_path, images, ["MCF7"], 96, 112, seed=4, variation=variation)
    assert len({one.magnification for one in departures}) == 3


def test_half_of_the_grain_is_weaker_than_all():
    none, half, whole = (_grey_values(grain=share)[2].std() for share in (0.0, 0.5, 1.0))
    assert none < half < 0.98 * whole


def test_a_raft_covers_more_and_draws_depend_on_the_generator_alone():
    first, again, other = (draw(MCF7, WIDE, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_equal(vars(first), vars(again))
    assert first.kind != other.kind and 0.7 <= first.magnification <= 1.5
    assert first.kind.cells[0] > 1.4 * MCF7.cells[0]
    assert all(getattr(first.kind, name) > 0 for name in LOOKS if getattr(MCF7, name) > 0)


@pytest.mark.parametrize("ends", [(2, 1), (0, 1), (-1, 1)])
def test_a_range_that_is_none_is_refused(ends):
    with pytest.raises(UserError, match=r"variation\.focus: .* is no range"):
        Variation.of({"focus": list(ends)})
