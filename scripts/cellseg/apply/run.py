"""One trained run applied to images of one's own: cells of every page, tables and an overview."""

import errno
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellseg import starter
from cellseg.apply import doubts as apply_doubts
from cellseg.apply import geojson, measurements, microscopy, pictures, request
from cellseg.apply import page as overview_page
from cellseg.data import livecell_names
from cellseg.errors import UserError
from cellseg.images import grey_values
from cellseg.images.decoded import Part
from cellseg.io import atomic, csv_file, made_files, run_files
from cellseg.io.wording import number_of
from cellseg.segmentation import by_cell_type
from cellseg.segmentation.segmenter import Segmenter

if TYPE_CHECKING:
    from cellseg.training.family import Family

PAGE_COLUMNS = (
    *("image", "page", "height_px", "width_px", "pixel_size_um", "cells", "covered"),
    *("median_area_px", "labels", "outlines", "orientation", "black_level", "white_level"),
)
"""Of images.csv: one row a page.

covered is the share of the page's pixels within cells. orientation is that of the file, 1 to 8 as
in TIFF and EXIF; whatever is measured and written is of the upright image. black_level and
white_level are the grey values that the network saw as 0 and 255.
"""

UNWRITABLE = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
"""What systems say of the name of a result that cannot be."""


@dataclass
class Results:
    """What is collected for tables and overview, image by image."""

    cells: list[pd.DataFrame]
    pages: list[overview_page.Page]
    skipped: list[tuple[str, str]]
    pictures: int = 0
    noise: list[str] = field(default_factory=list)

    def skip(self, name: str, why: str) -> None:
        """Note a file that has no results."""
        self.skipped.append((name, why))
        print(f"Skipped {name}: {why}", flush=True)


def apply(
    settings: Mapping,
    load_family: Callable[[Mapping], "Family"],
    outputs: Mapping[str, str],
    threads: int,
) -> None:
    """Segment all images that can be read; write labels, outlines, tables and the overview.

    Parameters
    ----------
    settings : ``apply`` of the configuration: run (None is the starter network), tuning, cell_type
        (None takes the thresholds of all), images, output, pixel_size (µm; None takes what each
        file says), channel and page (None takes all)
    outputs : paths of ``overview``, ``cells``, ``images`` and ``skipped``

    Raises
    ------
    UserError
        The run or the images are not there, the results would replace others, or none of the
        images can be segmented.
    """
    if request.named(settings) == starter.NAME:
        print(starter.about(), flush=True)
    with request.unpacked(request.files_of_run(settings)) as run:
        _apply(run, settings, load_family, outputs, threads)


def _apply(
    run: Mapping[str, Path],
    settings: Mapping,
    load_family: Callable[[Mapping], "Family"],
    outputs: Mapping[str, str],
    threads: int,
) -> None:
    """As :func:`apply`, with the files of the run."""
    source, output = request.folder_of_images(settings), Path(settings["output"])
    folder = source if source.is_dir() else source.parent
    found = request.find_images(settings)
    paths = [path for path in found if livecell_names.printable(path)]
    unprintable = [path for path in found if not livecell_names.printable(path)]
    results = Results([], [], [_unprintable(path, folder) for path in unprintable])
    part = Part(*(settings.get(key) for key in request.PARTS))
    earlier = request.earlier(settings)
    names = microscopy.output_names(paths, folder)
    made = [(f"labels/{name}_labels.tif", f"outlines/{name}.geojson") for name in names]
    written = sorted(target for pair in made for target in pair)
    for stale in sorted(set(earlier) - set(written)):
        request.remove(output, stale)
    # Before the results: what a killed process leaves behind is known to be ours.
    record = {"run": str(Path(request.named(settings))),
              **{key: settings.get(key) for key in request.THRESHOLDS},
              "images": str(source), **part._asdict(), "written": written}  # fmt: skip
    atomic.write_json(output / request.RECORD, record)

    for path in request.find_other_images(settings):
        name = livecell_names.shown(path.relative_to(folder))
        results.skip(name, f"{path.suffix} is not read. Export it as TIFF.")
    segmenter = Segmenter(run, load_family, threads, settings.get("cell_type"))
    for path, targets in zip(paths, made, strict=True):
        name = path.relative_to(folder).as_posix()
        try:
            stack = _readable(path, settings["pixel_size"], part)
        except UserError as error:
            for target in targets:  # of a time when it could be read
                request.remove(output, target)
            results.skip(name, str(error))
            continue
        _segment_file(name, path, stack, segmenter, output, targets, results)
    if not results.pages:
        reasons = "\n".join(f"- {why}" for _, why in results.skipped[:10])
        raise UserError(f"none of the {len(found)} images of {source} can be segmented:\n{reasons}")
    _write_tables(results, outputs)
    settings_used = {
        "segmentation": segmenter.segmentation,
        "prediction": segmenter.prediction,
        "grey_values": {"percentiles": grey_values.PERCENTILES},
    }
    atomic.write_json(output / request.RECORD, {**record, **settings_used, **segmenter.about})
    doubts = apply_doubts.of_pixels(
        _pixel_size(run),
        [(page.row["image"], page.row["pixel_size_um"]) for page in results.pages],
    )
    doubts += apply_doubts.warnings(
        [(page.row["image"], page.row["cells"]) for page in results.pages],
        list(dict.fromkeys(results.noise)),
        run["segmentation"].parent / run_files.METRICS,
    )
    _write_overview(results, record, segmenter.segmentation, outputs["overview"], doubts)
    n_cells = sum(page.row["cells"] for page in results.pages)
    skipped = f", {number_of(len(results.skipped), 'file')} skipped" if results.skipped else ""
    found = f"{number_of(n_cells, 'cell')} on {number_of(len(results.pages), 'page')}"
    print(f"Found {found}{skipped}.", *doubts, sep="\n")
    print(f"Open {outputs['overview']}", flush=True)


def _pixel_size(run: Mapping[str, Path]) -> float | None:
    """Side of a pixel of the images that an export was trained on, µm, if it says so."""
    return made_files.read_json(run["origin"]).get("pixel_size") if "origin" in run else None


def _unprintable(path: Path, folder: Path) -> tuple[str, str]:
    """What is said of a file whose name cannot be written into the tables."""
    shown = livecell_names.shown(path.relative_to(folder))
    print(f"Skipped {shown}: its name is not UTF-8 text.", flush=True)
    return shown, "Its name is not UTF-8 text. Rename the file."


def _readable(path: Path, pixel_size: float | None, part: Part) -> microscopy.Stack:
    """A stack all of whose pages can be segmented."""
    stack = microscopy.read(path, pixel_size, part)
    for frame in stack.frames:
        grey_values.levels(grey_values.luminance(frame, path), path)
    return stack


def _segment_file(
    name: str,
    path: Path,
    stack: microscopy.Stack,
    segmenter: Segmenter,
    output: Path,
    targets: Sequence[str],
    results: Results,
) -> None:
    pages, outlines, cells, rows = len(stack.frames), [], [], []
    labels = np.zeros(stack.frames.shape[:3], np.int32)
    size = stack.calibration.pixel_size
    for place, frame in enumerate(stack.frames):
        page = stack.first_page + place
        grey = grey_values.luminance(frame, path)
        small = np.ascontiguousarray(grey_values.to_8_bit(grey, path))
        if apply_doubts.is_noise(grey):
            results.noise.append(name)
        labels[place], scores = segmenter(small)
        outlines.append(geojson.of_cells(labels[place]))
        found = measurements.measure(labels[place], grey, scores, size)
        cells.append(pd.DataFrame({"image": name, "page": page, **found}))
        row = dict(zip(PAGE_COLUMNS, (
            name, page, *grey.shape, np.nan if size is None else float(np.sqrt(size[0] * size[1])),
            len(scores), found["area_px"].sum() / grey.size,
            float(np.median(found["area_px"])) if len(scores) else np.nan, *targets,
            stack.orientation, *grey_values.levels(grey, path),
        ), strict=True))  # fmt: skip
        picture = None
        if place + 1 in overview_page.shown(pages) and results.pictures < overview_page.PICTURES:
            picture = pictures.draw(small, outlines[-1])
            results.pictures += 1
        rows.append(overview_page.Page(name, page, pages, row, picture))
    try:
        with atomic.replacing(output / targets[0]) as temporary:
            microscopy.write_labels(temporary, labels, stack)
        with atomic.replacing(output / targets[1]) as temporary:
            temporary.write_text(
                json.dumps(geojson.geojson(outlines), separators=(",", ":")), encoding="utf-8"
            )
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        results.skip(name, f"its results cannot be written ({error}). Rename the file.")
        return
    results.cells += cells
    results.pages += rows
    count = sum(len(page) for page in outlines)
    print(
        f"{name}: {number_of(count, 'cell')}{f' on {pages} pages' if pages > 1 else ''}", flush=True
    )


def _write_tables(results: Results, outputs: Mapping[str, str]) -> None:
    tables = {
        "cells": pd.concat(results.cells)[list(measurements.COLUMNS)],
        "images": pd.DataFrame([page.row for page in results.pages], columns=list(PAGE_COLUMNS)),
        "skipped": pd.DataFrame(results.skipped, columns=["file", "why"]),
    }
    for name, table in tables.items():
        named = table.columns.intersection(["image", "file", "labels", "outlines"])
        table[named] = table[named].map(_no_formula)
        csv_file.write(outputs[name], table, digits=6)


def _no_formula(name: str) -> str:
    """A name that a spreadsheet takes for text: some begin formulas with ``= + - @``."""
    return f"'{name}" if name[:1] in tuple("=+-@\t\r") else name


def _write_overview(
    results: Results,
    record: Mapping,
    segmentation: Mapping,
    path: str | Path,
    doubts: Sequence[str],
) -> None:
    tuning = f", thresholds tuned ({segmentation['tuning']})" if segmentation["tuning"] else ""
    if by_cell_type.KEY in segmentation:
        cell_type = record["cell_type"]
        tuning += f" for cell type {cell_type}" if cell_type else " for all cell types together"
    about = [
        f"Images: {record['images']}",
        f"Segmented by the trained run {record['run']}{tuning}."
        if record["run"] != starter.NAME
        else starter.about(),
        *doubts,
    ]
    if any(np.isnan(page.row["pixel_size_um"]) for page in results.pages):
        about.append(
            "Some files do not give the size of a pixel, and their cells have no area in µm²: set "
            "apply.pixel_size in the configuration."
        )
    chosen = [f"{key} {record[key]}" for key in request.PARTS if record[key]]
    if chosen:
        about.append(f"Of each file only {' and '.join(chosen)} was segmented.")
    if any(page.row["orientation"] != 1 for page in results.pages):
        about.append(
            "Some files say that their pixels are turned or mirrored (column orientation of "
            "images.csv). All results are of the upright image."
        )
    about.append(
        "Labels open in Fiji and napari, outlines in QuPath. Each cell is a row of cells.csv, each "
        "page a row of images.csv; the upper left corner of an image is (0, 0)."
    )
    title = f"Cells in {Path(record['images']).resolve().name}"
    overview_page.write(path, title, about, results.pages, results.skipped)
