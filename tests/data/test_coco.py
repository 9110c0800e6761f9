"""COCO files as the programs of this world write them: read correctly, or refused by name."""

import json

import numpy as np
import pytest
from pycocotools import mask

from cellseg.data import coco, rasterize, run_lengths
from cellseg.data.coco_cells import BBOX
from cellseg.errors import UserError
from cellseg.io import json_stream

IMAGE = {"id": 1, "file_name": "a.tif", "height": 64, "width": 80}
OUTLINE = [[10.0, 10.0, 30.0, 10.0, 30.0, 40.0]]


def cell(**changed) -> dict:
    return {"id": 9, "image_id": 1, "segmentation": OUTLINE, **changed}


@pytest.fixture
def read(tmp_path):
    """Writes a COCO file and gives its table of cells, a dict of columns."""

    def run(*cells, images=(IMAGE,), text=None, prefix=b""):
        path = tmp_path / "train.json"
        text = (
            json.dumps({"images": list(images), "annotations": list(cells)})
            if text is None
            else text
        )
        path.write_bytes(prefix + (text if isinstance(text, bytes) else text.encode()))
        return coco.read_cells(path, coco.read_images(path)).table().to_pydict()

    return run


def test_a_byte_order_mark_is_skipped(read):
    assert read(cell(), prefix=b"\xef\xbb\xbf")["annotation_id"] == [9]


@pytest.mark.parametrize(
    "area", [float("nan"), float("inf"), float("-inf"), None, -4, 0, "200", [200]]
)
def test_an_area_that_is_no_positive_number_is_computed(read, area):
    assert read(cell(area=area))["area"] == [300]
    assert read(cell(area=12.5))["area"] == [12.5]


@pytest.mark.parametrize(
    "box", [[1, 2, 3, 4, 45.0], [], None, [1, 2, None, 4], [1, 2, -3, 4], [1, 2, "3", 4], {}]
)
def test_a_box_that_is_turned_or_lacks_a_number_is_computed(read, box):
    table = read(cell(bbox=box))
    assert [table[name] for name in BBOX] == [[10], [10], [20], [30]]


def test_ids_of_any_size_and_form(read):
    uuid = 2**127
    table = read(cell(id=uuid), cell(id=7.0), cell(id="x"), cell(id=2.5), cell(id=None))
    assert table["annotation_id"] == [1, 7, 3, 4, 5]
    assert read(cell(image_id=1.0, id=3.0), images=[{**IMAGE, "id": 1.0}])["image_id"] == [1]


def test_ids_that_are_text_in_one_list_alone(read):
    assert read(cell(image_id="1"), cell())["image_id"] == [1, 1]
    assert read(cell(image_id=1), images=[{**IMAGE, "id": "1"}])["image_id"] == [1]


@pytest.mark.parametrize("form", [str, lambda number: number << 70])
def test_images_called_by_text_or_large_numbers_are_numbered(read, form):
    images = [{**IMAGE, "id": form(8)}, {**IMAGE, "id": form(5), "file_name": "b.tif"}]
    cells = [cell(image_id=form(5)), cell(image_id=form(8)), cell(image_id=form(5))]
    assert read(*cells, images=images)["image_id"] == [2, 1, 2]


def test_points_in_pairs_and_polygons_without_a_list(read):
    pairs = [[10, 10], [30, 10], [30, 40]]
    for segmentation in (pairs, [pairs], OUTLINE[0], OUTLINE):
        table = read(cell(segmentation=segmentation))
        assert table["polygons"] == [OUTLINE]
        assert table["area"] == [300]


def test_numbers_that_are_none_stay_in_texts(read):
    images = [{**IMAGE, "file_name": 'NaN, -Infinity "[[[".tif'}]
    assert read(cell(area=float("nan")), images=images)["area"] == [300]


@pytest.mark.parametrize("size", range(1, 24))
def test_words_cut_by_the_end_of_a_read(tmp_path, size):
    path = tmp_path / "a.json"
    path.write_text('{"a": [NaN,-Infinity, Infinity, -1.5, "NaN\\"[", {"I": NaN}]}')
    with json_stream.opened(path) as file:
        parts = list(iter(lambda: file.read(size), b""))
    assert json.loads(b"".join(parts)) == {"a": [[], [], [], -1.5, 'NaN"[', {"I": []}]}


HALF_ENCODED = mask.encode(np.zeros((64, 40), np.uint8, order="F"))["counts"].decode()


@pytest.mark.parametrize(
    ("rle", "reason"),
    [
        ({"size": [64, 80], "counts": [5200, -80]}, "negative number -80"),
        ({"size": [64, 80], "counts": [1 << 80]}, "add up to"),
        ({"size": [64, 80], "counts": [5119]}, "add up to 5119, but the image has 5120"),
        ({"size": [64, 80], "counts": [5120.5]}, "not all whole numbers"),
        ({"size": [64, 80], "counts": ["5120"]}, "not all whole numbers"),
        ({"size": [64, 80], "counts": "b'PnP4'"}, r"begin with b'.*decode\('ascii'\)"),
        ({"size": [64, 80], "counts": HALF_ENCODED}, "no compressed run lengths"),
        ({"size": [64, 80], "counts": "ooooooooooooooooooooooo"}, "no compressed run lengths"),
        ({"size": [64, 80], "counts": "!!"}, "no compressed run lengths"),
        ({"size": [64, 80], "counts": ""}, "no compressed run lengths"),
        ({"size": [64, 80], "counts": "é"}, "not ASCII"),
        ({"size": [64, 80], "counts": 3}, "neither text nor a list but int"),
        ({"size": [80, 64], "counts": [5120]}, r"size is \[80, 64\], but the image is \[64, 80\]"),
        ({"size": 5120, "counts": [5120]}, "size is 5120"),
        ({"counts": [5120]}, "no 'size'"),
        ({"size": [64, 80]}, "no 'counts'"),
    ],
)
def test_run_lengths_are_checked_before_pycocotools_sees_them(read, rle, reason):
    with pytest.raises(UserError, match=rf"train\.json: annotation 9: its run-length .*{reason}"):
        read(cell(segmentation=rle))
    with pytest.raises(ValueError, match=reason):
        rasterize.rasterize([rle], 64, 80)


def test_sound_run_lengths_pass(read):
    rng = np.random.default_rng(0)
    for share in (0.001, 0.02, 0.5, 1):
        drawn = np.asfortranarray(rng.random((64, 80)) < share).astype(np.uint8)
        encoded = mask.encode(drawn)
        text = encoded["counts"].decode()
        table = read(cell(segmentation={"size": [64, 80], "counts": text}))
        assert table["rle"] == [encoded["counts"]] and table["area"] == [drawn.sum()]
        # every prefix ends too early
        for length in range(0, len(text), max(1, len(text) // 50)):
            with pytest.raises(ValueError, match="no compressed"):
                run_lengths.compressed({"size": [64, 80], "counts": text[:length]}, 64, 80)


@pytest.mark.parametrize("far", [1e9, -1e9, 1e300, 2000])
@pytest.mark.parametrize("axis", [0, 1])
def test_corners_far_outside_are_refused(read, far, axis):
    outline = [10.0, 10.0, 30.0, 10.0, 30.0, 40.0]
    outline[2 + axis] = far
    with pytest.raises(UserError, match=rf"train\.json: annotation 9: .*{'xy'[axis]} = "):
        read(cell(id=3), cell(segmentation=[outline]))
    with pytest.raises(ValueError, match="far outside"):
        rasterize.rasterize([[outline]], 64, 80)
    with pytest.raises(ValueError, match="far outside"):
        rasterize.rasterize([[outline, outline]], 64, 80)


def test_corners_a_little_outside_are_drawn(read):
    outline = [[-200.0, 10.0, 500.0, 10.0, 30.0, 40.0]]
    assert read(cell(segmentation=outline))["polygons"] == [outline]


def test_how_far_outside_goes_by_the_longer_side():
    outline = [[30.0, -5900.0, 40.0, 10.0, 20.0, 10.0]]
    assert rasterize.rasterize([outline], 50, 2000)[0, 30] == 1
    with pytest.raises(ValueError, match="far outside"):
        rasterize.rasterize([outline], 50, 1900)


def test_nan_is_no_corner():
    with pytest.raises(ValueError, match="far outside"):
        rasterize.rasterize([[[1.0, 2.0, float("nan"), 4.0, 5.0, 6.0]]], 64, 80)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"segmentation": [[1, 2, 3, None, 5, 6]]}, "coordinate that is no number"),
        ({"segmentation": [[1, 2, 3, float("nan"), 5, 6]]}, "coordinate that is no number"),
        ({"segmentation": [[1, 2, 3, "4", 5, 6]]}, "coordinate that is no number"),
        ({"segmentation": [[1, 2, 3, 10**400, 5, 6]]}, "coordinate that is no number"),
        ({"segmentation": [[float("nan")] * 6]}, "coordinate that is no number"),
        ({"segmentation": [[[1, 2, 2], [3, 2, 2], [3, 4, 2]]]}, "coordinate that is no number"),
        ({"segmentation": [None]}, "coordinate that is no number"),
        ({"segmentation": [["1", "2"]]}, "coordinate that is no number"),
        ({"segmentation": [{"x": 1, "y": 2}, {"x": 3, "y": 2}]}, "is a list of objects"),
        ({"segmentation": [{"size": [64, 80], "counts": [0, 5120]}] * 2}, "is a list of objects"),
        ({"segmentation": "PnP4"}, "neither a list nor run lengths"),
        ({"segmentation": [[1, 2, 3, 4, 5, 6], 7]}, "numbers next to polygons"),
        ({"bbox": [1, 2, 3]}, r"'bbox' is \[1, 2, 3\], not x, y"),
        ({"bbox": "1 2 3 4"}, "'bbox' is 1 2 3 4, not x, y"),
        ({"iscrowd": "yes"}, "'iscrowd' is 'yes'"),
        ({"iscrowd": [1]}, "'iscrowd'"),
        ({"image_id": [1]}, "'image_id' is no number"),
    ],
)
def test_malformed_annotations_are_named(read, changed, reason):
    with pytest.raises(UserError, match=rf"train\.json: annotation 9: .*{reason}"):
        read(cell(**changed))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"id,annotation,width,height\ntr1,269 4,64,48\n", "begins with 'id,annotation,width"),
        (b"\xff\xfe{\x00}\x00", "UTF-16"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"PK\x03\x04", "zip"),
        (b"", "ends too early"),
        (b'{"images": [', "ends too early"),
        (b'{"images": [1,]}', "correct it"),
        (b'{"images": "\\udcff"}', "not UTF-8"),
        (b'{"images": "\xe4"}', "not UTF-8"),
        ('{"images": []}'.encode("utf-16-le"), "UTF-16"),
        ('{"images": []}'.encode("utf-16-be"), "UTF-16"),
        (bytes(100), "filled with zero bytes"),
        (b'{"info":' + b"[" * 10**5 + b"]" * 10**5 + b',"images":[]}', "nested more than"),
        (b"[]", "no list 'images'"),
        (b'{"images": [{"id": 1, "file_name": "a", "height": 99999, "width": 99999}]}', "pixels"),
        (b'{"images": [{"id": true, "file_name": "a", "height": 9, "width": 9}]}', "id True is no"),
    ],
)
def test_other_files_are_named_and_never_to_be_deleted(read, text, reason):
    with pytest.raises(UserError, match=rf"train\.json.*{reason}") as refused:
        read(text=text)
    assert "elete" not in str(refused.value)


def test_annotations_of_a_dict_have_their_key_unless_they_have_an_id(tmp_path):
    path = tmp_path / "train.json"
    path.write_text(json.dumps({"annotations": {"4": cell(), "5": {"image_id": 1}}}))
    assert [one["id"] for one in coco.annotations(path)] == [9, "5"]


def test_numbers_beyond_every_type(read):
    """Digits without end, as a key and as a value."""
    cells = {"9" * 5000: cell(id="9" * 5000, area=10**400, bbox=[1, 2, 10**400, 3])}
    content = {"images": [IMAGE], "annotations": cells}
    table = read(text=json.dumps(content, default=str))
    assert table["annotation_id"] == [1] and table["area"] == [300]
    assert table["bbox_x"] == [10]


def test_run_lengths_as_the_only_entry_of_a_list(read):
    rle = {"size": [64, 80], "counts": [64, 640, 4416]}
    assert read(cell(segmentation=[rle]))["area"] == [640]


def test_shares_of_width_and_height_are_no_pixels(read):
    shares = [[0.1, 0.1, 0.4, 0.1, 0.4, 1.0]]
    with pytest.raises(
        UserError, match=r"train\.json: all coordinates .* between 0 and 1.*Multiply"
    ):
        read(cell(segmentation=shares), cell(segmentation=shares))
    assert len(read(cell(segmentation=shares), cell())["area"]) == 2


def test_outlines_that_are_not_in_their_boxes_are_counted(tmp_path):
    """Swapped x and y, or run lengths along the rows."""
    along_rows = {"size": [64, 80], "counts": [10 * 80, *[4, 76] * 9, 4, 3596]}
    cells = [
        cell(bbox=[10, 10, 20, 30]), cell(bbox=[9, 9, 22, 32]), cell(bbox=[50, 20, 20, 30]),
        cell(), cell(segmentation=along_rows, bbox=[0, 10, 4, 10]),
        cell(segmentation={"size": [64, 80], "counts": [64, 640, 4416]}, bbox=[1, 0, 10, 64]),
    ]  # fmt: skip
    path = tmp_path / "train.json"
    path.write_text(json.dumps({"images": [IMAGE], "annotations": cells}))
    assert coco.read_cells(path, [{**IMAGE, "listed_id": 1}]).apart_from_box() == {1: 2}
