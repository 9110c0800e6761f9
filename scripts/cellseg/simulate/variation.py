"""How far simulated frames depart from the table of cell types: for networks that are to travel.

The table imitates one microscope that is well set up. Other ones differ in magnification, focus and
light, and real cells differ from any table. Each frame draws its own departure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from cellseg.errors import UserError
from cellseg.simulate.cell_types import CellType
from cellseg.simulate.layout import FRAME_AREA

Range = tuple[float, float]

LOOKS = (
    *("radius_spread", "adhesion", "height", "membrane", "dome", "edge", "texture", "granules"),
    *("droplets", "granule_height", "nucleus", "nucleus_radius", "rounded_height", "ruffle"),
    *("fillet", "arm_width", "vigour"),
)
"""Numbers of a cell type that ``looks`` changes, each by itself."""

PACKED = {"clumping": (0.97, 0.97), "compactness": 0.4, "spacing": 0.72, "adhesion": 1.2}
"""What makes one sheet of a frame's cells."""
COVERED = 0.8
"""Share of a frame with such a sheet that the cells' discs cover at most."""


@dataclass(frozen=True)
class Variation:
    """What a frame draws. By default nothing: frames are those of the table.

    Ranges are (smallest, largest), drawn evenly on a logarithmic scale.

    Attributes
    ----------
    magnification : range; 2 shows cells at twice the size
    focus : range of factors of the point spread function's width
    contrast : range of factors of what cells and debris add to the background
    debris : range of factors of the number of bodies that are no cells
    light : largest change of grey value by uneven light, from the middle to a border
    streaks : largest standard deviation of fine streaks in one direction, grey values
    looks : standard deviation of the logarithm of the factors of :data:`LOOKS`
    spindles : largest share of spread cells that are drawn out, with processes at both ends
    rafts : share of frames whose cells form closed sheets
    veils : largest width of the thin margin of spread cells, in radii
    seams : largest share of the contacts of cells where no border is seen
    faint_rims : largest share of the rims of cells without a step and without a bright line
    grain : how far the fine grain is as strong at rims as in the middle of cells at most, 0 to 1
    nuclei : how clear nuclei are at most, 0 to 1
    """

    magnification: Range = (1.0, 1.0)
    focus: Range = (1.0, 1.0)
    contrast: Range = (1.0, 1.0)
    debris: Range = (1.0, 1.0)
    light: float = 0.0
    streaks: float = 0.0
    looks: float = 0.0
    spindles: float = 0.0
    rafts: float = 0.0
    veils: float = 0.0
    seams: float = 0.0
    faint_rims: float = 0.0
    grain: float = 0.0
    nuclei: float = 0.0

    @classmethod
    def of(cls, settings: Mapping) -> "Variation":
        """From settings with the names of the attributes; those left out are at their defaults.

        Raises
        ------
        UserError
            A range is not one of positive numbers, the smaller first.
        """
        given = {
            key: tuple(value) if isinstance(value, list | tuple) else value
            for key, value in settings.items()
        }
        for key, value in given.items():
            if isinstance(value, tuple) and not 0 < value[0] <= value[1]:
                raise UserError(
                    f"variation.{key}: [{value[0]}, {value[1]}] is no range. Give two positive "
                    "numbers, the smaller one first."
                )
        return cls(**given)

    def settings(self) -> dict:
        """What differs from the defaults, for a record in JSON."""
        return {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if getattr(self, one.name) != one.default
        }


@dataclass(frozen=True)
class Departure:
    """What one frame has drawn.

    Attributes
    ----------
    kind : the cell type, as this frame shows it
    magnification, contrast : factors
    light : ndarray of shape (2, 2): grey values by which a frame grows brighter along its rows
        and columns, linearly (first row) and towards the borders (second row)
    streaks : standard deviation, grey values
    """

    kind: CellType
    magnification: float = 1.0
    contrast: float = 1.0
    light: np.ndarray | None = None
    streaks: float = 0.0


def draw(kind: CellType, variation: Variation, random: np.random.Generator) -> Departure:
    """Draw the departure of one frame. Without variation nothing is drawn from `random`."""
    if variation == Variation():
        return Departure(kind)
    changed = {}
    for name in LOOKS:
        changed[name] = getattr(kind, name) * np.exp(random.normal(0, variation.looks))
    changed["blur"] = kind.blur * _within(variation.focus, random)
    changed["debris"] = kind.debris * _within(variation.debris, random)
    changed["veil"] = variation.veils * random.random()
    changed["spindles"] = variation.spindles * random.random() ** 2
    density = random.uniform(1.5, 3)
    if random.random() < variation.rafts:
        full = COVERED * FRAME_AREA / (np.pi * kind.radius**2)
        cells = tuple(min(density * number, full) for number in kind.cells)
        faint = changed["membrane"] * random.uniform(0.3, 1)
        changed |= {**PACKED, "cells": cells, "membrane": faint}
    departure = Departure(
        kind=replace(kind, **changed),
        magnification=_within(variation.magnification, random),
        contrast=_within(variation.contrast, random),
        light=variation.light * random.uniform(-1, 1, (2, 2)) if variation.light else None,
        streaks=variation.streaks * random.random(),
    )
    # Drawn last: what other settings draw stays as it was.
    late = {
        name: getattr(variation, name) * random.random()
        for name in ("seams", "faint_rims", "grain", "nuclei")
    }
    return replace(departure, kind=replace(departure.kind, **late))


def _within(ends: Range, random: np.random.Generator) -> float:
    """A number between two positive ones, drawn evenly on a logarithmic scale."""
    low, high = np.log(ends)
    return float(np.exp(random.uniform(low, high)))
