"""A page of what was segmented: pictures with outlines, counts, and what was skipped and why."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np

from cellseg.apply.geojson import Polygon
from cellseg.io import templates
from cellseg.io.atomic import replacing
from cellseg.io.wording import number_of

PICTURE = 640  # pixels, the longer side
LARGEST_ZOOM = 8  # of images that are smaller
PICTURES = 200  # on a page, at some 100 kB each
OTHERS = (0, 94, 213)  # vermilion, of the same palette
OUTLINE = (233, 180, 86)  # blue, green, red: the colour of predicted cells in all figures


@dataclass(frozen=True)
class Page:
    """One page of an image, as the overview shows it.

    Attributes
    ----------
    image : its path below the folder of images
    page, pages : number of this page from 1, and how many there are
    row : its row of images.csv
    picture : JPEG, or None where only the table names it
    """

    image: str
    page: int
    pages: int
    row: Mapping
    picture: bytes | None


def shown(pages: int) -> list[int]:
    """Which pages of a stack get a picture: first, middle and last, counted from 1."""
    return sorted({1, (pages + 1) // 2, pages})


def draw(image: np.ndarray, cells: Mapping[int, list[Polygon]]) -> bytes:
    """A small picture of an image with the outlines of its cells, as JPEG.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8; shown between its 0.5th and 99.5th percentile
    cells : of :func:`cellseg.apply.geojson.of_cells`
    """
    picture = drawn(image, cells)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def drawn(
    image: np.ndarray,
    cells: Mapping[int, list[Polygon]],
    others: Mapping[int, list[Polygon]] | None = None,
) -> np.ndarray:
    """The same as an array (H, W, 3) uint8 of blue, green and red; `others` in another colour."""
    low, high = np.percentile(image, (0.5, 99.5))
    stretched = np.clip((image - low) * (255 / max(high - low, 1)), 0, 255).astype(np.uint8)
    scale = min(PICTURE / max(image.shape), LARGEST_ZOOM)
    size = tuple(max(1, round(length * scale)) for length in reversed(image.shape))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    picture = cv2.cvtColor(cv2.resize(stretched, size, interpolation=method), cv2.COLOR_GRAY2BGR)
    bits = 4  # of a pixel's fraction
    # OpenCV counts from the middle of the first pixel, polygons from its corner.
    for outlined, colour in ((others or {}, OTHERS), (cells, OUTLINE)):
        lines = [
            np.rint((np.array(ring) * scale - 0.5) * 2**bits).astype(np.int32)
            for parts in outlined.values()
            for polygon in parts
            for ring in polygon
        ]
        cv2.polylines(picture, lines, True, colour, 1, cv2.LINE_AA, bits)
    return picture


def write(
    path: str | Path,
    title: str,
    about: Sequence[str],
    pages: Sequence[Page],
    skipped: Sequence[tuple[str, str]],
) -> None:
    """Write the page; nothing but links to the results lies outside of it.

    Parameters
    ----------
    title, about : heading, and paragraphs below it
    pages : in the order in which they are shown
    skipped : pairs of file and reason
    """
    cells = sum(page.row["cells"] for page in pages)
    images = len({page.image for page in pages})
    counts = ("images", images), ("pages", len(pages)), ("cells", cells)
    numbers = [(f"{number:,}", name) for name, number in (*counts, ("skipped files", len(skipped)))]
    template = templates.html(__file__)
    text = template.render(
        title=title,
        about=about,
        numbers=numbers,
        skipped=skipped,
        cards=[_card(page) for page in pages if page.picture],
        lines=[_line(page) for page in pages],
    )
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _card(page: Page) -> dict[str, str]:
    """What is said of a picture."""
    row = page.row
    return {
        "image": page.image,
        "picture": base64.b64encode(page.picture).decode(),
        "of": f"page {page.page} of {page.pages} · " if page.pages > 1 else "",
        "cells": number_of(row["cells"], "cell"),
        "covered": f"{row['covered']:.0%}",
        "labels": quote(row["labels"]),
        "outlines": quote(row["outlines"]),
    }


def _line(page: Page) -> tuple[object, ...]:
    """Of the table of all pages."""
    row = page.row
    size, area = row["pixel_size_um"], row["median_area_px"]
    return (
        page.image,
        page.page,
        f"{row['width_px']} x {row['height_px']}",
        "unknown" if np.isnan(size) else f"{size:.4g}",
        f"{row['cells']:,}",
        f"{row['covered']:.1%}",
        "-" if np.isnan(area) else f"{area:.0f}",
    )
