"""Synthetic images: cut, erased, pasted, named and used as they should be."""

import json
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cellseg.data import annotation_tables, annotations, tiles
from cellseg.data import rasterize as labels
from cellseg.errors import UserError
from cellseg.images import reading
from cellseg.images.reading import as_tiff
from cellseg.io.atomic import stack_writer, write_stack
from cellseg.report import synthesis_report
from cellseg.simulate.cell_types import CELL_TYPES
from cellseg.simulate.frame import simulate_frame
from cellseg.synthesis import (
    background,
    clumps,
    comparison,
    features,
    frame,
    names,
    sprites,
    writing,
)
from cellseg.synthesis import layout as layouts
from cellseg.synthesis.clumps import Cell
from cellseg.synthesis.layout import GRID, HIDDEN, Layout, Placed
from cellseg.synthesis.levels import levels
from cellseg.synthesis.orientation import COUNT, turned, turned_points
from cellseg.synthesis.outlines import clip
from cellseg.synthesis.sprites import Sprite
from cellseg.training import run as train_run
from cellseg.training.augmentation import Augmentation

SIZE = (160, 192)
RANGE = (0.02, 0.6)


def square(row, column, side):
    """Polygon of the pixels of a square, as COCO has it."""
    first, last = (column, row), (column + side, row + side)
    return [[*first, last[0], first[1], *last, first[0], last[1]]]


def simulated(cell_type, hours=40.0, seed=0):
    made = simulate_frame(CELL_TYPES[cell_type], hours, *SIZE, np.random.default_rng(seed))
    return made.image, [[outline.ravel().tolist()] for outline in made.outlines]


def extended(image, cells, count=2, key="image", seed=0, confluence=RANGE):
    return list(frame.extend(key, image, cells, count, 2, confluence, seed))


# Cut and paste, by eye


@pytest.mark.parametrize("orientation", range(COUNT))
def test_points_turn_as_pixels_do(orientation):
    array = np.zeros((3, 5), int)
    array[0, 3] = 1
    ((x, y),) = turned_points(np.array([[3.5, 0.5]]), array.shape, orientation)
    assert turned(array, orientation)[int(y), int(x)] == 1


def test_all_orientations_differ():
    array = np.arange(6).reshape(2, 3)
    assert len({turned(array, number).tobytes() + bytes(turned(array, number).shape)
                for number in range(COUNT)}) == COUNT  # fmt: skip


def test_a_polygon_is_clipped_at_the_frame():
    polygon = np.array([(-2, 1), (4, 1), (4, 3), (-2, 3)], float)
    assert sorted(map(tuple, clip(polygon, (10, 10)))) == [(0, 1), (0, 3), (4, 1), (4, 3)]
    assert sorted(map(tuple, clip(polygon, (2, 3)))) == [(0, 1), (0, 2), (3, 1), (3, 2)]
    assert len(clip(polygon - 20, (10, 10))) == 0
    assert clip(polygon + 3, (10, 10)) == pytest.approx(polygon + 3)


def sprite(mask, values, weight, halo=0.0):
    shape = mask.shape
    cells = [Cell(mask, mask, 0, 0)]
    arrays = (np.full(shape, value, np.float32) if np.isscalar(value) else value
              for value in (values, weight, halo))  # fmt: skip
    return Sprite(cells, mask, *arrays, torn=np.zeros(shape, bool), torn_share=0.0)


def test_pasting_pixel_by_pixel():
    mask = np.zeros((1, 5), bool)
    mask[0, 1] = True
    weight = np.array([[0.6, 1, 0.6, 0, 0]], np.float32)
    below = np.full((2, 4), 10.0, np.float32)
    occupied = np.zeros((2, 4), bool)
    frame.paste(below, occupied, Placed(sprite(mask, 100, weight, 3), 1, -1))
    # 0.6 of the halo, and 0.8 of the background, whose squares are one; the frame cuts the rest.
    np.testing.assert_allclose(below[1], [103, 60 + 8 + 3, 10 + 3, 13], rtol=1e-6)
    assert (below[0] == 10).all()
    assert occupied.tolist() == [[False] * 4, [True, False, False, False]]


def test_a_halo_does_not_lie_on_a_cell():
    mask = np.zeros((1, 6), bool)
    mask[0, 0] = True
    below, occupied = np.zeros((1, 6), np.float32), np.ones((1, 6), bool)
    frame.paste(below, occupied, Placed(sprite(mask, 100, 1.0, 50), 0, 0))
    # The skirt fades over 2.5 pixels, linearly.
    np.testing.assert_allclose(below[0], [100, 60, 20, 0, 0, 0], atol=3)


def cells_of(polygons, shape):
    return frame.drawn_cells(polygons, shape)


def test_a_cell_is_cut_without_its_neighbour():
    image = np.full((60, 80), 100, np.uint8)
    image[20:30, 20:30], image[20:30, 30:40] = 150, 50
    cells = cells_of([square(20, 20, 10), square(20, 30, 10)], image.shape)
    covered = np.zeros(image.shape, np.int32)
    for cell in cells:
        covered[cell.place] += cell.mask
    ground = background.estimate(image, covered > 0)
    profiles = sprites.rim_profiles(covered, ground)
    left = sprites.cut([0], cells, covered, ground, profiles)
    inner = left.mask & (background.distance_to(~left.mask) > sprites.EDGE)
    np.testing.assert_allclose(left.values[inner], 50, atol=0.5)
    assert left.area == 100 and left.weight[left.mask].min() == 1
    # To the right of it was the other cell; to the left its own halo.
    rows = slice(sprites.MARGIN + 2, sprites.MARGIN + 8)
    assert (left.weight[rows, sprites.MARGIN + 10 :] == 0).all()
    assert (left.weight[rows, sprites.MARGIN - 3 : sprites.MARGIN] == 1).all()
    assert 0.1 < left.torn_share < 0.5
    both = sprites.cut([0, 1], cells, covered, ground, profiles)
    assert both.torn_share == 0 and both.area == 200
    assert (both.halo == 0).all()


def test_what_overlaps_much_stays_together():
    shape = (100, 100)
    cells = cells_of(
        [square(10, 10, 10), square(10, 15, 10), square(10, 25, 10), square(40, 50, 10)], shape
    )
    pairs = clumps.neighbours(cells, np.zeros(shape, np.float32))
    assert pairs.overlapping == pairs.bound == [(0, 1)] and pairs.touching == [(0, 1), (1, 2)]
    random, all_of_them = np.random.default_rng(0), range(4)
    parts = clumps.parted(cells, all_of_them, shape, pairs, mean_cells=1, tear=True, random=random)
    assert sorted(parts) == [[0, 1], [2], [3]]
    whole = clumps.parted(cells, all_of_them, shape, pairs, mean_cells=1, tear=False, random=random)
    assert sorted(whole) == [[0, 1, 2], [3]]
    some = clumps.parted(cells, [0, 2, 3], shape, pairs, mean_cells=1, tear=False, random=random)
    assert sorted(some) == [[0], [2], [3]]


def test_a_cell_that_the_frame_cuts_is_not_pasted():
    """Nor one that overlaps it; those that only touch are."""
    shape = (60, 80)
    cells = cells_of(
        [square(0, 10, 10), square(5, 10, 10), square(15, 10, 10), square(30, 30, 10)], shape
    )
    pairs = clumps.neighbours(cells, np.zeros(shape, np.float32))
    assert clumps.usable(cells, shape, pairs) == [2, 3]
    only = cells[:1]
    pairs = clumps.neighbours(only, np.zeros(shape, np.float32))
    assert clumps.usable(only, shape, pairs) == [0]


# The background


def test_a_background_without_noise_is_left_as_it_was():
    image = np.full((80, 100), 120, np.uint8)
    image[30:50, 40:60] = 200
    ground = background.estimate(image, image > 150)
    assert ground.level == pytest.approx(120, abs=0.01)
    assert np.abs(ground.erased(np.random.default_rng(0))).max() < 0.01


def test_erased_places_are_as_noisy_as_the_others():
    random = np.random.default_rng(0)
    white = random.normal(0, 3, (200, 260))
    noise = (white + np.roll(white, 1, 1)) / 2**0.5  # neighbours in a row go together
    image = np.clip(np.rint(128 + noise), 0, 255).astype(np.uint8)
    cells = np.zeros(image.shape, bool)
    cells[20:180, 60:160] = True
    image[cells] = 250
    ground = background.estimate(image, cells)
    erased = ground.erased(np.random.default_rng(1))
    edge = (ground.cover > 0) & (ground.cover < 1)
    for part in (cells, edge):
        assert erased[part].std() == pytest.approx(3, rel=0.12)
    inner = erased[20:180, 60:160]
    along = np.mean(inner[:, 1:] * inner[:, :-1]) / inner.var()
    across = np.mean(inner[1:] * inner[:-1]) / inner.var()
    assert along == pytest.approx(0.5, abs=0.08) and across == pytest.approx(0, abs=0.08)
    far = ground.cover == 0
    assert np.array_equal(np.rint(ground.level + erased)[far], image[far])


def test_a_cell_without_an_outline_is_taken_away_and_debris_stays():
    random = np.random.default_rng(0)
    image = np.rint(random.normal(120, 2, (160, 200)))
    known, unknown, speck = (
        (slice(20, 50), slice(20, 50)),
        (slice(80, 120), slice(54, 90)),
        (130, 160),
    )
    for place in (known, unknown):
        image[place] += random.normal(0, 25, image[place].shape)
    image[130:133, 160:163] = 200
    cells = np.zeros(image.shape, bool)
    cells[known] = True
    ground = background.estimate(image.clip(0, 255).astype(np.uint8), cells, area=900)
    assert ground.strange[unknown].mean() > 0.95 and not ground.strange[cells].any()
    assert ground.erased(random)[unknown].std() < 4
    assert not ground.strange[speck] and ground.erased(random)[speck] > 50
    all_outlined = background.estimate(image.clip(0, 255).astype(np.uint8), cells)
    assert not all_outlined.strange.any()


# Density


def test_levels_lie_on_the_growth_curve():
    asked = levels(0.5, 200, 1, (0.01, 0.99), np.random.default_rng(0))
    # A doubling time of logistic growth from one half: odds of one half, and of two.
    assert 1 / 3 <= min(asked) < 0.34 and 0.66 < max(asked) <= 2 / 3
    few = levels(0.5, 3, 1, (0.01, 0.99), np.random.default_rng(0))
    assert few == asked[:3]
    for own in (0.0, 0.001, 0.3, 0.9, 1.0):
        asked = levels(own, 9, 2, RANGE, np.random.default_rng(1))
        assert all(RANGE[0] - 1e-9 <= level <= RANGE[1] + 1e-9 for level in asked)


@pytest.fixture(scope="module", params=["BV2", "A172"])
def made(request):
    image, cells = simulated(request.param)
    return image, cells, extended(image, cells, count=4)


def test_confluence_is_as_asked(made):
    image, cells, frames = made
    largest = max(np.count_nonzero(cell.mask) for cell in cells_of(cells, image.shape))
    for found in frames:
        assert RANGE[0] * 0.5 < found.confluence <= RANGE[1]
        assert abs(found.confluence - found.asked) < largest / image.size + 0.02
        painted = labels.rasterize(_segmentations(found), *image.shape) > 0
        assert painted.mean() == pytest.approx(found.confluence, abs=0.01)
    assert len({found.confluence for found in frames}) == 4


@pytest.mark.parametrize("policy", sorted(labels.OVERLAP))
@pytest.mark.parametrize("cell_type", ["BV2", "A172"])
def test_no_cell_is_lost_under_others(cell_type, policy):
    """Where none is in the source: those may lie on each other as they do there."""
    from pycocotools import mask

    image, cells = simulated(cell_type, hours=60)
    apart = labels.rasterize(cells, *image.shape)
    whole = [
        mask.encode(np.asfortranarray(apart == value, np.uint8)) for value in np.unique(apart)[1:]
    ]
    for found in extended(image, whole, count=3, confluence=(0.3, 0.7)):
        segmentations = _segmentations(found)
        alone = [np.count_nonzero(labels.rasterize([one], *image.shape)) for one in segmentations]
        painted = np.bincount(
            labels.rasterize(segmentations, *image.shape, policy).ravel(),
            minlength=len(segmentations) + 1,
        )[1:]
        assert len(alone) > 10
        assert (painted >= (1 - HIDDEN) * np.array(alone)).all()


def test_the_same_whatever_else_is_asked(made):
    image, cells, frames = made
    again = extended(image, cells, count=2)
    assert [f.image.tobytes() for f in again] == [f.image.tobytes() for f in frames[:2]]
    for changed in ({"key": "other"}, {"seed": 1}):
        other = extended(image, cells, count=1, **changed)[0]
        assert not np.array_equal(other.image, frames[0].image)


def test_grey_values_are_those_of_the_source():
    """Pixel by pixel, in one of eight orientations; and nothing of it stays where it was."""
    image = np.full((100, 140), 120, np.uint8)
    cell = np.random.default_rng(0).integers(90, 200, (24, 18)).astype(np.uint8)
    image[40:64, 50:68] = cell
    outline = [[50, 40, 68, 40, 68, 64, 50, 64]]
    whole, orientations = 0, set()
    for found in extended(image, [outline], count=8, confluence=(0.05, 0.3)):
        painted = labels.rasterize(_segmentations(found), *image.shape, "earlier")
        for value in range(1, painted.max() + 1):
            rows, columns = np.nonzero(painted == value)
            seen = found.image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            equal = [np.array_equal(turned(cell, number), seen) for number in range(COUNT)]
            if len(rows) == cell.size and any(equal):
                whole += 1
                orientations.add(equal.index(True))
        away = background.distance_to(painted > 0)
        assert (found.image[away > background.REACH] == 120).all()
    assert whole > 15 and len(orientations) > 4


def test_run_lengths_and_images_without_cells():
    from pycocotools import mask

    image, cells = simulated("BV2")
    drawn = [labels.rasterize([cell], *image.shape).astype(np.uint8) for cell in cells]
    encoded = [mask.encode(np.asfortranarray(cell)) for cell in drawn]
    by_mask, by_polygon = (extended(image, given, 1)[0] for given in (encoded, cells))
    assert np.array_equal(by_mask.image, by_polygon.image)
    assert all(isinstance(outline, np.ndarray) for outline in by_mask.outlines)
    first, second = (
        labels.rasterize(_segmentations(found), *image.shape) > 0 for found in (by_mask, by_polygon)
    )
    assert np.mean(first != second) < 0.01
    empty = extended(image, [], 1)[0]
    assert empty.outlines == [] and empty.confluence == 0
    full = np.full(SIZE, 128, np.uint8)
    assert extended(full, [square(0, 0, 200)], 1)[0].image.shape == SIZE


def test_a_layout_refuses_what_would_hide_a_cell():
    mask = np.ones((20, 20), bool)
    layout = Layout((40, 40))
    one = sprite(mask, 1, 1.0)
    assert layout._try(one, 0, 0, 0.1, 1600) and layout.covered == 400
    assert not layout._try(one, 0, 10, 0.1, 1600)  # half of it on the first
    assert not layout._try(one, 0, 20, 0.1, 399)  # no room for so many pixels
    assert not layout._try(one, 0, 36, 0.1, 1600)  # hardly in the frame
    assert layout._try(one, 0, 19, 0.1, 1600)
    assert layout.covered == 780 and layout.owner.max() == 1


@pytest.mark.parametrize("side", [3, 40])
def test_places_are_judged_exactly(side):
    """Also by large masks, for which OpenCV transforms."""
    random = np.random.default_rng(side)
    image, mask = (
        layouts._shrunk(random.random((GRID * edge, GRID * edge)) > 0.5) for edge in (70, side)
    )
    image[: side + 9] = 0
    windows = np.lib.stride_tricks.sliding_window_view(image.astype(float), mask.shape)
    direct = np.einsum("ijkl,kl->ij", windows, mask.astype(float))
    assert np.array_equal(layouts._matches(image, mask), direct)


def test_no_cell_is_used_over_and_over(monkeypatch):
    """Cells are recognised by their areas, which turning does not change."""
    image, cells = simulated("BV2", hours=60)
    drawn, paint = [], frame._paint
    monkeypatch.setattr(
        frame, "_paint", lambda layout, *rest: drawn.append(layout) or paint(layout, *rest)
    )
    found = extended(image, cells, count=4, confluence=(0.05, 0.6))
    own = cells_of(cells, image.shape)
    pairs = clumps.neighbours(own, np.zeros(image.shape, np.float32))
    areas = Counter(np.count_nonzero(own[n].mask) for n in clumps.usable(own, image.shape, pairs))
    for layout, one in zip(drawn, found, strict=True):
        placed = Counter(
            np.count_nonzero(cell.mask) for item in layout.placed for cell in item.sprite.cells
        )
        assert set(placed) <= set(areas)
        mean = one.asked * image.size / sum(area * n for area, n in areas.items())
        most = frame.MOST_COPIES * max(mean, 1) + 1
        assert all(copies <= most * areas[area] for area, copies in placed.items())


def _segmentations(found):
    return [record["segmentation"] for record in writing.records(found)]


# On disk


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Image and cell tables of two real images, one of each of two cell types."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "images").mkdir()
    listed, outlines = [], []
    for number, name in enumerate(["BV2_Phase_A4_1_00d12h00m_1", "A172_Phase_C7_1_00d20h00m_4"]):
        image, cells = simulated(name.partition("_")[0])
        (folder / f"images/{name}.tif").write_bytes(as_tiff(image))
        listed.append({"id": number, "file_name": f"{name}.tif",
                       "height": SIZE[0], "width": SIZE[1]})  # fmt: skip
        outlines += [{"id": len(outlines) + n, "image_id": number, "category_id": 1,
                      "segmentation": cell} for n, cell in enumerate(cells)]  # fmt: skip
    (folder / "train.json").write_text(json.dumps({"images": listed, "annotations": outlines}))
    source = {"images": str(folder / "images"), "annotations": {"train": f"{folder}/train.json"}}
    annotations.parse(source, folder / "tables")
    return folder / "tables"


def write(tables, folder, **changed):
    settings = {"count": 2, "doublings": 2, "confluence": RANGE, "seed": 0, **changed}
    writing.write(tables / "train.images.parquet", tables / "train.cells.parquet",
                  folder / "source.json", "train", **settings)  # fmt: skip
    return json.loads((folder / "source.json").read_text())


@pytest.fixture(scope="module")
def written(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    return folder, write(tables, folder)


def test_the_same_bytes_for_any_number_of_processes(tables, written, tmp_path):
    folder, source = written
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "old.tif").write_text("of an earlier call")
    again = write(tables, tmp_path, processes=2)
    assert again["digest"] == source["digest"]
    for path in sorted(folder.rglob("*.tif")):
        assert path.read_bytes() == (tmp_path / path.relative_to(folder)).read_bytes()
    assert len(list(tmp_path.rglob("*.tif"))) == 4
    assert write(tables, tmp_path, seed=1)["digest"] != source["digest"]


def test_labels_are_the_outlines_of_the_json(written, tmp_path):
    """Parsed, rasterised and tiled as any data set; every image names its source."""
    from cellseg.data import rasterize_split

    folder, source = written
    annotations.parse(source, tmp_path, "keep")
    paths = [tmp_path / f"train.{kind}.parquet" for kind in ("images", "cells")]
    table = pd.read_parquet(paths[0])
    assert sorted(table["cell_type"]) == ["A172", "A172", "BV2", "BV2"]
    assert {names.source_of(key) for key in table["image"]} == {
        "BV2_Phase_A4_1_00d12h00m_1", "A172_Phase_C7_1_00d20h00m_4"
    }  # fmt: skip
    assert (pd.read_csv(tmp_path / "problems.csv")["action"] != "dropped").all()
    rasterize_split.write(*paths, tmp_path / "labels.npz", tmp_path / "cells.npz")
    content = json.loads((folder / "train.json").read_text())
    identities = [annotation["id"] for annotation in content["annotations"]]
    assert len(identities) == len(set(identities)) == table["n_cells"].sum()
    with np.load(tmp_path / "labels.npz") as painted:
        for listed in content["images"]:
            mine = [a["segmentation"] for a in content["annotations"]
                    if a["image_id"] == listed["id"]]  # fmt: skip
            key = listed["file_name"].rpartition("/")[2].removesuffix(".tif")
            expected = labels.rasterize(mine, listed["height"], listed["width"])
            assert np.array_equal(painted[key], expected)
            assert reading.read(folder / "images" / listed["file_name"]).shape == SIZE
    for _, height, width, cells, areas in annotation_tables.segmentations(*paths):
        pixels = np.bincount(labels.rasterize(cells, height, width, "later").ravel())[1:]
        assert areas.sum() == pytest.approx(pixels.sum(), rel=0.1)


# In training


def _tiles(path, keys):
    with stack_writer(path.with_suffix(".labels.npz")) as add:
        for key in keys:
            add(key, np.ones((32, 32), np.int32))
    image = path.parent / "any.tif"
    image.write_bytes(as_tiff(np.zeros((32, 32), np.uint8)))
    tiles.write(keys, [reading.Picture(image, (32, 32))] * len(keys),
                path.with_suffix(".labels.npz"), path, size=32)  # fmt: skip
    return str(path)


def run(folder, subset, seed=0, count=2):
    """Names of the images that a run with synthetic images trains and validates on."""
    real = {"train": [f"BV2_Phase_A{n}_1_00d00h00m_1" for n in range(1, 9)],
            "val": [f"BV2_Phase_B{n}_1_00d00h00m_1" for n in range(1, 3)]}  # fmt: skip
    paths, listed, synthetic = {}, [], []
    for split, keys in real.items():
        paths[split] = _tiles(folder / f"{split}.npz", keys)
        made = [names.name(key, n) for key in keys for n in range(1, count + 1)]
        synthetic.append(_tiles(folder / f"synthetic-{split}.npz", made))
        table = pd.DataFrame({"image": keys, "split": split, "order": range(len(keys))})
        table = table.assign(n_cells=2, cell_type="BV2", well=[key.split("_")[2] for key in keys])
        listed.append(folder / f"{split}.parquet")
        table.to_parquet(listed[-1])
    seen = {}

    def train(settings, train, validation, folder, state, weights):
        for name, stream in (("train", train), ("val", validation)):
            seen[name] = stream.tiles.image[stream.index].tolist()
            seen[f"{name} stream"] = stream
        return pd.DataFrame({"epoch": [1], "seconds": [2.0]})

    family = SimpleNamespace(set_threads=lambda n: None, train=train, versions=dict,
                             device=lambda: "cpu", parameters=lambda settings: 1)  # fmt: skip
    whole = {"cell_types": [], "fraction": 1, "selection": "seeded", "validation": "official"}
    settings = {
        "subset": {**whole, **subset}, "seed": seed, "model": {}, "heads": {"fgbg": {}},
        "tiling": {"mode": "cut", "size": 32, "tile_overlap": 0},
        "training": {"rotation": 10, "zoom": 2, "flips": False, "intensity": {}, "batch_size": 3,
                     "epochs": 1, "normalization": "percentile", "warp": "targets"},
    }  # fmt: skip
    if subset.get("validation") != "by-well":
        del synthetic[1]
    extension = synthetic if "synthetic_per_image" in subset else []
    train_run.train(settings, paths, listed, extension, None, "code", family, folder, 1)
    seen["provenance"] = json.loads((folder / "provenance.json").read_text())
    return seen, real


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("validation", ["official", "by-well"])
def test_only_training_images_are_extended(tmp_path, validation, seed):
    subset = {"synthetic_per_image": 2, "validation": validation, "fraction": 0.5}
    seen, _ = run(tmp_path, subset, seed)
    trained = [key for key in seen["train"] if names.source_of(key) == key]
    synthetic = sorted(set(seen["train"]) - set(trained))
    assert sorted(trained) == sorted(seen["provenance"]["train_images"]) and 3 <= len(trained) <= 5
    assert synthetic == sorted(names.name(key, n) for key in trained for n in (1, 2))
    assert seen["val"] == seen["provenance"]["val_images"]
    assert not {names.source_of(key) for key in seen["train"]} & set(seen["val"])
    assert seen["provenance"]["synthetic_images"] == 2 * len(trained)


def test_a_run_that_extends_nothing_is_as_it_was(tmp_path):
    seen, real = run(tmp_path, {}, seed=4)
    assert seen["train"] == real["train"] and seen["val"] == real["val"]
    assert "synthetic_images" not in seen["provenance"]
    for name in ("train", "val"):
        stream = seen[f"{name} stream"]
        assert (stream.batch_size, stream.normalization) == (3, "percentile")
        assert stream.seed == 4 and stream.targets_first and stream.heads == {"fgbg": {}}
    assert seen["train stream"].augmentation == Augmentation(10, 2, False)
    assert seen["train stream"].shuffle and not seen["val stream"].shuffle
    assert seen["val stream"].augmentation is None


def test_synthetic_images_that_lack_are_noticed(tmp_path):
    with pytest.raises(UserError, match="16 synthetic images of the 8 training images, not 24"):
        run(tmp_path, {"synthetic_per_image": 3})


def test_names_tell_the_source():
    assert names.source_of(names.name("a~1", 12)) == "a~1"
    assert names.source_of("a~synthetic-x") == "a~synthetic-x"
    assert names.made_of(["a", "a~synthetic-1", "b~synthetic-1"], ["a"]) == ["a~synthetic-1"]


# Compared with real images


def test_principal_components_of_points_on_a_line():
    values = np.outer(np.arange(-3.0, 4), [0.6, 0.8, 0])
    axes, shares = comparison.principal_components(values)
    assert axes[0] == pytest.approx([0.6, 0.8, 0])
    assert shares == pytest.approx([1, 0])


def test_features_by_eye():
    image = np.full((100, 100), 50, np.uint8)
    painted = np.zeros((100, 100), np.int32)
    painted[10:20, 10:20], painted[10:20, 20:30], painted[60:80, 40:80] = 1, 2, 3
    image[painted > 0] = 90
    found = features.features(image, painted)
    assert list(found) == list(features.FEATURES)
    assert sorted(name for group in features.GROUPS.values() for name in group) == sorted(found)
    assert found["cells"] == pytest.approx(np.log(30))
    assert found["confluence"] == pytest.approx(0.1)
    assert found["area"] == pytest.approx(np.log(100))
    assert found["elongation"] == pytest.approx(1) and found["solidity"] == 1
    # Two columns of each of the first two; edges of 36 pixels, 36 and 116 without them.
    assert found["contact"] == pytest.approx(2 * 20 / (2 * (36 + 8) + 116))
    assert found["edge_brightness"] == 40 and found["noise"] == 0
    assert found["cell_contrast"] == 0 and found["halo_contrast"] == 0


def test_the_report_compares_what_is_alike(tables, written, tmp_path):
    from cellseg.data import rasterize_split

    folder, _ = written
    annotations.parse(json.loads((folder / "source.json").read_text()), tmp_path, "keep")
    pairs = []
    for number, where in enumerate((tables, tmp_path)):
        listed = where / "train.images.parquet"
        painted = tmp_path / f"labels-{number}.npz"
        rasterize_split.write(
            listed, where / "train.cells.parquet", painted, tmp_path / "cells.npz"
        )
        pairs.append((listed, painted))
    kinds = {"features": "csv", "distances": "csv", "png": "png", "pdf": "pdf", "caption": "rst"}
    outputs = {name: tmp_path / f"{name}.{suffix}" for name, suffix in kinds.items()}
    # Two lie on a line; a third, which is the first again, makes a plane of them.
    with pytest.raises(
        UserError, match=r"train\.images\.parquet: 2 of its images .* need 3 at least"
    ):
        synthesis_report.write(*pairs, outputs, "synthetic", processes=1)
    assert not any(path.exists() for path in outputs.values())
    listed, painted = pairs[0]
    two, labels = pd.read_parquet(listed), np.load(painted)
    third = two.iloc[[0]].assign(image="BV2_Phase_A4_1_00d16h00m_1")
    listed = tmp_path / "three.parquet"
    annotation_tables.write_images(listed, pd.concat([two, third], ignore_index=True))
    files = [(name, labels[name]) for name in two["image"]]
    write_stack(tmp_path / "three.npz", [*files, (third["image"].item(), files[0][1])])
    pairs[0] = listed, tmp_path / "three.npz"
    synthesis_report.write(*pairs, outputs, "synthetic", processes=1)
    table = pd.read_csv(outputs["features"])
    assert table["kind"].tolist() == ["real"] * 3 + ["synthetic"] * 4
    assert table[list(features.FEATURES)].notna().all(axis=None)
    real = table[table["kind"] == "real"]
    assert real["component_1"].sum() == pytest.approx(0, abs=1e-3)
    distances = pd.read_csv(outputs["distances"])
    assert distances["cell_type"].unique().tolist() == ["all", "A172", "BV2"]
    first = distances.iloc[0]
    assert first["features"] == "all" and first["synthetic_images"] == 4
    assert np.isfinite(first["energy_distance"]) and np.isnan(first["exchanged_95"])
    assert outputs["png"].stat().st_size > 5000 and outputs["pdf"].stat().st_size > 5000
    with pytest.raises(UserError, match=r"empty\.parquet: 0 of its images have cells"):
        empty = pd.read_parquet(pairs[0][0]).assign(n_cells=0)
        annotation_tables.write_images(tmp_path / "empty.parquet", empty)
        synthesis_report.write((tmp_path / "empty.parquet", pairs[0][1]), pairs[1], outputs, "x", 1)
    with pytest.raises(UserError, match=r"empty\.parquet: 0 .* need 1 at least"):
        synthesis_report.write(pairs[0], (tmp_path / "empty.parquet", pairs[0][1]), outputs, "x", 1)
