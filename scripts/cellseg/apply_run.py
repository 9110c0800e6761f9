"""One trained run applied to images of one's own: cells of every page, tables and an overview."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from cellseg import (
    application,
    apply_doubts,
    cell_measures,
    cell_scores,
    channels,
    ensemble,
    files,
    images,
    map_store,
    microscope_files,
    overview_page,
    polygons,
    predict_run,
    prediction,
    prediction_record,
    provenance,
)
from cellseg.errors import UserError
from cellseg.terminal_text import number_of
from cellseg.watershed import chosen_maps, segment_maps

PAGE_COLUMNS = (
    *("image", "page", "height_px", "width_px", "pixel_size_um", "cells", "covered"),
    *("median_area_px", "labels", "outlines"),
)
"""Of images.csv: one row a page; covered is the share of the page's pixels within cells."""


class Segmenter:
    """From image to cells, exactly as the workflow finds the cells of its test images.

    Parameters
    ----------
    run : of :func:`cellseg.application.files_of_run`
    load_family : from the model's settings to the module of its family

    Raises
    ------
    UserError
        The run is an ensemble, or does not say how it was predicted.
    """

    def __init__(
        self,
        run: Mapping[str, Path],
        load_family: Callable[[Mapping], ModuleType],
        threads: int,
    ) -> None:
        settings = json.loads(run["settings"].read_text())
        self.prediction = prediction_record.read(run["watershed"])
        ensemble.refuse(settings, run["weights"], "segments images of unknown cell types")
        self.watershed = json.loads(run["watershed"].read_text())
        self.folder = run["weights"].parent
        self.names = channels.stored(settings["heads"])
        family = load_family(settings["model"])
        family.set_threads(threads)
        self.predict = predict_run.image_predictor(settings, family, self.folder, self.prediction)
        self.about = provenance.record(settings, family.versions(), family.device())

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cells of an image, and how sure the network is of each.

        Parameters
        ----------
        image : ndarray of shape (H, W), uint8

        Returns
        -------
        labels : ndarray of shape (H, W), int32; cells 1..n
        scores : ndarray of shape (n,), float64
        """
        stack = prediction.stacked(self.predict(image), self.names)
        if not np.isfinite(stack).all():
            raise UserError(f"the network of {self.folder} predicts values that are not finite.")
        # Stored maps are rounded, and cells are those of rounded maps.
        with tempfile.TemporaryDirectory() as folder:
            map_store.write(f"{folder}/maps.zip", self.names, [("page", stack)])
            maps = map_store.open(f"{folder}/maps.zip").read("page")
        labels = segment_maps(maps, self.watershed["watershed"])
        return labels, cell_scores.areas_and_means(labels, chosen_maps(maps)[1])[1]


@dataclass
class Results:
    """What is collected for tables and overview, image by image."""

    cells: list[pd.DataFrame]
    pages: list[overview_page.Page]
    skipped: list[tuple[str, str]]
    pictures: int = 0
    noise: list[str] = field(default_factory=list)


def apply(
    settings: Mapping,
    load_family: Callable[[Mapping], ModuleType],
    outputs: Mapping[str, str],
    threads: int,
) -> None:
    """Segment all images that can be read; write labels, outlines, tables and the overview.

    Parameters
    ----------
    settings : ``apply`` of the configuration: run, tuning, images, output and pixel_size (µm; None
        takes what each file says)
    outputs : paths of ``overview``, ``cells``, ``images`` and ``skipped``

    Raises
    ------
    UserError
        The run or the images are not there, the results would replace others, or none of the
        images can be segmented.
    """
    run = application.files_of_run(settings)
    source, output = application.folder_of_images(settings), Path(settings["output"])
    folder = source if source.is_dir() else source.parent
    found = application.find_images(settings)
    paths = [path for path in found if microscope_files.printable(path)]
    results = Results([], [], [_unprintable(path, folder) for path in found if path not in paths])
    earlier = application.earlier(settings)
    names = microscope_files.output_names(paths, folder)
    made = [(f"labels/{name}_labels.tif", f"outlines/{name}.geojson") for name in names]
    written = sorted(target for pair in made for target in pair)
    for stale in sorted(set(earlier) - set(written)):
        (output / stale).unlink(missing_ok=True)
    # Before the results: what a killed process leaves behind is known to be ours.
    record = {"run": str(run["weights"].parent), "tuning": settings["tuning"],
              "images": str(source), "written": written}  # fmt: skip
    files.write_json(output / application.RECORD, record)

    segmenter = Segmenter(run, load_family, threads)
    for path, targets in zip(paths, made, strict=True):
        name = path.relative_to(folder).as_posix()
        try:
            stack = _readable(path, settings["pixel_size"])
        except UserError as error:
            for target in targets:  # of a time when it could be read
                (output / target).unlink(missing_ok=True)
            results.skipped.append((name, str(error)))
            print(f"Skipped {name}: {error}", flush=True)
            continue
        _segment_file(name, path, stack, segmenter, output, targets, results)
    if not results.pages:
        reasons = "\n".join(f"- {why}" for _, why in results.skipped[:10])
        raise UserError(f"none of the {len(found)} images of {source} can be segmented:\n{reasons}")
    _write_tables(results, outputs)
    settings_used = {"watershed": segmenter.watershed, "prediction": segmenter.prediction}
    files.write_json(output / application.RECORD, {**record, **settings_used, **segmenter.about})
    doubts = apply_doubts.warnings(
        [(page.row["image"], page.row["cells"]) for page in results.pages],
        list(dict.fromkeys(results.noise)),
        run["watershed"].parent / "metrics.csv",
    )
    _write_overview(results, record, segmenter.watershed, outputs["overview"], doubts)
    n_cells = sum(page.row["cells"] for page in results.pages)
    skipped = f", {number_of(len(results.skipped), 'file')} skipped" if results.skipped else ""
    found = f"{number_of(n_cells, 'cell')} on {number_of(len(results.pages), 'page')}"
    print(f"Found {found}{skipped}.", *doubts, sep="\n")
    print(f"Open {outputs['overview']}", flush=True)


def _unprintable(path: Path, folder: Path) -> tuple[str, str]:
    """What is said of a file whose name cannot be written into the tables."""
    shown = str(path.relative_to(folder)).encode(errors="backslashreplace").decode()
    print(f"Skipped {shown}: its name is not UTF-8 text.", flush=True)
    return shown, "Its name is not UTF-8 text. Rename the file."


def _readable(path: Path, pixel_size: float | None) -> microscope_files.Stack:
    """A stack all of whose pages can be segmented."""
    stack = microscope_files.read(path, pixel_size)
    for frame in stack.frames:
        images.to_8_bit(images.luminance(frame, path), path)
    return stack


def _segment_file(
    name: str,
    path: Path,
    stack: microscope_files.Stack,
    segmenter: Segmenter,
    output: Path,
    targets: Sequence[str],
    results: Results,
) -> None:
    pages, outlines = len(stack.frames), []
    labels = np.zeros(stack.frames.shape[:3], np.int32)
    size = stack.calibration.pixel_size
    for page, frame in enumerate(stack.frames, 1):
        grey = images.luminance(frame, path)
        small = images.to_8_bit(grey, path)
        if apply_doubts.is_noise(grey):
            results.noise.append(name)
        labels[page - 1], scores = segmenter(small)
        outlines.append(polygons.of_cells(labels[page - 1]))
        found = cell_measures.measure(labels[page - 1], grey, scores, size)
        results.cells.append(pd.DataFrame({"image": name, "page": page, **found}))
        row = dict(zip(PAGE_COLUMNS, (
            name, page, *grey.shape, np.nan if size is None else float(np.sqrt(size[0] * size[1])),
            len(scores), found["area_px"].sum() / grey.size,
            float(np.median(found["area_px"])) if len(scores) else np.nan, *targets,
        ), strict=True))  # fmt: skip
        picture = None
        if page in overview_page.shown(pages) and results.pictures < overview_page.PICTURES:
            picture = overview_page.draw(small, outlines[-1])
            results.pictures += 1
        results.pages.append(overview_page.Page(name, page, pages, row, picture))
    with files.replacing(output / targets[0]) as temporary:
        microscope_files.write_labels(temporary, labels, stack)
    with files.replacing(output / targets[1]) as temporary:
        temporary.write_text(json.dumps(polygons.geojson(outlines), separators=(",", ":")))
    cells = sum(len(page) for page in outlines)
    print(f"{name}: {cells} cells{f' on {pages} pages' if pages > 1 else ''}", flush=True)


def _write_tables(results: Results, outputs: Mapping[str, str]) -> None:
    tables = {
        "cells": pd.concat(results.cells)[list(cell_measures.COLUMNS)],
        "images": pd.DataFrame([page.row for page in results.pages], columns=list(PAGE_COLUMNS)),
        "skipped": pd.DataFrame(results.skipped, columns=["file", "why"]),
    }
    for name, table in tables.items():
        with files.replacing(outputs[name]) as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g")


def _write_overview(
    results: Results,
    record: Mapping,
    watershed: Mapping,
    path: str | Path,
    doubts: Sequence[str],
) -> None:
    tuning = f", thresholds tuned ({watershed['tuning']})" if watershed["tuning"] else ""
    about = [
        f"Images: {record['images']}",
        f"Segmented by the trained run {record['run']}{tuning}.",
        *doubts,
    ]
    if any(np.isnan(page.row["pixel_size_um"]) for page in results.pages):
        about.append(
            "Some files do not tell the size of a pixel, and their cells have no area in µm²: set "
            "apply.pixel_size in the configuration."
        )
    about.append(
        "Labels open in Fiji and napari, outlines in QuPath. Each cell is a row of cells.csv, each "
        "page a row of images.csv; the upper left corner of an image is (0, 0)."
    )
    title = f"Cells in {Path(record['images']).resolve().name}"
    overview_page.write(path, title, about, results.pages, results.skipped)
