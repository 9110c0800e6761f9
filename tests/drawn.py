"""What a figure shows, read back from its artists."""

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import to_hex


def bars(axes, horizontal=False) -> dict[float, tuple[float, str]]:
    """From the middle of each bar to its length and colour."""
    found = {}
    for patch in axes.patches:
        place, width, start, length = (
            (patch.get_y(), patch.get_height(), patch.get_x(), patch.get_width())
            if horizontal
            else (patch.get_x(), patch.get_width(), patch.get_y(), patch.get_height())
        )
        assert start == 0
        found[round(place + width / 2, 6)] = (length, to_hex(patch.get_facecolor()))
    return dict(sorted(found.items()))


def whiskers(axes, horizontal=False) -> dict[float, tuple[float, float]]:
    """From the place of each whisker of a bar to its ends; those not drawn are left out."""
    found = {}
    for line in axes.lines:
        x, y = np.asarray(line.get_data(), float)
        places, values = (y, x) if horizontal else (x, y)
        known = np.isfinite(values) & np.isfinite(places)
        if len(values) == 8 and known.any():  # seaborn's stem and caps
            found[round(places[known].mean(), 6)] = (np.nanmin(values), np.nanmax(values))
    return dict(sorted(found.items()))


def error_bars(axes, horizontal=False) -> dict[float, tuple[float, float]]:
    """From the place of each whisker of a line to its ends; those not drawn are left out."""
    segments = [s for c in axes.collections if hasattr(c, "get_segments") for s in c.get_segments()]
    known = [s for s in segments if np.ndim(s) == 2 and np.isfinite(s).all()]
    places, values = (1, 0) if horizontal else (0, 1)
    return {round(s[0, places], 6): tuple(sorted(s[:, values])) for s in known}


def points(axes) -> np.ndarray:
    """Places of the points of single seeds, images or cells, shape (N, 2)."""
    found = [c.get_offsets() for c in axes.collections if len(c.get_offsets())]
    return np.ma.filled(np.concatenate(found), np.nan) if found else np.zeros((0, 2))


def lines(axes) -> dict[str, np.ndarray]:
    """From colour to the places of a drawn line of at least two points, shape (N, 2)."""
    drawn = [line for line in axes.lines if line.get_linestyle() not in ("None", ":")]
    return {to_hex(line.get_color()): line.get_xydata() for line in drawn}


def band(axes, colour: str) -> dict[float, tuple[float, float]]:
    """From place to the ends of the band of this colour."""
    (vertices,) = [
        collection.get_paths()[0].vertices
        for collection in axes.collections
        if hasattr(collection, "get_facecolor")
        and len(collection.get_paths())
        and not len(collection.get_offsets()) > 1
        and to_hex(collection.get_facecolor()[0]) == colour
        and collection.get_paths()[0].vertices.shape[0] > 4
    ]
    return {
        x: (vertices[vertices[:, 0] == x, 1].min(), vertices[vertices[:, 0] == x, 1].max())
        for x in np.unique(vertices[:, 0])
    }


def legend(figure) -> Mapping[str, str]:
    """From what a key of the legend says to its colour."""
    (found,) = figure.legends
    handles = found.legend_handles
    colours = [
        handle.get_facecolor() if hasattr(handle, "get_facecolor") else handle.get_color()
        for handle in handles
    ]
    said = [text.get_text().replace("\n", " ") for text in found.get_texts()]
    return dict(zip(said, map(to_hex, colours), strict=True))


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def title(axes) -> str:
    return axes.get_title(loc="left").replace("\n", " · ")


def x_labels(axes) -> list[str]:
    return [label.get_text() for label in axes.get_xticklabels()]


def y_labels(axes) -> list[str]:
    return [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]


def written(figure) -> str:
    """Title, subtitle and note, with line breaks as spaces."""
    return " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
