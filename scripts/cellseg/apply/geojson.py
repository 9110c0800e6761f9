"""Outlines of cells as polygons along the edges of their pixels, and GeoJSON of them.

Such a polygon is exact: it holds the cell's pixels and no others, its area is their number, and
filled it gives the cell back. Coordinates are x and y in pixels from the image's upper left corner,
as QuPath and ImageJ count them.
"""

from collections.abc import Iterable, Mapping

import numpy as np

Ring = list[tuple[int, int]]
Polygon = list[Ring]
"""The outer ring, then one for each hole; the first point of a ring comes again at its end."""

# Of the four edges of a pixel, walked clockwise on the screen: which neighbour (row, column) must
# be outside, where the edge starts (x, y), and where it goes.
EDGES = (
    ((-1, 0), (0, 0), (1, 0)),
    ((0, 1), (1, 0), (0, 1)),
    ((1, 0), (1, 1), (-1, 0)),
    ((0, -1), (0, 1), (0, -1)),
)


def of_cells(labels: np.ndarray) -> dict[int, list[Polygon]]:
    """Polygons of each cell.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32

    Returns
    -------
    dict of label to list of polygons
        One for each part of the cell; pixels that touch at a corner only are different parts. Outer
        rings run clockwise on the screen, those of holes the other way.
    """
    from scipy.ndimage import find_objects, label

    found = {}
    for cell, box in enumerate(find_objects(labels), 1):
        if box is not None:
            parts, count = label(labels[box] == cell)
            corner = box[1].start, box[0].start
            found[cell] = [_polygon(parts == part, corner) for part in range(1, count + 1)]
    return found


def _polygon(mask: np.ndarray, corner: tuple[int, int]) -> Polygon:
    """Rings around a part, all of whose pixels hang together by edges."""
    directions: dict[tuple[int, int], list[tuple[int, int]]] = {}
    around = np.pad(mask, 1)
    rows, columns = mask.shape
    for (down, right), (x, y), direction in EDGES:
        outside = ~around[1 + down : 1 + down + rows, 1 + right : 1 + right + columns]
        for row, column in np.argwhere(mask & outside).tolist():
            start = column + x + corner[0], row + y + corner[1]
            directions.setdefault(start, []).append(direction)
    untraced = {(start, way): None for start, ways in directions.items() for way in ways}
    rings = []
    while untraced:
        (x, y), way = first = next(iter(untraced))
        ring: Ring = []
        previous = None
        while ((x, y), way) in untraced:
            del untraced[(x, y), way]
            if way != previous:
                ring.append((x, y))
            previous = way
            x, y = x + way[0], y + way[1]
            # To the left where two pixels meet at a corner: a hole there has a separate ring.
            turns = (way[1], -way[0]), way, (-way[1], way[0])
            way = next(turn for turn in turns if turn in directions[x, y])
        if previous == first[1]:  # the walk began within a straight edge
            ring.pop(0)
        rings.append([*ring, ring[0]])
    return sorted(rings, key=area, reverse=True)


def area(ring: Ring) -> float:
    """Area within a ring, square pixels; negative for the ring of a hole (shoelace formula)."""
    points = np.array(ring, np.float64)
    (x, y), (next_x, next_y) = points[:-1].T, points[1:].T
    return float((x * next_y - next_x * y).sum() / 2)


def geojson(pages: Iterable[Mapping[int, list[Polygon]]]) -> dict:
    """A FeatureCollection (RFC 7946) of the cells of an image, which QuPath opens as detections.

    Parameters
    ----------
    pages : of each page the polygons of :func:`of_cells`; properties of a feature are its page,
        counted from 1, and its label
    """
    features = []
    for page, cells in enumerate(pages, 1):
        for cell, parts in cells.items():
            single = len(parts) == 1
            geometry = {
                "type": "Polygon" if single else "MultiPolygon",
                "coordinates": parts[0] if single else parts,
            }
            about = {"objectType": "detection", "name": str(cell), "page": page, "label": cell}
            features.append({"type": "Feature", "geometry": geometry, "properties": about})
    return {"type": "FeatureCollection", "features": features}
