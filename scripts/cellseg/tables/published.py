"""Figures that others have published: read, checked, and which of them are comparable with ours."""

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from cellseg.data.kinds import SOURCES
from cellseg.data.splits import SPLITS
from cellseg.errors import UserError
from cellseg.scoring import names, pooled_pixels
from cellseg.scoring.names import ALL_TYPES

DATASET = "LIVECell"
"""The data set, as a whole, of all figures that are comparable."""
UNITS = {"fraction": 1.0, "percent": 0.01}
"""Units of scores, and what makes fractions of them."""
OTHER_UNITS = ("ms",)
SMALL_OBJECTS = ("kept", "removed", "")
METRICS = (
    *(*names.SCORES, *pooled_pixels.SCORES),
    *(*names.ACCURACIES, *names.COCO_SCORES),
)


@dataclass(frozen=True)
class Figure:
    """One published figure, a line of the table. What the source does not say is empty or None.

    ``metric`` is a column of our score tables where the source defines it in the same way, or
    where ``note`` says why we take it to be that; else the source's own name. ``value`` and ``sd``
    (standard deviation) are in ``unit``, as printed. ``small_objects`` is "kept" or "removed";
    ``n_images`` is how many images were scored. ``comparable`` says that metric, data set and split
    are those of our tables, ``note`` the place in the source.
    """

    source: str
    system: str
    trained_on: str
    dataset: str
    cell_type: str
    metric: str
    value: float
    sd: float | None
    unit: str
    split: str
    small_objects: str
    n_images: int | None
    comparable: bool
    note: str

    @property
    def fraction(self) -> float:
        """The value between 0 and 1, as in our tables."""
        return self.value * UNITS[self.unit]


COLUMNS = tuple(field.name for field in fields(Figure))
IDENTITY = (
    *("source", "system", "trained_on", "dataset", "cell_type", "metric", "split"),
    *("small_objects", "note"),
)


def read(path: str | Path) -> list[Figure]:
    """Read the table of published figures.

    Raises
    ------
    UserError
        The file is missing, or a line says something that cannot be; it names the line.
    """
    path = Path(path)
    try:
        file = path.open(newline="", encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist. Take it from the repository again.") from None
    with file:
        lines = csv.reader(file)
        if tuple(next(lines, ())) != COLUMNS:
            raise UserError(f"{path}, line 1: the columns must be {', '.join(COLUMNS)}.")
        figures: dict[tuple, Figure] = {}
        for cells in lines:
            where = f"{path}, line {lines.line_num}"
            if len(cells) != len(COLUMNS):
                raise UserError(
                    f"{where}: {len(cells)} fields instead of {len(COLUMNS)}. Put fields that hold "
                    "commas in quotes."
                )
            figure = _figure(dict(zip(COLUMNS, cells, strict=True)), where)
            key = tuple(getattr(figure, name) for name in IDENTITY)
            if key in figures:
                raise UserError(f"{where}: the same figure is in a line above. Remove one.")
            figures[key] = figure
    return list(figures.values())


def _figure(cells: dict[str, str], where: str) -> Figure:
    for name in ("source", "system", "dataset", "cell_type", "metric", "note"):
        if not cells[name]:
            raise UserError(f"{where}: {name} is empty.")
    _one_of(cells["unit"], (*UNITS, *OTHER_UNITS), "unit", where)
    _one_of(cells["small_objects"], SMALL_OBJECTS, "small_objects", where)
    _one_of(cells["comparable"], ("yes", "no"), "comparable", where)
    value = _number(cells["value"], "value", where)
    if cells["unit"] in UNITS and not 0 <= value * UNITS[cells["unit"]] <= 1:
        raise UserError(f"{where}: a score of {cells['value']} {cells['unit']} cannot be.")
    if cells["n_images"] and not cells["n_images"].isdecimal():
        raise UserError(f"{where}: n_images is '{cells['n_images']}', not a whole number.")
    if cells["comparable"] == "yes":
        _check_comparable(cells, where)
    return Figure(
        **{
            **cells,
            "value": value,
            "sd": _number(cells["sd"], "sd", where) if cells["sd"] else None,
            "n_images": int(cells["n_images"]) if cells["n_images"] else None,
            "comparable": cells["comparable"] == "yes",
        }
    )


def _check_comparable(cells: dict[str, str], where: str) -> None:
    for name, known in (
        ("metric", METRICS),
        ("dataset", (DATASET,)),
        ("split", SPLITS),
        ("unit", tuple(UNITS)),
    ):
        if cells[name] not in known:
            raise UserError(
                f"{where}: a figure cannot be comparable with {name} '{cells[name]}', only with "
                f"{', '.join(known)}. Fix it, or write 'no' under comparable."
            )


def _one_of(value: str, known: tuple[str, ...], name: str, where: str) -> None:
    if value not in known:
        raise UserError(
            f"{where}: {name} is '{value}'; possible: {', '.join(k or '(empty)' for k in known)}."
        )


def _number(text: str, name: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{where}: {name} is '{text}', not a number.")
    return number


def comparable(
    figures: Iterable[Figure],
    *,
    kind: str,
    data_split: str,
    subsample: int,
    sampled: bool = False,
    small_objects: str,
    cell_type: str = ALL_TYPES,
) -> list[Figure]:
    """Those comparable with measured scores: the same metric, data set, split and cells.

    Parameters
    ----------
    figures : from :func:`read`
    kind : of the data set that was scored, as in the configuration
    data_split, small_objects, cell_type : of the measured scores, as in their columns
    subsample : that every n-th image was scored, of the configuration
    sampled : whether seeds drew the scored images

    Returns
    -------
    list of Figure
        In the order of the table; empty where :func:`obstacle` gives a reason.
    """
    if obstacle(kind=kind, subsample=subsample, sampled=sampled, small_objects=small_objects):
        return []
    return [
        figure
        for figure in figures
        if figure.comparable
        and figure.split == data_split
        and figure.cell_type == cell_type
        and figure.small_objects in (small_objects, "")
    ]


def obstacle(
    *,
    kind: str,
    subsample: int,
    sampled: bool = False,
    small_objects: str,
    dataset: str = DATASET,
) -> str:
    """Why no published figure is comparable with these scores, as half a sentence; or empty.

    Parameters
    ----------
    dataset : of the published figures; others as of :func:`comparable`
    """
    if SOURCES[kind].published_as != dataset:
        return f"they are of {dataset} as a whole, and this data set is another ({kind})"
    if subsample != 1:
        return f"they are of all images, and here one of every {subsample} was scored"
    if sampled:
        return "they are of all images, and here each seed drew some"
    if small_objects != "kept":
        return "nothing was taken out before they were scored"
    return ""
