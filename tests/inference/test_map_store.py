"""Maps of a run in a zip of pictures: what is read back, and the cells that come of it."""

import io
import json
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from scipy import ndimage

from cellseg.data import rasterize
from cellseg.errors import UserError
from cellseg.inference import map_store
from cellseg.runtime.parallel import ordered_map
from cellseg.scoring import metrics
from cellseg.segmentation import watershed
from cellseg.targets import heads as transforms
from made_labels import ellipses

CHANNELS = ["inner-distance/0", "pixelwise/1"]


def stack(maps: dict[str, dict[int, np.ndarray]]) -> np.ndarray:
    return np.stack([values for head in maps.values() for values in head.values()], axis=-1)


def through(path, channels: list[str], maps: np.ndarray) -> np.ndarray:
    """The maps (H, W, C) as they are read back."""
    map_store.write(path, channels, [("image", maps)])
    return stack(map_store.MapStore(path).read("image"))


def allowed(channels: list[str], maps: np.ndarray) -> np.ndarray:
    """The largest error in each channel: the bound, and the rounding to float32."""
    share = np.array(list(map_store.error_bounds(channels).values()))
    rounding = 2.0**-23 * np.abs(maps).max(axis=(0, 1)).astype(np.float64) + 2.0**-149
    return share * (1 + 1e-6) * np.ptp(maps.astype(np.float64), axis=(0, 1)) + rounding


# float32 in all its range, and the values that networks give.
numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
values = st.one_of(st.floats(0, 1, width=32), st.sampled_from([0.0, 1.0, 1 - 2**-24]), numbers)
shapes = array_shapes(min_dims=2, max_dims=2, max_side=9).map(lambda shape: (*shape, 2))


@settings(max_examples=200, deadline=None)
@given(maps=arrays(np.float32, shapes, elements=values))
def test_values_return_within_the_bound(tmp_path_factory, maps):
    read = through(tmp_path_factory.getbasetemp() / "predictions.zip", CHANNELS, maps)
    assert read.shape == maps.shape and read.dtype == np.float32
    error = np.abs(read.astype(np.float64) - maps.astype(np.float64))
    assert (error <= allowed(CHANNELS, maps)).all()
    # The ends of the range are exact, and order is kept.
    assert np.array_equal(read.max(axis=(0, 1)), maps.max(axis=(0, 1)))
    assert np.array_equal(read.min(axis=(0, 1)), maps.min(axis=(0, 1)))
    for channel in range(2):
        order = np.argsort(maps[..., channel], axis=None)
        assert (np.diff(read[..., channel].ravel()[order].astype(np.float64)) >= 0).all()


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_the_bound_is_reached_in_the_middle_and_steps_are_fine_at_the_ends(depth):
    share = np.linspace(0, 1, 2_000_001)
    read = map_store._curve(np.dtype(depth))[map_store._greys(share, 0.0, 1.0, depth)]
    error = np.abs(read - share)
    bound = np.pi / 4 / np.iinfo(depth).max
    assert 0.99 * bound < error.max() <= bound
    local = (2 * np.sqrt(share * (1 - share)) + bound) * bound
    assert (error <= local * (1 + 1e-9) + 1e-15).all()


def test_other_values_sizes_and_layouts(tmp_path):
    random = np.random.default_rng(0)
    maps = random.random((13, 1, 5)).astype(np.float32)
    maps[..., 1] *= 7.5  # a distance without an upper limit
    maps[..., 2] = 0
    maps[..., 3] = 0.3
    maps[..., 4] -= 2
    channels = ["inner-distance/0", "outer-distance/0", "fgbg/0", "fgbg/1", "pixelwise/12"]
    read = through(tmp_path / "predictions.zip", channels, maps)
    assert (np.abs(read - maps) <= allowed(channels, maps)).all()
    assert np.array_equal(read[..., 2:4], maps[..., 2:4])
    assert read[..., 1].max() == maps[..., 1].max() > 7
    for other in (maps.astype(np.float64), np.asfortranarray(maps), maps[::-1][::-1]):
        assert np.array_equal(through(tmp_path / "predictions.zip", channels, other), read)
    half = maps.astype(np.float16)
    read = through(tmp_path / "predictions.zip", channels, half)
    assert (np.abs(read - half) <= allowed(channels, half)).all()


def test_the_head_of_the_markers_has_16_bits():
    def fine(*channels):
        return [name for name, depth in map_store.depths(channels).items() if depth == np.uint16]

    assert fine("pixelwise/1", "inner-distance/0") == ["inner-distance/0"]
    assert fine("outer-distance/0", "inner-distance/0") == ["inner-distance/0"]
    assert fine("fgbg/1", "pixelwise/0", "pixelwise/1") == ["pixelwise/0", "pixelwise/1"]
    assert fine("contour/0") == []


@pytest.fixture
def store(tmp_path):
    """Two images of unequal size, written in an order that is not the alphabet's."""
    random = np.random.default_rng(1)
    maps = {name: random.random((*shape, 2), np.float32)
            for name, shape in {"b": (30, 41), "a": (25, 20)}.items()}  # fmt: skip
    map_store.write(tmp_path / "predictions.zip", CHANNELS, maps.items())
    return map_store.open(tmp_path / "predictions.zip"), maps


def test_images_and_channels(store):
    store, _ = store
    assert store.images == ["a", "b"] and store.channels == CHANNELS
    read = store.read("b")
    assert [(head, list(channels)) for head, channels in read.items()] == [
        ("inner-distance", [0]), ("pixelwise", [1])
    ]  # fmt: skip
    one = store.read("b", ["pixelwise/1"])
    assert list(one) == ["pixelwise"]
    assert np.array_equal(one["pixelwise"][1], read["pixelwise"][1])
    assert read["pixelwise"][1].flags.c_contiguous and read["pixelwise"][1].flags.writeable


def test_other_tools_see_pictures(store):
    store, _ = store
    with zipfile.ZipFile(store.path) as archive:
        assert archive.testzip() is None
        members = {member.filename: member for member in archive.infolist()}
        about = json.loads(archive.read("maps.json"))
        with Image.open(io.BytesIO(archive.read("pixelwise/1/b.png"))) as picture:
            mask = np.asarray(picture)
        with Image.open(io.BytesIO(archive.read("inner-distance/0/b.png"))) as picture:
            markers = np.asarray(picture)
    assert sorted(members) == [
        "inner-distance/0/a.png", "inner-distance/0/b.png", "maps.json",
        "pixelwise/1/a.png", "pixelwise/1/b.png",
    ]  # fmt: skip
    assert {member.external_attr >> 16 for member in members.values()} == {0o644}
    assert mask.dtype == np.uint8 and markers.max() == 65535
    least, greatest = about["least and greatest"]["b"][1]
    expected = least + (greatest - least) * np.sin(np.pi / 2 * mask / 255) ** 2
    np.testing.assert_allclose(store.read("b")["pixelwise"][1], expected, rtol=0, atol=1e-7)


def test_equal_maps_give_equal_bytes(tmp_path, monkeypatch, store):
    store, maps = store
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("sys.platform", "win32")
    other = {name: np.asfortranarray(values, np.float64) for name, values in maps.items()}
    map_store.write(tmp_path / "again.zip", tuple(CHANNELS), iter(other.items()))
    assert (tmp_path / "again.zip").read_bytes() == store.path.read_bytes()


def test_threads_and_processes_read_at_once(store):
    store, maps = store
    expected = {name: stack(store.read(name)) for name in maps}
    names = ["a", "b"] * 40
    with ThreadPoolExecutor(8) as pool:
        for name, read in zip(names, pool.map(store.read, names), strict=True):
            assert np.array_equal(stack(read), expected[name])
    for name, read in zip(names, ordered_map(store.read, names, 2), strict=True):
        assert np.array_equal(stack(read), expected[name])


def test_a_store_travels_as_its_path_and_is_listed_once(store, tmp_path):
    store, maps = store
    assert len(pickle.dumps(store)) < 500
    assert pickle.loads(pickle.dumps(store)) is map_store.open(store.path) is store
    map_store.write(store.path, CHANNELS, [("c", maps["a"])])
    assert map_store.open(store.path).images == ["c"]


def test_images_are_taken_one_by_one_and_a_failure_leaves_nothing(tmp_path):
    alive = []

    def images(last):
        for name in ("a", "b", "c"):
            alive.append(name)
            yield name, np.zeros((3, 4, 2), np.float32)
        if last:
            raise RuntimeError(last)

    path = tmp_path / "predictions.zip"
    with pytest.raises(RuntimeError, match="network"):
        map_store.write(path, CHANNELS, images("the network failed"))
    assert list(tmp_path.iterdir()) == [] and alive == ["a", "b", "c"]
    map_store.write(path, CHANNELS, images(None))
    before = path.read_bytes()
    with pytest.raises(RuntimeError):
        map_store.write(path, CHANNELS, images("again"))
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    map_store.write(path, CHANNELS, [])
    assert map_store.open(path).images == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, value):
    maps = np.zeros((3, 4, 2), np.float32)
    maps[1, 2, 1] = value
    with pytest.raises(ValueError, match=r"image-7.*pixelwise/1.*not finite"):
        map_store.write(tmp_path / "predictions.zip", CHANNELS, [("image-7", maps)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("channels", "images", "message"), [
    (["pixelwise"], [], "channels"),
    (["../x/1"], [], "channels"),
    (["fgbg/1", "fgbg/1"], [], "channels"),
    (CHANNELS, [("a", (3, 4, 3))], "shape"),
    (CHANNELS, [("a", (3, 4))], "shape"),
    (CHANNELS, [("a", (0, 4, 2))], "shape"),
    (CHANNELS, [("a/b", (3, 4, 2))], "name"),
    (CHANNELS, [("", (3, 4, 2))], "name"),
    (CHANNELS, [("a", (3, 4, 2)), ("a", (3, 4, 2))], "twice"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(tmp_path, channels, images, message):
    zeros = [(name, np.zeros(shape, np.float32)) for name, shape in images]
    with pytest.raises(ValueError, match=message):
        map_store.write(tmp_path / "predictions.zip", channels, zeros)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_maps_are_named(store, tmp_path):
    store, _ = store
    whole = store.path.read_bytes()
    other = tmp_path / "other.zip"
    for content in (b"", whole[: len(whole) // 2], whole[:-30], b"something else" * 100):
        other.write_bytes(content)
        with pytest.raises(UserError, match=r"other\.zip holds no .* cut off .*run the prediction"):
            map_store.open(other)
    np.savez(other.with_suffix(".npz"), image=np.zeros(3))
    with pytest.raises(UserError, match=r"other\.npz holds no predicted maps"):
        map_store.open(other.with_suffix(".npz"))
    with pytest.raises(UserError, match=r"none\.zip does not exist. Run"):
        map_store.open(tmp_path / "none.zip")
    with pytest.raises(UserError, match="holds no predicted maps"):
        map_store.open(tmp_path)
    for about in ({"format": "predicted maps, version 1"}, {}, [], {"format": map_store.FORMAT}):
        with zipfile.ZipFile(other, "w") as archive:
            archive.writestr("maps.json", json.dumps(about))
        with pytest.raises(UserError, match=r"other\.zip holds no predicted maps"):
            map_store.open(other)


def test_what_is_missing_or_damaged_is_named(store, tmp_path):
    store, _ = store
    with pytest.raises(UserError, match=r"predictions\.zip has no image 'z'.*run the prediction"):
        store.read("z")
    with pytest.raises(UserError, match=r"predictions\.zip has no channel 'fgbg/1'"):
        store.read("a", ["fgbg/1"])
    content = bytearray(store.path.read_bytes())
    content[content.index(b"IDAT") + 20] ^= 1  # in the picture written first
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged\.zip is damaged at 'inner-distance/0/b\.png'"):
        map_store.open(damaged).read("b")
    assert map_store.open(damaged).read("a").keys() == {"inner-distance", "pixelwise"}
    opened = map_store.open(damaged)
    content = bytearray(store.path.read_bytes())
    content[content.rindex(b"PK\1\2") + 10] = 77  # no method of packing has this number
    (tmp_path / "packed.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"packed\.zip holds no predicted maps"):
        map_store.open(tmp_path / "packed.zip")
    damaged.write_bytes(b"")  # cut off while open
    with pytest.raises(UserError, match=r"damaged\.zip is damaged"):
        opened.read("a")
    with zipfile.ZipFile(store.path) as archive, zipfile.ZipFile(damaged, "w", 8) as packed:
        for name in archive.namelist():
            packed.writestr(name, archive.read(name))
    with pytest.raises(UserError, match="packed by another program"):
        map_store.open(damaged).read("a")


def predicted(true: np.ndarray, seed: int, certainty: float) -> dict[str, dict[int, np.ndarray]]:
    """Maps of a network that blurs and adds noise; `certainty` is the logit inside of cells."""
    random = np.random.default_rng(seed)

    def noise(deviation: float) -> np.ndarray:
        field = ndimage.gaussian_filter(random.normal(size=true.shape), deviation)
        return field / field.std()

    inner = 1.2 * ndimage.gaussian_filter(transforms.inner_distance(true), 1.5) + 0.03 * noise(1.5)
    outer = 1.1 * ndimage.gaussian_filter(transforms.outer_distance(true), 1.2) + 0.01 * noise(1.5)
    interior = ndimage.gaussian_filter(transforms.pixelwise(true)[..., 1].astype(np.float64), 1.2)
    logit = certainty * (2 * interior - 1 + 0.15 * noise(2) + 0.04 * noise(0.8))
    maps = {
        "inner-distance": {0: np.maximum(inner - 0.02, 0)},
        "outer-distance": {0: np.maximum(outer - 0.01, 0)},
        "pixelwise": {1: 1 / (1 + np.exp(-logit))},
    }
    return {
        head: {channel: values.astype(np.float32) for channel, values in channels.items()}
        for head, channels in maps.items()
    }


COMBINATIONS = [
    ["inner-distance", "pixelwise"], ["inner-distance", "outer-distance"],
    ["outer-distance", "pixelwise"], ["inner-distance"], ["pixelwise"],
]  # fmt: skip


def compared(path, true: np.ndarray, whole: dict, chosen: dict) -> dict[str, float]:
    """Cells of stored maps against those of the maps as predicted."""
    channels = [f"{head}/{channel}" for head in whole for channel in whole[head]]
    map_store.write(path, channels, [("image", stack(whole))])
    read = map_store.MapStore(path).read("image")
    of_whole, of_stored = (watershed.segment_maps(maps, chosen) for maps in (whole, read))
    same, alike = metrics.match(of_whole, of_stored, [0.5, 0.9])
    (before, *_), (after, *_) = (
        metrics.score_image(true, found) for found in (of_whole, of_stored)
    )
    return {
        "cells": same["tp"] + same["fn"], "lost": same["fn"], "gained": same["fp"],
        "changed": alike["fn"], "pixels": ((of_whole > 0) != (of_stored > 0)).mean(),
        "msa": after["msa"] - before["msa"], "f1_50": after["f1_50"] - before["f1_50"],
    }  # fmt: skip


def nearly_the_same(trials: list[dict[str, float]]) -> None:
    """At most 1 cell of 500 comes, goes or changes, and no mean score moves by 0.001."""
    total = {key: np.sum([trial[key] for trial in trials]) for key in trials[0]}
    mean = {key: np.mean([trial[key] for trial in trials]) for key in trials[0]}
    worst = max(total[key] for key in ("lost", "gained", "changed"))
    assert worst <= 1 + total["cells"] / 500, total  # one cell is always forgiven
    assert abs(mean["msa"]) < 1e-3 and abs(mean["f1_50"]) < 1e-3, mean
    assert mean["pixels"] < 5e-4, mean


@pytest.mark.parametrize("heads", COMBINATIONS, ids="+".join)
@pytest.mark.parametrize("certainty", [4, 16, 60])
def test_cells_are_those_of_the_maps_as_predicted(tmp_path, heads, certainty):
    trials = []
    for seed in range(6):
        true = ellipses(120 + 40 * seed, 256, 320, seed)
        maps = predicted(true, seed, certainty)
        whole = {head: maps[head] for head in heads}
        trials.append(compared(tmp_path / "predictions.zip", true, whole, {}))
    assert sum(trial["cells"] for trial in trials) > 500
    nearly_the_same(trials)


@pytest.mark.parametrize("heads", COMBINATIONS[:2] + COMBINATIONS[4:], ids="+".join)
def test_cells_of_real_outlines(livecell_mini, tmp_path, heads):
    folder = livecell_mini / "annotations" / "LIVECell"
    content = json.loads((folder / "livecell_coco_train.json").read_text())
    trials = []
    for seed, entry in enumerate(content["images"]):
        outlines = [
            annotation["segmentation"]
            for annotation in content["annotations"]
            if annotation["image_id"] == entry["id"]
        ]
        true = rasterize.rasterize(outlines, entry["height"], entry["width"])
        # With 10 the noise of float32's last bit, 6e-8 below 1, would already change as many cells.
        maps = predicted(true, seed, certainty=6)
        whole = {head: maps[head] for head in heads}
        trials.append(compared(tmp_path / "predictions.zip", true, whole, {}))
    assert sum(trial["cells"] for trial in trials) > 1000
    nearly_the_same(trials)


def test_the_mask_and_the_markers_keep_their_bounds(tmp_path):
    heights = 0.1
    for seed in range(4):
        maps = predicted(ellipses(200, 160, 200, seed), seed, certainty=4)
        whole = stack({head: maps[head] for head in ("inner-distance", "pixelwise")})
        read = through(tmp_path / "predictions.zip", CHANNELS, whole)
        markers, mask = allowed(CHANNELS, whole)
        smooth, smooth_read = (ndimage.gaussian_filter(m[..., 1], 1) for m in (whole, read))
        differs = (smooth > 0.3) != (smooth_read > 0.3)
        assert (np.abs(smooth - 0.3)[differs] <= mask + 1e-6).all()
        number = watershed.find_markers(read[..., 0], heights).max()
        fewest, most = (
            watershed.find_markers(whole[..., 0], heights + change).max()
            for change in (2 * markers + 1e-6, -2 * markers - 1e-6)
        )
        assert 100 < fewest <= number <= most <= fewest + 2


def test_the_number_of_threads_changes_no_byte(tmp_path):
    random = np.random.default_rng(0)
    images = [(f"image-{number}", random.random((9, 11, 1))) for number in range(20)]
    for threads in (1, 3):
        map_store.write(tmp_path / f"{threads}.zip", ["fgbg/1"], iter(images), threads)
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "3.zip").read_bytes()
