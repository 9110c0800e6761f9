"""Which views of which wells a simulated data set shows, named as in LIVECell."""

from dataclasses import dataclass

import numpy as np

from cellseg.data.splits import SPLITS
from cellseg.simulate.cell_types import TYPE_NUMBERS, CellType

HOURS = range(0, 96, 4)  # LIVECell has a frame every four hours
LOCATIONS, CROPS = (1, 2), (1, 2, 3, 4)
# The wells of a type, by position in its list of twelve: no well is in two splits.
WELLS = {"train": (0, 2, 4, 6, 8, 10), "val": (1, 5, 9), "test": (3, 7, 11)}


@dataclass(frozen=True)
class View:
    """What is in front of the lens: cell type, well, position in it, time and crop."""

    kind: CellType
    well: str
    location: int
    hours: int
    crop: int

    @property
    def stem(self) -> str:
        """File name without suffix, as in ``A172_Phase_C7_1_02d16h00m_2``."""
        time = f"{self.hours // 24:02d}d{self.hours % 24:02d}h00m"
        return f"{self.kind.name}_Phase_{self.well}_{self.location}_{time}_{self.crop}"


def capacity(split: str) -> int:
    """Largest number of different views of a cell type in a split."""
    return len(HOURS) * len(WELLS[split]) * len(LOCATIONS) * len(CROPS)


def draw(kinds: list[CellType], split: str, count: int, seed: int) -> list[View]:
    """Draw `count` different views of each type, evenly over time, types mixed as in LIVECell."""
    views = []
    for kind in kinds:
        type_number = TYPE_NUMBERS[kind.name]
        random = np.random.default_rng([seed, 4 + SPLITS.index(split), type_number])
        wells = [f"{row}{column}" for row in kind.rows for column in kind.columns]
        places = [
            (wells[well], location, crop)
            for well in WELLS[split]
            for location in LOCATIONS
            for crop in CROPS
        ]
        moments = [int((number + 0.5) * len(HOURS) / count) for number in range(count)]
        for moment in sorted(set(moments)):
            for pick in random.permutation(len(places))[: moments.count(moment)]:
                well, location, crop = places[pick]
                views.append(View(kind, well, location, HOURS[moment], crop))
    order = np.random.default_rng([seed, 7 + SPLITS.index(split)]).permutation(len(views))
    return [views[index] for index in order]
