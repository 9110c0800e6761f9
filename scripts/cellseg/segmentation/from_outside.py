"""Cells that another program found: label images or COCO results to the files of a run.

A run of family ``labels`` has no network. Its files are those of a segmentation, so that scores,
tables and pictures treat it like any other run.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd

from cellseg.data import coco_results, image_files, label_checks, label_folder
from cellseg.errors import UserError
from cellseg.images.reading import LABEL_SUFFIXES, SUFFIXES, find, read_labels
from cellseg.io import atomic, given_csv
from cellseg.io.wording import number_of
from cellseg.segmentation import confidence

_SUFFIXES = {*SUFFIXES, *LABEL_SUFFIXES}


class Found(NamedTuple):
    """Cells of an image.

    Attributes
    ----------
    labels : ndarray of shape (H, W), int32; cells 1..n
    scores : ndarray of shape (n,), float64; NaN where the program gave none
    """

    labels: np.ndarray
    scores: np.ndarray


def import_run(
    source: str | Path,
    scores: str | Path | None,
    images: pd.DataFrame,
    labels: str | Path,
    cells: str | Path,
) -> None:
    """Write the label images and the table of cells of a run.

    Parameters
    ----------
    source : a folder of label images, or a JSON file of COCO results
    scores : CSV with columns image, label and score, for label images; None for none
    images : rows of an images table (:mod:`cellseg.data.annotation_tables`), those to be scored
    labels : npz to write; member ``<image>`` becomes an ndarray of shape (H, W), int32, cells 1..n
    cells : Parquet to write, of :mod:`cellseg.segmentation.confidence`

    Raises
    ------
    UserError
        An image has no prediction, or one of another size; a file is broken; a score is missing.
        Names the file and the remedy.
    """
    source = Path(source)
    read = _of_results if source.suffix.lower() == ".json" else _of_label_images
    measured = {}
    with atomic.stack_writer(labels) as write:
        for image, found in read(source, scores, images):
            write(image, found.labels)
            measured[image] = confidence.areas(found.labels), found.scores
    confidence.write(cells, measured)
    values = np.concatenate([found for _, found in measured.values()])
    without = "" if np.isfinite(values).all() else ", without scores: average precision stays empty"
    taken = f"{number_of(len(values), 'cell')} in {number_of(len(measured), 'image')}"
    print(f"Took {taken} from {source}{without}.")


def _of_results(
    source: Path, scores: str | Path | None, images: pd.DataFrame
) -> Iterator[tuple[str, Found]]:
    """Cells of a JSON file of COCO results."""
    if scores is not None:
        raise UserError(
            f"{source} holds a score for each cell: leave out `scores` ({scores}), which belongs "
            "to a folder of label images."
        )
    results = coco_results.read(source, images)
    for row in images.itertuples():
        try:
            found = coco_results.paint(results[row.image], row.height, row.width)
        except ValueError as error:
            raise UserError(
                f"{source}: a cell of image {row.image} does not fit: {error}. Export results in "
                "the pixels of the image itself."
            ) from error
        yield row.image, Found(*found)


def _of_label_images(
    source: Path, scores: str | Path | None, images: pd.DataFrame
) -> Iterator[tuple[str, Found]]:
    """Cells of a folder of label images."""
    if not source.is_dir():
        raise UserError(
            f"{source} is no folder of label images, and no JSON file of COCO results. Correct "
            "`path` of the model."
        )
    found = _matched(source, images)
    known = None if scores is None else _read_scores(Path(scores))
    pieces = []
    for row in images.itertuples():
        path = found[row.image]
        original = read_labels(path)
        pieces.append(label_checks.look(original))
        if original.shape != (row.height, row.width):
            raise UserError(
                f"{path} has {original.shape[0]} x {original.shape[1]} pixels, but its image "
                f"{row.path} has {row.height} x {row.width}. Segment the image at its own size, "
                "without cropping or resizing."
            )
        values, inverse = np.unique(original, return_inverse=True)
        if not len(values) or values[0] != 0:  # no pixel of background
            values, inverse = np.insert(values, 0, 0), inverse + 1
        labels = inverse.reshape(original.shape).astype(np.int32)
        yield row.image, Found(labels, _scores_of(row.image, values[1:], known, path))
    # Only now: whether labels are cells shows in all of them together. Nothing is written yet.
    label_checks.refuse_no_instances(source, [found[image] for image in images["image"]], pieces)


def _matched(source: Path, images: pd.DataFrame) -> dict[str, Path]:
    """The label image of each image: by as many of the last folder names as decide."""
    files = find(source, LABEL_SUFFIXES)
    if not files:
        raise UserError(
            f"{source} holds no label images ({', '.join(LABEL_SUFFIXES)})."
            f"{label_folder.other_files(source)}"
        )
    by_name: dict[str, list[Path]] = {}
    for path in files:
        for name in label_folder.names_of_image(path.relative_to(source).as_posix()):
            for tail in _tails(name):
                by_name.setdefault(tail, []).append(path)
    folded = image_files.folded(by_name)
    found, missing = {}, []
    for image, path in zip(images["image"], images["path"], strict=True):
        tails = [*_tails(PurePosixPath(Path(path).as_posix())), *_tails(image)]
        candidates = next((by_name[tail] for tail in tails if tail in by_name), [])
        if not candidates:  # in other letter case or Unicode form
            names = [image_files.fold(tail) for tail in tails]
            candidates = next((folded[name] for name in names if name in folded), [])
        if len(candidates) > 1:
            first, second = (one.relative_to(source).as_posix() for one in candidates[:2])
            raise UserError(
                f"{first} and {second} in {source} are both label images of {image}. Keep one."
            )
        if candidates:
            found[image] = candidates[0]
        else:
            missing.append(image)
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise UserError(
            f"{source} has no label image for {number_of(len(missing), 'image')} of "
            f"{len(images)} to be scored: {', '.join(missing[:3])}{more}. Name label images as "
            "their image (also with _labels, _masks or _cp_masks); where nothing was found, store "
            f"one of zeros. The folder holds {files[0].name}"
            f"{f' and {len(files) - 1} more' if files[1:] else ''}."
        )
    left = len(set(files) - set(found.values()))
    if left:
        print(f"{number_of(left, 'file')} of {source} belong to no image to be scored.")
    return found


def _tails(name: str | PurePosixPath) -> list[str]:
    """Ends of a path without its suffix, the longest first: a/b/c, b/c, c."""
    return [str(tail) for tail in image_files.tails(PurePosixPath(name).with_suffix(""))]


class Scores(NamedTuple):
    """A table of scores.

    Attributes
    ----------
    path : of the file
    named : score of each label value, by the image as the table names it, without its suffix
    ends : names of images by each end of theirs: c, b/c, a/b/c
    folded : the same for ends in any case, see :func:`cellseg.data.image_files.fold`
    """

    path: Path
    named: Mapping[str, Mapping[int, float]]
    ends: Mapping[str, Sequence[str]]
    folded: Mapping[str, Sequence[str]]


def _read_scores(path: Path) -> Scores:
    if not path.is_file():
        raise UserError(f"{path} does not exist. Correct `scores` of the model, or leave it out.")
    numeric = ("label", "score")
    table = given_csv.read(path, ("image", *numeric), numeric)
    for name in numeric:
        numbers = pd.to_numeric(table[name], errors="coerce")
        wrong = ~np.isfinite(numbers) | ((numbers % 1 != 0) if name == "label" else False)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            what = "not a whole number" if name == "label" else "not a number"
            raise UserError(f"{path}, row {row + 2}: {name} is {table[name].iloc[row]!r}, {what}.")
        table[name] = numbers
    named: dict[str, dict[int, float]] = {}
    rows = zip(table["image"], table["label"], table["score"], strict=True)
    for row, (image, label, score) in enumerate(rows, start=2):
        name = _without_suffix(image.strip().replace("\\", "/"))
        if not name:
            raise UserError(f"{path}, row {row}: image is empty. Write the name of the image.")
        of_image = named.setdefault(name, {})
        if int(label) in of_image:
            raise UserError(
                f"{path}, row {row}: label {int(label)} of image {image} has a score already. Keep "
                "one row for each label."
            )
        of_image[int(label)] = float(score)
    ends: dict[str, list[str]] = {}
    for name in named:
        for tail in image_files.tails(PurePosixPath(name)):
            ends.setdefault(str(tail), []).append(name)
    return Scores(path, named, ends, image_files.folded(ends))


def _without_suffix(name: str) -> str:
    """A path without the suffix of an image; what else follows a point belongs to the name."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in _SUFFIXES else name


def _scores_of(image: str, values: np.ndarray, known: Scores | None, path: Path) -> np.ndarray:
    """Scores of the label values of an image; NaN for all if there are no scores."""
    if known is None:
        return np.full(len(values), np.nan)
    own = _of_image(known, image, path)
    missing: Sequence[int] = [value for value in values.tolist() if value not in own]
    if missing:
        raise UserError(
            f"{known.path} has no score for label {missing[0]} of {path} ({len(missing)} of "
            f"{len(values)} labels lack one). Export scores of all cells, or leave out `scores`."
        )
    return np.array([own[value] for value in values.tolist()], np.float64)


def _of_image(known: Scores, image: str, path: Path) -> Mapping[int, float]:
    """Scores of an image: by as many of the last folder names as decide, if need be in any case."""
    names = (image, *label_folder.names_of_image(path.as_posix()))
    tails = [str(tail) for name in names
             for tail in image_files.tails(PurePosixPath(_without_suffix(name)))]  # fmt: skip
    for written, ends in ((str, known.ends), (image_files.fold, known.folded)):
        for tail in tails:
            named = ends.get(written(tail), [])
            if len(named) > 1:
                raise UserError(
                    f"{known.path}: {named[0]} and {named[1]} may both be the image {image}. Write "
                    "the folder of the images in front of their names."
                )
            if named:
                return known.named[named[0]]
    return {}
