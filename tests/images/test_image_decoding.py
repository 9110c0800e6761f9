"""Files of every kind that microscopes and people leave: read right, or refused with a reason."""

import io
import struct

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from cellseg.apply import microscopy
from cellseg.errors import UserError
from cellseg.images import reading
from cellseg.images.decoded import Part

GREY = np.add.outer(3 * np.arange(40), 2 * np.arange(52)).astype(np.uint8)
RGB = np.dstack([GREY] * 3)
DEEP = GREY.astype(np.uint16) * 100
LOW, HIGH = np.sort(GREY, axis=None)[[2, -3]].astype(float)  # a thousandth of its 2,080 pixels
STRETCHED = np.rint((np.clip(GREY, LOW, HIGH) - LOW) / (HIGH - LOW) * 255)


def png(array: np.ndarray) -> bytes:
    return imagecodecs.png_encode(array)


def tiff(array: np.ndarray, **options) -> bytes:
    content = io.BytesIO()
    tifffile.imwrite(content, array, **options)
    return content.getvalue()


def pillow(picture: Image.Image, kind: str, **options) -> bytes:
    content = io.BytesIO()
    picture.save(content, format=kind, **options)
    return content.getvalue()


GREEN = np.zeros((3, 256), np.uint16)
GREEN[1] = np.arange(256) * 257

EXACT = {
    "big-endian.tif": tiff(GREY, byteorder=">"),
    "bigtiff.tif": tiff(GREY, bigtiff=True, byteorder=">"),
    "tiled.tif": tiff(GREY, tile=(16, 16), compression="zlib"),
    "UPPER.TIF": tiff(GREY),
    "white.tif": tiff(255 - GREY, photometric="miniswhite"),
    "transparent.tif": tiff(
        np.dstack([RGB, GREY * 0]), photometric="rgb", extrasamples=["unassalpha"]
    ),
    "grey-and-alpha.tif": tiff(
        np.dstack([GREY, GREY * 0]), photometric="minisblack", planarconfig="contig",
        extrasamples=["unassalpha"],
    ),
    "planes.tif": tiff(np.stack([GREY] * 3), photometric="rgb", planarconfig="separate"),
    "inks.tif": pillow(Image.fromarray(RGB).convert("CMYK"), "TIFF"),
    "palette.tif": tiff(
        GREY, photometric="palette", colormap=np.stack([np.arange(256) * 256] * 3).astype(np.uint16)
    ),
    "green-by-imagej.tif": tiff(GREY, imagej=True, colormap=GREEN),
    "colour.ome.tif": tiff(RGB, ome=True, photometric="rgb", metadata={"axes": "YXS"}),
    "broken-xml.tif": tiff(GREY, description="<OME foo</OME>", metadata=None),
    "tiff-named.png": tiff(GREY),
    "png-named.tif": pillow(Image.fromarray(GREY), "PNG"),
    "alpha.png": pillow(Image.fromarray(np.dstack([GREY, GREY * 0]), "LA"), "PNG"),
    "windows.bmp": pillow(Image.fromarray(GREY), "BMP"),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_pictures_of_8_bits_keep_their_grey_values(tmp_path, name):
    (tmp_path / name).write_bytes(EXACT[name])
    np.testing.assert_array_equal(reading.read(tmp_path / name), GREY)


STRETCHABLE = {
    "deep.tif": tiff(DEEP),
    "deep-big-endian.tif": tiff(DEEP, byteorder=">"),
    "packed.tif": tiff(DEEP // 10, bitspersample=12),
    "signed.tif": tiff(DEEP.astype(np.int32) - 9000),
    "float.tif": tiff(DEEP.astype(np.float64) * 1e300),
    "half.tif": tiff(GREY.astype(np.float16)),
    "white.tif": tiff(65535 - DEEP, photometric="miniswhite"),
    "white-packed.tif": tiff(4095 - DEEP // 10, bitspersample=12, photometric="miniswhite"),
    "white-signed.tif": tiff(-DEEP.astype(np.int32), photometric="miniswhite"),
    "white-float.tif": tiff(-DEEP.astype(np.float32), photometric="miniswhite"),
    "deep.png": png(DEEP),
    "deep-colour.png": png(np.dstack([DEEP // 50] * 3)),  # 12 bits: Pillow leaves 4 of them
    "deep-alpha.png": png(np.dstack([DEEP // 50, DEEP * 0])),
    "deep-colour.tif": tiff(np.dstack([DEEP] * 3), photometric="rgb"),
}


@pytest.mark.parametrize("name", STRETCHABLE)
def test_other_depths_are_stretched_alike(tmp_path, name):
    (tmp_path / name).write_bytes(STRETCHABLE[name])
    np.testing.assert_allclose(reading.read(tmp_path / name), STRETCHED, atol=1)


def test_colours_of_inks_and_palettes_are_looked_up(tmp_path):
    """Also a mask of one bit in which 0 is white, as fax machines and ImageJ write."""
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "inks.jpg", quality=100)
    np.testing.assert_allclose(reading.read(tmp_path / "inks.jpg"), GREY, atol=4)
    (tmp_path / "green.tif").write_bytes(tiff(GREY, photometric="palette", colormap=GREEN))
    np.testing.assert_array_equal(reading.read(tmp_path / "green.tif"), np.rint(GREY * 0.587))
    Image.fromarray(GREY > 99).save(tmp_path / "fax.tif", compression="group4")
    np.testing.assert_array_equal(reading.read(tmp_path / "fax.tif"), 255 * (GREY > 99))


@pytest.mark.parametrize("photometric", ["cielab", "ycbcr"])
def test_colours_that_cannot_be_read_are_refused(tmp_path, photometric):
    (tmp_path / "a.tif").write_bytes(tiff(RGB, photometric=photometric))
    message = rf"a\.tif has colours that cannot be read \({photometric.upper()}.* Save it as grey"
    with pytest.raises(UserError, match=message):
        reading.read(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("axes", "lengths", "words"),
    [
        ("ZYX", (2,), r"2 slices \(axis Z\)\. Choose one with 'page: NUMBER' in"),
        ("ZYX", (3,), r"3 slices \(axis Z\)"),
        ("TYX", (4,), r"4 times \(axis T\)"),
        ("CYX", (3,), r"3 channels \(axis C\)\. Choose one with 'channel: NUMBER' in"),
        ("ZCYX", (3, 2), r"3 slices x 2 channels \(axes ZC\).*'channel: NUMBER' and 'page: NUMBER"),
        ("ZYXS", (4,), r"4 slices \(axis Z\)"),
    ],
)
@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_pages_and_channels_are_no_colours(tmp_path, axes, lengths, words, kind):
    values = np.zeros((*lengths, 40, 52, *([3] * ("S" in axes))), np.uint8)
    options = {"photometric": "rgb"} if "S" in axes else {"photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "a.tif", values, **{kind: True}, metadata={"axes": axes}, **options)
    with pytest.raises(UserError, match=rf"a\.tif is not one picture: it holds {words}"):
        reading.read(tmp_path / "a.tif")
    assert len(microscopy.read(tmp_path / "a.tif").frames) == np.prod(lengths)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_pages_that_nothing_explains_are_no_colours(tmp_path, count):
    tifffile.imwrite(tmp_path / "a.tif", [GREY] * count, photometric="minisblack")
    with pytest.raises(UserError, match=rf"it holds {count} pages\. Choose one with 'page: NUM"):
        reading.read(tmp_path / "a.tif")
    samples = np.dstack([GREY] * count)
    tifffile.imwrite(
        tmp_path / "b.tif", samples, photometric="minisblack", planarconfig="contig",
        extrasamples=["unspecified"] * (count - 1),
    )  # fmt: skip
    with pytest.raises(UserError, match=rf"it holds {count} channels"):
        reading.read(tmp_path / "b.tif")


def test_a_channel_and_a_page_are_chosen(tmp_path):
    path = tmp_path / "a.tif"
    values = np.arange(24, dtype=np.uint8)[:, None, None] + GREY[:9, :7]
    shaped = values.reshape(2, 3, 4, 9, 7)
    tifffile.imwrite(path, shaped, imagej=True, metadata={"axes": "TZCYX"})
    np.testing.assert_array_equal(reading.read(path, part=Part(3, 5)), shaped[1, 1, 2])
    np.testing.assert_array_equal(reading.read(path, part=Part(None, 24)), shaped[1, 2, 3])
    stack = microscopy.read(path, part=Part(2))
    assert (stack.axes, stack.lengths) == ("TZ", (2, 3))
    np.testing.assert_array_equal(stack.frames, shaped[:, :, 1].reshape(6, 9, 7))
    stack = microscopy.read(path, part=Part(2, 6))
    assert (stack.axes, stack.lengths, stack.first_page) == ("", (), 6)
    for part, words in [
        (Part(5), r"has no channel 5: it has 4\. Correct 'channel'"),
        (Part(1, 7), r"has no page 7: it holds 2 times x 3 slices \(axes TZ\)\. Correct 'page'"),
    ]:
        with pytest.raises(UserError, match=rf"a\.tif {words}"):
            reading.read(path, part=part)
    Image.fromarray(np.dstack([GREY, GREY + 1, GREY + 2])).save(tmp_path / "b.png")
    np.testing.assert_array_equal(reading.read(tmp_path / "b.png", part=Part(2, 1)), GREY + 1)
    with pytest.raises(UserError, match="has no channel 4: it has 3"):
        reading.read(tmp_path / "b.png", part=Part(4))


def ome_set(folder, pages, count):
    """One page a file, with the XML of the whole set of `count` in each."""
    uuid = "urn:uuid:0000000{}-0000-0000-0000-000000000000"
    entries = "".join(
        f'<TiffData FirstC="0" FirstZ="0" FirstT="{n}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="t{n}.ome.tif">{uuid.format(n)}</UUID></TiffData>'
        for n in range(count)
    )
    height, width = pages[0].shape
    for number, page in enumerate(pages):
        xml = (
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{uuid.format(number)}"><Image ID="Image:0"><Pixels ID="Pixels:0" '
            f'DimensionOrder="XYZCT" Type="uint8" SizeX="{width}" SizeY="{height}" SizeZ="1" '
            f'SizeC="1" SizeT="{count}"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{entries}'
            "</Pixels></Image></OME>"
        )
        path = folder / f"t{number}.ome.tif"
        tifffile.imwrite(path, page, description=xml, metadata=None)


@pytest.mark.parametrize("count", [3, 5])  # of the latter two are missing
def test_a_file_of_an_ome_set_gives_its_own_page(tmp_path, count):
    pages = [GREY, GREY + 1, GREY + 2]
    ome_set(tmp_path, pages, count)
    for number, page in enumerate(pages):
        path = tmp_path / f"t{number}.ome.tif"
        np.testing.assert_array_equal(reading.read(path), page)
        assert len(microscopy.read(path).frames) == 1


def test_pages_that_ome_promises_are_not_made_up(tmp_path):
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="52" SizeY="40" SizeZ="1" '
        'SizeC="1" SizeT="5"><Channel ID="Channel:0:0" SamplesPerPixel="1"/><TiffData/></Pixels>'
        "</Image></OME>"
    )
    pages = np.stack([GREY, GREY + 1])
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, pages, description=xml, metadata=None, photometric="minisblack")
    np.testing.assert_array_equal(microscopy.read(path).frames, pages)


@pytest.mark.parametrize(
    "others",
    [
        [(GREY[::2, ::2], {"subfiletype": 1})],  # a smaller copy
        [(RGB[::4, ::4], {"subfiletype": 1, "photometric": "rgb"})],  # a thumbnail in colour
        [(GREY > 9, {"subfiletype": 4})],  # a mask
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_thumbnails_and_masks_are_no_pictures(tmp_path, others, first):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for values, options in [(GREY, {}), *others] if first else [*others, (GREY, {})]:
            file.write(values, **options)
    np.testing.assert_array_equal(reading.read(path), GREY)


def test_the_largest_level_of_a_pyramid_is_read(tmp_path):
    large = np.kron(GREY, np.ones((4, 4), np.uint8))
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        file.write(large, subifds=1, tile=(64, 64), metadata={"axes": "YX"})
        file.write(GREY, subfiletype=1, tile=(64, 64))
    np.testing.assert_array_equal(reading.read(tmp_path / "a.ome.tif"), large)


def test_a_chain_of_pages_that_is_a_circle_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    for options, place, count, entry, pointer in (
        ({}, 4, "<H", 12, "<I"), ({"bigtiff": True}, 8, "<Q", 20, "<Q"),
    ):  # fmt: skip
        content = bytearray(tiff(GREY, **options))
        (first,) = struct.unpack_from(pointer, content, place)
        (entries,) = struct.unpack_from(count, content, first)
        end = first + struct.calcsize(count) + entries * entry
        struct.pack_into(pointer, content, end, first)
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"a\.tif is broken: its pages are listed in a circle"):
            reading.read(path)


def test_pages_that_are_said_to_be_colour(tmp_path):
    """As LSM stores channels: a sample a pixel, but RGB."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY)
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags["PhotometricInterpretation"].overwrite(2)
    np.testing.assert_array_equal(reading.read(path), GREY)


def test_sizes_that_the_file_cannot_hold_are_refused(tmp_path):
    content = bytearray(tiff(GREY))
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        for tag in (256, 257):
            offset = file.pages[0].tags[tag].valueoffset
            content[offset : offset + 4] = struct.pack("<I", 10**6)
    (tmp_path / "a.tif").write_bytes(content)
    content = pillow(Image.fromarray(GREY), "BMP")
    (tmp_path / "a.bmp").write_bytes(content[:18] + struct.pack("<ii", 10**6, 10**6) + content[26:])
    for name in ("a.tif", "a.bmp"):
        with pytest.raises(UserError, match=rf"{name} says that it holds .* it is broken"):
            reading.read(tmp_path / name)


def test_empty_pictures_that_are_packed_into_almost_nothing(tmp_path):
    wide = np.zeros((3000, 9000), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", wide, compression="zstd", rowsperstrip=3000)
    Image.fromarray(wide > 0).save(tmp_path / "a.png")
    for name in ("a.tif", "a.png"):
        assert (tmp_path / name).stat().st_size < wide.size / 5000
        assert reading.read(tmp_path / name).shape == wide.shape


def test_stitched_pictures_beyond_the_limit_of_pillow(tmp_path, monkeypatch):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    np.testing.assert_array_equal(reading.read(tmp_path / "a.png"), GREY)


def test_files_that_are_no_pictures_are_refused(tmp_path):
    deep = png(np.dstack([np.random.default_rng(0).integers(0, 999, (40, 52), np.uint16)] * 3))
    # Stored without compression, so that only a checksum shows it.
    spoilt = pillow(Image.fromarray(GREY), "PNG", compress_level=0)
    spoilt = spoilt[:500] + b"\0\1" + spoilt[502:]
    for name, content, words in [
        ("empty.tif", b"", "cannot be read as an image"),
        (
            "script.png",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            "cannot be read .*cannot identify",
        ),
        ("cut.png", deep[: len(deep) // 2], "cannot be read as an image"),
        ("spoilt-deep.png", deep[:-20] + b"spoilt" + deep[-14:], "cannot be read as an image"),
        ("spoilt.png", spoilt, "cannot be read as an image"),
        ("cut.tif", tiff(GREY)[:-9], "is cut off"),
        ("complex.tif", tiff(GREY.astype(np.complex64)), "pixels of type complex64 are no grey"),
        ("nan.tif", tiff(np.where(GREY > 99, np.nan, GREY)), "not finite"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=rf"{name}.* {words}"):
            reading.read(tmp_path / name)
    (tmp_path / "link.tif").symlink_to("nowhere.tif")
    with pytest.raises(UserError, match=r"link\.tif is a link to a file that does not exist"):
        reading.read(tmp_path / "link.tif")
    with pytest.raises(UserError, match="is no regular file"):
        reading.read(tmp_path)


def test_colour_of_opencv_and_of_this_reader_agree(tmp_path):
    """Red, green and blue are not taken for blue, green and red."""
    colour = np.random.default_rng(0).integers(0, 255, (40, 52, 3)).astype(np.uint8)
    for name in ("a.png", "a16.png", "a.tif", "a.bmp"):
        deep = colour.astype(np.uint16) * 257 if "16" in name else colour
        cv2.imwrite(str(tmp_path / name), deep)
        expected = colour[..., ::-1] @ [0.299, 0.587, 0.114]
        frame = microscopy.read(tmp_path / name).frames[0]
        found = frame @ [0.299, 0.587, 0.114] / (257 if "16" in name else 1)
        np.testing.assert_allclose(found, expected, atol=1e-6)
