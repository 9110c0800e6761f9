"""Outlined cells, gathered column by column and checked one by one."""

from array import array
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from cellseg.errors import UserError

BBOX = ("bbox_x", "bbox_y", "bbox_width", "bbox_height")


@dataclass
class Cells:
    """Outlined cells in file order, gathered column by column.

    A million cells as Python objects would need tens of gigabytes; flat arrays of numbers need as
    much as the numbers themselves.

    Attributes
    ----------
    sizes : height and width of each image id, pixels
    unknown : cells of images that are not listed, by image id; they are left out
    degenerate : cells left out because no part of their outline has three points, by image id
    reduced : cells that lost such a part but have others, by image id
    crowd : regions of unseparated cells (``iscrowd: 1``), by image id; they are left out, since
        neither training nor scoring takes a crowd for one cell
    categories : cells by category id and image id
    """

    sizes: dict[int, tuple[int, int]]
    unknown: Counter = field(default_factory=Counter)
    degenerate: Counter = field(default_factory=Counter)
    reduced: Counter = field(default_factory=Counter)
    crowd: Counter = field(default_factory=Counter)
    categories: Counter = field(default_factory=Counter)
    image_ids: array = field(default_factory=lambda: array("q"))
    annotation_ids: array = field(default_factory=lambda: array("q"))
    areas: array = field(default_factory=lambda: array("d"))
    boxes: array = field(default_factory=lambda: array("d"))
    rles: list[bytes | None] = field(default_factory=list)
    coordinates: array = field(default_factory=lambda: array("d"))
    part_ends: array = field(default_factory=lambda: array("i", [0]))
    cell_ends: array = field(default_factory=lambda: array("i", [0]))

    def add(self, annotation: dict) -> None:
        """Add one annotation of a COCO file; what cannot be used is counted instead."""
        image_id = annotation.get("image_id")
        if image_id not in self.sizes:
            self.unknown[image_id] += 1
            return
        if int(annotation.get("iscrowd") or 0):
            self.crowd[image_id] += 1
            return
        segmentation = annotation.get("segmentation")
        if isinstance(segmentation, dict):
            self._add_rle(image_id, annotation, segmentation)
            return
        given = segmentation or []
        if given and not isinstance(given[0], list):
            given = [given]  # one polygon without its outer list
        polygons = [part for part in given if len(part) >= 6 and len(part) % 2 == 0]
        if not polygons:
            self.degenerate[image_id] += 1
            return
        if len(polygons) < len(given):
            self.reduced[image_id] += 1
        for part in polygons:
            self.coordinates.extend(part)
            self.part_ends.append(len(self.coordinates))
        self.cell_ends.append(len(self.part_ends) - 1)
        self.rles.append(None)
        area, box = annotation.get("area"), annotation.get("bbox")
        area = sum(shoelace_area(part) for part in polygons) if area is None else area
        self._add_common(image_id, annotation, area, box or _bounds(polygons))

    def _add_rle(self, image_id: int, annotation: dict, rle: dict) -> None:
        from pycocotools import mask

        height, width = self.sizes[image_id]
        try:
            if list(rle["size"]) != [height, width]:
                raise ValueError(f"its size is {rle['size']}, not {[height, width]}")
            if isinstance(rle["counts"], list):
                if sum(rle["counts"]) != height * width:
                    raise ValueError("its counts do not add up to the size of the image")
                rle = mask.frPyObjects(rle, height, width)
            counts = rle["counts"]
            rle = {
                "size": rle["size"],
                "counts": counts.encode() if isinstance(counts, str) else counts,
            }
            area = int(mask.area(rle))
            box = [float(value) for value in mask.toBbox(rle)]
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"annotation {annotation.get('id')}: its run-length encoding is broken ({error})."
            ) from error
        if area == 0:
            self.degenerate[image_id] += 1
            return
        self.cell_ends.append(len(self.part_ends) - 1)
        self.rles.append(rle["counts"])
        published = annotation.get("area")
        area = area if published is None else published
        self._add_common(image_id, annotation, area, annotation.get("bbox") or box)

    def _add_common(self, image_id: int, annotation: dict, area: float, box: list) -> None:
        self.image_ids.append(image_id)
        self.annotation_ids.append(int(annotation.get("id", len(self.annotation_ids) + 1)))
        self.areas.append(area)
        self.boxes.extend(box)
        self.categories[annotation.get("category_id"), image_id] += 1

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

    def beyond_frame(self) -> tuple[Counter, Counter]:
        """Cells that leave the frame in part, and cells that lie outside it, by image id."""
        leaving, outside = Counter(), Counter()
        if not self.part_ends[1:]:
            return leaving, outside
        ends = np.frombuffer(self.cell_ends, np.int32)
        polygonal = np.flatnonzero(np.diff(ends))
        starts = np.frombuffer(self.part_ends, np.int32)[ends[polygonal]]
        image_ids = np.frombuffer(self.image_ids, np.int64)[polygonal]
        limits = np.array([self.sizes[image_id] for image_id in image_ids.tolist()])
        partly = np.zeros(len(polygonal), bool)
        wholly = np.zeros(len(polygonal), bool)
        for axis, limit in ((0, limits[:, 1]), (1, limits[:, 0])):
            values = np.frombuffer(self.coordinates, np.float64)[axis::2]
            low = np.minimum.reduceat(values, starts // 2)
            high = np.maximum.reduceat(values, starts // 2)
            partly |= (low < 0) | (high > limit)
            wholly |= (high <= 0) | (low >= limit)
        leaving.update(image_ids[partly & ~wholly].tolist())
        outside.update(image_ids[wholly].tolist())
        return leaving, outside


def shoelace_area(polygon: list[float]) -> float:
    """Area of a polygon ``[x1, y1, x2, y2, …]`` in square pixels."""
    x, y = np.asarray(polygon[0::2]), np.asarray(polygon[1::2])
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _bounds(polygons: list[list[float]]) -> list[float]:
    x = [value for part in polygons for value in part[0::2]]
    y = [value for part in polygons for value in part[1::2]]
    return [min(x), min(y), max(x) - min(x), max(y) - min(y)]
