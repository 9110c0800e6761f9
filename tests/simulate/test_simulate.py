"""The simulator writes what LIVECell looks like, and always the same."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from pycocotools import mask
from pycocotools.coco import COCO
from skimage.draw import polygon2mask

from cellseg.errors import UserError
from cellseg.simulate import sheet, views, writing
from cellseg.simulate.cell_types import CELL_TYPES
from cellseg.simulate.frame import simulate_frame

SIZE = {"height": 128, "width": 160}
COUNTS = {"train": 4, "val": 1, "test": 1}
TYPES = ["BV2", "MCF7"]


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def annotations(folder: Path, split: str) -> dict:
    path = folder / "annotations" / "LIVECell" / f"livecell_coco_{split}.json"
    return json.loads(path.read_text())


def wells(folder: Path, split: str) -> set[tuple[str, str]]:
    names = [image["file_name"].split("_") for image in annotations(folder, split)["images"]]
    return {(name[0], name[2]) for name in names}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "livecell"
    writing.write_dataset(folder, COUNTS, TYPES, **SIZE, seed=3)
    return folder


def test_same_seed_same_bytes_whatever_was_there_before(dataset, tmp_path):
    again = tmp_path / "again"
    writing.write_dataset(again, {"test": 1}, ["A172"], **SIZE, seed=1)
    writing.write_dataset(again, COUNTS, TYPES, **SIZE, seed=3)
    assert contents(again) == contents(dataset)
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_another_seed_gives_another_data_set(dataset, tmp_path):
    writing.write_dataset(tmp_path / "other", COUNTS, TYPES, **SIZE, seed=4)
    images = {data for name, data in contents(dataset).items() if name.endswith(".tif")}
    others = {data for name, data in contents(tmp_path / "other").items() if name.endswith(".tif")}
    assert len(images) == len(others) == 12
    assert not images & others


def test_another_seed_gives_another_frame_of_the_same_place(tmp_path, monkeypatch):
    monkeypatch.setattr(
        writing, "draw", lambda kinds, split, count, _: views.draw(kinds, split, count, 0)
    )
    for seed in (1, 2):
        writing.write_dataset(tmp_path / str(seed), {"test": 1}, ["BV2"], **SIZE, seed=seed)
    first, second = (
        {name: data for name, data in contents(tmp_path / seed).items() if name.endswith(".tif")}
        for seed in "12"
    )
    assert first.keys() == second.keys() and first != second


def test_frames_do_not_depend_on_the_other_types(dataset, tmp_path):
    writing.write_dataset(tmp_path / "bv2", COUNTS, ["BV2"], **SIZE, seed=3)
    whole, part = contents(dataset), contents(tmp_path / "bv2")
    images = [name for name in part if name.endswith(".tif")]
    assert len(images) == 6
    assert all(whole[name] == part[name] for name in images)


def test_layout_is_livecells(dataset):
    for kind in TYPES:
        for group, count in (("train_val", 5), ("test", 1)):
            images = dataset / "images" / f"livecell_{group}_images" / kind
            assert len(list(images.glob(f"{kind}_Phase_*.tif"))) == count
        single = dataset / "annotations" / "LIVECell_single_cells" / kind.lower()
        assert sorted(path.name for path in single.iterdir()) == [
            "test.json",
            "train.json",
            "val.json",
        ]
    # Eight training images: every 4th and every 2nd exist, every 20th would be next to nothing.
    sizes = dataset / "annotations" / "LIVECell_dataset_size_split"
    found = {path.name: json.loads(path.read_text()) for path in sizes.iterdir()}
    assert sorted(found) == ["3_train25percent.json", "4_train50percent.json"]
    images = annotations(dataset, "train")["images"]
    assert found["3_train25percent.json"]["images"] == images[::4]
    wanted = {image["id"] for image in images[::4]}
    assert {cell["image_id"] for cell in found["3_train25percent.json"]["annotations"]} == wanted


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_json_is_shaped_like_livecells(dataset, split, capsys):
    coco = COCO(dataset / "annotations" / "LIVECell" / f"livecell_coco_{split}.json")
    capsys.readouterr()
    content = annotations(dataset, split)
    assert list(content) == ["info", "licenses", "categories", "images", "annotations"]
    assert content["categories"] == [{"supercategory": "cell", "id": 1, "name": "cell"}]
    identities = [*coco.imgs, *coco.anns]
    assert len(identities) == len(content["images"]) + len(content["annotations"])
    assert len(set(identities)) == len(identities)
    assert max(identities) > len(identities)  # sparse
    for image in content["images"]:
        assert list(image) == ["id", "width", "height", "file_name", "original_filename", "url"]
        assert image["original_filename"] == image["file_name"].replace(".tif", ".png")
        group = "test" if split == "test" else "train_val"
        kind = image["file_name"].split("_")[0]
        path = dataset / "images" / f"livecell_{group}_images" / kind / image["file_name"]
        assert tifffile.imread(path).shape == (image["height"], image["width"]) == (128, 160)
        assert len(coco.getAnnIds(image["id"])) >= 3


def test_outlines_lie_in_the_frame_and_measure_what_they_say(dataset):
    for cell in annotations(dataset, "train")["annotations"]:
        (polygon,) = cell["segmentation"]
        points = np.reshape(polygon, (-1, 2))
        assert len(points) >= 4
        assert (points[0] != points[-1]).any()  # unclosed
        assert (points >= 0).all() and (points <= (160, 128)).all()
        x, y, width, height = cell["bbox"]
        assert np.allclose([points.min(0), np.ptp(points, axis=0)], [(x, y), (width, height)])
        pixels = int(mask.area(mask.frPyObjects([polygon], 128, 160)[0]))
        assert pixels == pytest.approx(cell["area"], abs=6 + 1.5 * np.sqrt(cell["area"]))


def test_outlines_follow_what_the_image_shows(dataset):
    """Grey values vary inside cells far more than in the background."""
    content = annotations(dataset, "test")
    for image in content["images"]:
        kind = image["file_name"].split("_")[0]
        path = dataset / "images" / "livecell_test_images" / kind / image["file_name"]
        inside = np.zeros((128, 160), bool)
        for cell in content["annotations"]:
            if cell["image_id"] == image["id"]:
                points = np.reshape(cell["segmentation"], (-1, 2)) - 0.5
                inside |= polygon2mask((128, 160), points[:, ::-1])
        grey = tifffile.imread(path).astype(float)
        assert grey[inside].std() > 4 * grey[~inside].std()


def test_splits_share_no_well(dataset):
    train, val, test = (wells(dataset, split) for split in ("train", "val", "test"))
    assert train and val and test
    assert not train & val and not train & test and not val & test


def test_images_are_lzw_tiffs_with_predictor_about_grey_128(dataset):
    for path in sorted(dataset.rglob("*.tif")):
        with tifffile.TiffFile(path) as file:
            tags = file.pages[0].tags
            assert tags["Compression"].value == tifffile.COMPRESSION.LZW
            assert tags["Predictor"].value == tifffile.PREDICTOR.HORIZONTAL
            image = file.asarray()
        assert image.dtype == np.uint8
        assert 126 <= np.median(image) <= 130  # 128 in all of LIVECell's that were measured


@pytest.mark.parametrize("name", sorted(CELL_TYPES))
def test_every_type_makes_cells(name):
    kind = CELL_TYPES[name]
    early, late = (
        simulate_frame(kind, hours, 256, 256, np.random.default_rng(5)) for hours in (0, 92)
    )
    assert len(late.outlines) > len(early.outlines) > 0
    areas = [sheet.area(outline) for outline in late.outlines]
    assert 0.5 < np.median(areas) / (np.pi * kind.radius**2) < 1.5


def test_a_folder_with_foreign_files_is_left_alone(dataset, tmp_path):
    folder = tmp_path / "mine"
    writing.write_dataset(folder, {"test": 1}, ["SkBr3"], **SIZE)
    (folder / "images" / "notes.txt").write_text("precious")
    before = contents(folder)
    with pytest.raises(UserError, match=r"notes\.txt"):
        writing.write_dataset(folder, {"test": 1}, ["SkBr3"], **SIZE, seed=1)
    assert contents(folder) == before
    (folder / writing.MARKER).unlink()
    with pytest.raises(UserError, match="no simulation's"):
        writing.write_dataset(folder, {"test": 1}, ["SkBr3"], **SIZE)


def test_a_failure_leaves_the_previous_simulation(tmp_path, monkeypatch):
    folder = tmp_path / "simulated"
    writing.write_dataset(folder, {"test": 1}, ["SkBr3"], **SIZE)
    before = contents(folder)

    def disk_full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(writing, "_write_annotations", disk_full)
    with pytest.raises(OSError, match="no space"):
        writing.write_dataset(folder, {"test": 1}, ["SkBr3"], **SIZE, seed=1)
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["simulated"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": {"training": 1}}, "'training' is not one of train, val, test"),
        ({"images": {"train": 0}}, "at least one image"),
        ({"images": {"train": -1}}, "must be 0 to 1152"),
        ({"images": {"val": 577}}, "must be 0 to 576"),
        ({"images": {"train": 1}, "cell_types": ["HeLa"]}, "'HeLa' is not one of A172"),
        ({"images": {"train": 1}, "cell_types": ["BV2", "BV2"]}, "each once"),
        ({"images": {"train": 1}, "cell_types": []}, "at least one"),
        ({"images": {"train": 1}, "height": 20}, "20 x 704 pixels are too small"),
    ],
)
def test_mistakes_are_named_before_anything_is_written(arguments, message, tmp_path):
    with pytest.raises(UserError, match=message):
        writing.write_dataset(tmp_path / "new", **arguments)
    assert not list(tmp_path.iterdir())


def test_a_full_series_names_every_view_once():
    drawn = views.draw([CELL_TYPES["Huh7"]], "val", 576, seed=0)
    assert len({view.stem for view in drawn}) == 576 == views.capacity("val")


def test_outline_of_a_square_is_the_square():
    depth = np.full((7, 8), -1, np.float32)
    depth[2:5, 3:6] = 1
    polygon = sheet.outline(depth, 0.2)
    # Three pixels wide with half a pixel on either side for the slope from 1 to -1, less corners.
    assert polygon.min(0) == pytest.approx([3, 2])
    assert polygon.max(0) == pytest.approx([6, 5])
    assert sheet.area(polygon) == pytest.approx(9 - 4 * 0.125)


def test_outline_ends_at_the_border_of_the_frame():
    polygon = sheet.outline(np.ones((4, 5), np.float32), 0.2)
    assert polygon.min(0) == pytest.approx([0, 0])
    assert polygon.max(0) == pytest.approx([5, 4])


def test_nothing_visible_has_no_outline():
    assert sheet.outline(np.full((4, 5), -1, np.float32), 0.2) is None
