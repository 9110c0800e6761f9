"""Outlined cells, gathered column by column and checked one by one."""

from array import array
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from cellseg.data import coco_annotation, run_lengths
from cellseg.errors import UserError

LEAST_OVERLAP = 0.5
"""Intersection over union of an outline's bounds and its published box."""

BBOX = ("bbox_x", "bbox_y", "bbox_width", "bbox_height")


@dataclass
class Cells:
    """Outlined cells in file order, gathered column by column.

    A million cells as Python objects would need tens of gigabytes; flat arrays of numbers need as
    much as the numbers themselves.

    Attributes
    ----------
    sizes : height and width of each listed image id, pixels
    numbers : image id in the tables of each listed image id; where it is missing, they are equal
    crowds_as_cells : whether regions marked ``iscrowd: 1`` are cells like any other
    unknown : cells of images that are not listed, by image id; they are left out
    degenerate : cells left out because no part of their outline has three points, by image id
    reduced : cells that lost such a part but have others, by image id
    crowd : regions of unseparated cells (``iscrowd: 1``), by image id; they are left out, since
        neither training nor scoring takes a crowd for one cell
    categories : cells by category id and image id
    apart : cells with run lengths whose mask and published box overlap by less than half, by image
        id; see :meth:`apart_from_box`
    """

    sizes: dict[Hashable, tuple[int, int]]
    numbers: Mapping[Hashable, int] = field(default_factory=dict)
    crowds_as_cells: bool = False
    unknown: Counter = field(default_factory=Counter)
    degenerate: Counter = field(default_factory=Counter)
    reduced: Counter = field(default_factory=Counter)
    crowd: Counter = field(default_factory=Counter)
    categories: Counter = field(default_factory=Counter)
    apart: Counter = field(default_factory=Counter)
    image_ids: array = field(default_factory=lambda: array("q"))
    annotation_ids: array = field(default_factory=lambda: array("q"))
    areas: array = field(default_factory=lambda: array("d"))
    boxes: array = field(default_factory=lambda: array("d"))
    rles: list[bytes | None] = field(default_factory=list)
    coordinates: array = field(default_factory=lambda: array("d"))
    part_ends: array = field(default_factory=lambda: array("i", [0]))
    cell_ends: array = field(default_factory=lambda: array("i", [0]))

    def add(self, annotation: Any) -> None:
        """Add one annotation of a COCO file; what cannot be used is counted instead.

        Raises
        ------
        UserError
            The annotation is malformed.
        """
        if not isinstance(annotation, dict):
            raise UserError(
                f"'annotations' holds {str(annotation)[:80]!r}, which is no annotation."
            )
        listed = annotation.get("image_id")
        if not isinstance(listed, Hashable):
            raise coco_annotation.malformed(annotation, "its 'image_id' is no number")
        if listed not in self.sizes:
            other = coco_annotation.other_form(listed)
            if other not in self.sizes:
                self.unknown[listed] += 1
                return
            listed = other
        image_id = self.numbers.get(listed, listed)
        if coco_annotation.is_crowd(annotation) and not self.crowds_as_cells:
            self.crowd[image_id] += 1
            return
        segmentation = coco_annotation.segmentation(annotation)
        if isinstance(segmentation, dict):
            self._add_rle(image_id, self.sizes[listed], annotation, segmentation)
            return
        given = coco_annotation.parts(annotation, segmentation)
        polygons = [part for part in given if coco_annotation.has_area(part)]
        if not polygons:
            self.degenerate[image_id] += 1
            return
        if len(polygons) < len(given):
            self.reduced[image_id] += 1
        for part in polygons:
            self.coordinates.extend(coco_annotation.coordinates(annotation, part))
            self.part_ends.append(len(self.coordinates))
        self.cell_ends.append(len(self.part_ends) - 1)
        self.rles.append(None)
        area = coco_annotation.area(annotation)
        area = sum(shoelace_area(part) for part in polygons) if area is None else area
        self._add_common(
            image_id, annotation, area, coco_annotation.box(annotation) or _bounds(polygons)
        )

    def _add_rle(self, image_id: int, size: tuple[int, int], annotation: dict, rle: dict) -> None:
        from pycocotools import mask

        try:
            counts = run_lengths.compressed(rle, *size)
        except ValueError as error:
            raise coco_annotation.malformed(
                annotation, f"its run-length encoding is broken: {error}"
            ) from error
        checked = {"size": list(size), "counts": counts}
        pixels = int(mask.area(checked))
        if pixels == 0:
            self.degenerate[image_id] += 1
            return
        self.cell_ends.append(len(self.part_ends) - 1)
        self.rles.append(counts)
        area = coco_annotation.area(annotation)
        bounds = [float(value) for value in mask.toBbox(checked)]
        box = coco_annotation.box(annotation) or bounds
        if _overlap(np.array(box), np.array(bounds)) < LEAST_OVERLAP:
            self.apart[image_id] += 1
        self._add_common(image_id, annotation, pixels if area is None else area, box)

    def _add_common(
        self, image_id: int, annotation: dict, area: float, box: Sequence[float]
    ) -> None:
        self.image_ids.append(image_id)
        self.annotation_ids.append(
            coco_annotation.number(annotation, otherwise=len(self.annotation_ids) + 1)
        )
        self.areas.append(area)
        self.boxes.extend(box)
        category = annotation.get("category_id")
        self.categories[category if isinstance(category, Hashable) else None, image_id] += 1

    def table(self) -> pa.Table:
        """Columns of the cells table but the image key and the cell type; nothing is copied."""
        is_rle = np.fromiter((rle is not None for rle in self.rles), bool, len(self.rles))
        parts = pa.ListArray.from_arrays(
            pa.array(np.frombuffer(self.part_ends, np.int32)),
            pa.array(np.frombuffer(self.coordinates, np.float64)),
        )
        polygons = pa.ListArray.from_arrays(
            pa.array(np.frombuffer(self.cell_ends, np.int32)), parts, mask=pa.array(is_rle)
        )
        boxes = np.frombuffer(self.boxes, np.float64).reshape(-1, 4)
        columns = {
            "image_id": np.frombuffer(self.image_ids, np.int64),
            "annotation_id": np.frombuffer(self.annotation_ids, np.int64),
            "area": np.frombuffer(self.areas, np.float64),
            **{name: np.ascontiguousarray(boxes[:, axis]) for axis, name in enumerate(BBOX)},
        }
        table = pa.table(columns)
        table = table.append_column("polygons", polygons)
        return table.append_column("rle", pa.array(self.rles, pa.binary()))

    def belong(self) -> bool:
        """Whether any annotation belongs to an image of the list, usable or not."""
        return bool(self.areas or self.degenerate or self.crowd)

    def of_other_categories(self) -> Counter:
        """Cells of another category than most of the file, by image id."""
        totals, others = Counter(), Counter()
        for (category, _), count in self.categories.items():
            totals[category] += count
        main = next(iter(totals.most_common(1)), (None, 0))[0]
        for (category, image_id), count in self.categories.items():
            if category != main:
                others[image_id] += count
        return others

    def check_coordinates(self) -> None:
        """Refuse outlines that reach further beyond the frame than a program would let them.

        Raises
        ------
        UserError
            A corner lies outside :func:`cellseg.data.run_lengths.margin`, or all lie within the
            first pixel.
        """
        cells, extents = self._extents()
        if not extents:
            return
        if all(low.min() >= 0 and high.max() <= 1 < side.max() for side, low, high in
               extents.values()):  # fmt: skip
            raise UserError(
                "all coordinates of outlines are between 0 and 1, as if they were shares of width "
                "and height. Multiply them by the width and height of the image in pixels."
            )
        margin = run_lengths.margin(extents["y"][0], extents["x"][0])
        for name, (side, low, high) in extents.items():
            least, most = -margin, side + margin
            far = np.flatnonzero((low < least) | (high > most))
            if len(far):
                first = far[0]
                value = low[first] if low[first] < least[first] else high[first]
                raise UserError(
                    f"annotation {self.annotation_ids[cells[first]]}: its outline has a corner at "
                    f"{name} = {value:g}, far outside the image, which is {side[first]} pixels "
                    f"{'wide' if name == 'x' else 'high'}. Correct or remove it."
                )

    def beyond_frame(self) -> tuple[Counter, Counter]:
        """Cells that leave the frame in part, and cells that lie outside it, by image id."""
        cells, extents = self._extents()
        partly = np.zeros(len(cells), bool)
        wholly = np.zeros(len(cells), bool)
        for side, low, high in extents.values():
            partly |= (low < 0) | (high > side)
            wholly |= (high <= 0) | (low >= side)
        image_ids = np.frombuffer(self.image_ids, np.int64)[cells] if len(cells) else cells
        return (
            Counter(image_ids[partly & ~wholly].tolist()),
            Counter(image_ids[wholly].tolist()),
        )

    def apart_from_box(self) -> Counter:
        """Cells whose outline and published box overlap by less than half, by image id.

        One of the two is wrong: x and y are swapped, run lengths go along the rows, or boxes are
        not x, y, width and height.
        """
        cells, extents = self._extents()
        if not extents:
            return self.apart
        boxes = np.frombuffer(self.boxes, np.float64).reshape(-1, 4)[cells]
        (_, left, right), (_, top, bottom) = extents["x"], extents["y"]
        bounds = np.stack([left, top, right - left, bottom - top], axis=1)
        apart = _overlap(boxes, bounds) < LEAST_OVERLAP
        image_ids = np.frombuffer(self.image_ids, np.int64)[cells]
        return self.apart + Counter(image_ids[apart].tolist())

    def _extents(
        self,
    ) -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
        """Cells with polygons, and by axis the image's side, their least and largest coordinate."""
        if not self.part_ends[1:]:
            return np.zeros(0, np.int64), {}
        ends = np.frombuffer(self.cell_ends, np.int32)
        polygonal = np.flatnonzero(np.diff(ends))
        starts = np.frombuffer(self.part_ends, np.int32)[ends[polygonal]]
        image_ids = np.frombuffer(self.image_ids, np.int64)[polygonal]
        size_of = {self.numbers.get(listed, listed): size for listed, size in self.sizes.items()}
        sizes = np.array([size_of[image_id] for image_id in image_ids.tolist()])
        coordinates = np.frombuffer(self.coordinates, np.float64)
        return polygonal, {
            name: (
                sizes[:, 1 - axis],
                np.minimum.reduceat(coordinates[axis::2], starts // 2),
                np.maximum.reduceat(coordinates[axis::2], starts // 2),
            )
            for axis, name in enumerate("xy")
        }


def _overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes; x, y, width and height are the last axis."""
    low = np.maximum(boxes[..., :2], others[..., :2])
    high = np.minimum(boxes[..., :2] + boxes[..., 2:], others[..., :2] + others[..., 2:])
    # A pixel more, since some programs count the pixels from first to last, others do not.
    common = np.clip(high - low + 1, 0, None).prod(axis=-1)
    areas = [(one[..., 2:] + 1).prod(axis=-1) for one in (boxes, others)]
    return common / (areas[0] + areas[1] - common)


def shoelace_area(polygon: list[float]) -> float:
    """Area of a polygon ``[x1, y1, x2, y2, …]`` in square pixels."""
    x, y = np.asarray(polygon[0::2]), np.asarray(polygon[1::2])
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _bounds(polygons: list[list[float]]) -> list[float]:
    x = [value for part in polygons for value in part[0::2]]
    y = [value for part in polygons for value in part[1::2]]
    return [min(x), min(y), max(x) - min(x), max(y) - min(y)]
