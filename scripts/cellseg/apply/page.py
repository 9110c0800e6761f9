"""A page of what was segmented: pictures with outlines, counts, and what was skipped and why."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np

from cellseg.apply.geojson import Polygon
from cellseg.io.atomic import replacing
from cellseg.io.wording import number_of

PICTURE = 640  # pixels, the longer side
LARGEST_ZOOM = 8  # of images that are smaller
PICTURES = 200  # on a page, at some 100 kB each
OUTLINE = (233, 180, 86)  # blue, green, red: the colour of predicted cells in all figures

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 2rem auto; max-width: 1560px;
       padding: 0 1.5rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.about { color: #555; margin-top: 0; overflow-wrap: anywhere; }
.numbers { display: flex; gap: 2.5rem; margin: 1.2rem 0; }
.numbers b { display: block; font-size: 1.6rem; font-weight: 600; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 1.2rem; }
figure { margin: 0; } figure img { width: 100%; border-radius: 3px; display: block; }
figcaption { font-size: .85rem; overflow-wrap: anywhere; padding-top: .3rem; }
table { border-collapse: collapse; font-size: .85rem; } td, th { padding: .25rem .8rem .25rem 0;
  text-align: right; vertical-align: top; border-bottom: 1px solid #ddd; }
td:first-child, th:first-child, .skipped td, .skipped th { text-align: left;
  overflow-wrap: anywhere; }
.skipped { border-left: 4px solid #D55E00; padding-left: 1rem; }
"""


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
    low, high = np.percentile(image, (0.5, 99.5))
    stretched = np.clip((image - low) * (255 / max(high - low, 1)), 0, 255).astype(np.uint8)
    scale = min(PICTURE / max(image.shape), LARGEST_ZOOM)
    size = tuple(max(1, round(length * scale)) for length in reversed(image.shape))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    picture = cv2.cvtColor(cv2.resize(stretched, size, interpolation=method), cv2.COLOR_GRAY2BGR)
    bits = 4  # of a pixel's fraction
    # OpenCV counts from the middle of the first pixel, polygons from its corner.
    lines = [
        np.rint((np.array(ring) * scale - 0.5) * 2**bits).astype(np.int32)
        for parts in cells.values()
        for polygon in parts
        for ring in polygon
    ]
    cv2.polylines(picture, lines, True, OUTLINE, 1, cv2.LINE_AA, bits)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


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
    numbers = [("images", images), ("pages", len(pages)), ("cells", cells)]
    numbers += [("skipped files", len(skipped))]
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>",
        *(f'<p class="about">{escape(text)}</p>' for text in about),
        '<div class="numbers">',
        *(f"<div><b>{number:,}</b>{name}</div>" for name, number in numbers),
        "</div>",
        *_skipped(skipped),
        '<h2>Images with the outlines of their cells</h2><div class="cards">',
        *(_card(page) for page in pages if page.picture),
        "</div><h2>All pages</h2>",
        *_table(pages),
        "</body></html>\n",
    ]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(parts), encoding="utf-8")


def _skipped(skipped: Sequence[tuple[str, str]]) -> list[str]:
    if not skipped:
        return []
    rows = (f"<tr><td>{escape(name)}</td><td>{escape(why)}</td></tr>" for name, why in skipped)
    return [
        '<div class="skipped"><h2>Skipped</h2><table><tr><th>file</th><th>why</th></tr>',
        *rows,
        "</table></div>",
    ]


def _card(page: Page) -> str:
    source = base64.b64encode(page.picture).decode()
    of = f"page {page.page} of {page.pages} · " if page.pages > 1 else ""
    row = page.row
    return (
        f'<figure><img alt="{escape(page.image)}" src="data:image/jpeg;base64,{source}">'
        f"<figcaption>{escape(page.image)}<br>{of}{number_of(row['cells'], 'cell')} · "
        f"{row['covered']:.0%} covered · {_link(row['labels'], 'labels')} · "
        f"{_link(row['outlines'], 'outlines')}</figcaption></figure>"
    )


def _table(pages: Sequence[Page]) -> list[str]:
    heads = "image", "page", "pixels", "µm a pixel", "cells", "covered", "median area, px"
    lines = ["<table><tr>", *(f"<th>{head}</th>" for head in heads), "</tr>"]
    for page in pages:
        row = page.row
        size, area = row["pixel_size_um"], row["median_area_px"]
        values = (
            escape(page.image),
            page.page,
            f"{row['width_px']} x {row['height_px']}",
            "unknown" if np.isnan(size) else f"{size:.4g}",
            f"{row['cells']:,}",
            f"{row['covered']:.1%}",
            "-" if np.isnan(area) else f"{area:.0f}",
        )
        lines.append("<tr>" + "".join(f"<td>{value}</td>" for value in values) + "</tr>")
    return [*lines, "</table>"]


def _link(target: str, text: str) -> str:
    return f'<a href="{escape(quote(target))}">{text}</a>'
