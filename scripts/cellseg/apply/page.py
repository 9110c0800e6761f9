"""A page of what was segmented: pictures with outlines, counts, and what was skipped and why."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from cellseg.io import templates
from cellseg.io.atomic import replacing
from cellseg.io.wording import number_of

PICTURES = 200  # on a page, at some 100 kB each


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
