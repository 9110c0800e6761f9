"""Where the images and annotations of a data set lie."""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from cellseg.data.splits import SPLITS
from cellseg.errors import UserError
from cellseg.io import tolerant

CHOICES = {"missing_images": ("error", "drop"), "crowds": ("error", "drop", "as-cells")}
"""Settings of a local data set that decide what becomes of images and cells, and their values."""
ANNOTATIONS = "annotations/LIVECell/livecell_coco_{split}.json"


def official_layout(dataset: str, folder: str | os.PathLike) -> dict:
    """Describe a folder that is laid out like the published LIVECell.

    Parameters
    ----------
    dataset : name of the data set
    folder : folder with ``images/`` (in subfolders or flat) and
        ``annotations/LIVECell/livecell_coco_{train,val,test}.json``; the JSON files may also lie
        elsewhere below the folder

    Returns
    -------
    dict
        ``{"dataset", "images": folder, "annotations": {split: path of a COCO JSON}}``
    """
    folder = Path(folder)
    _need_folder(folder, f"dataset '{dataset}'")
    images = folder / "images" if (folder / "images").is_dir() else folder
    annotations = {split: _annotation_file(folder, split) for split in SPLITS}
    missing = [ANNOTATIONS.format(split=split) for split in SPLITS if annotations[split] is None]
    if missing:
        raise UserError(
            f"dataset '{dataset}': {folder} lacks {', '.join(missing)}. Put the files there, or "
            "name them one by one under 'annotations' in the config."
        )
    paths = {split: str(annotations[split]) for split in SPLITS}
    return {"dataset": dataset, "images": str(images), "annotations": paths}


def local(dataset: str, settings: Mapping) -> dict:
    """Describe a data set that is already on disk.

    Parameters
    ----------
    dataset : name of the data set
    settings : one of

        - ``{"path": folder}``: a folder in the official layout, see :func:`official_layout`
        - ``{"images": folder, "annotations": {split: COCO JSON}}``
        - ``{"images": folder, "labels": {split: folder of label images}}``, each label image
          (tif, png, npy) named like its image, see
          :func:`cellseg.data.label_folder.names_of_image`

        ``"channel"`` and ``"page"``, numbers from 1, choose one picture of files with several.
        ``"missing_images": "drop"`` leaves out images that the JSON lists but the folder lacks; by
        default they are an error. ``"crowds"``: see :func:`cellseg.data.annotations.parse`.

    Returns
    -------
    dict
        ``{"dataset", "images", "annotations" or "labels"}``, and ``"missing_images"``,
        ``"crowds"``, ``"channel"`` and ``"page"`` if set

    Raises
    ------
    UserError
        A setting contradicts another, or something it names is missing on disk.
    """
    where = f"dataset '{dataset}'"
    if "path" in settings:
        others = sorted({"images", "annotations", "labels"} & set(settings))
        if others:
            raise UserError(f"{where}: give either 'path' or {' and '.join(others)}, not both.")
        described = official_layout(dataset, settings["path"])
    else:
        described = {"dataset": dataset, **_described_one_by_one(where, settings)}
    for key, values in CHOICES.items():
        if key in settings:
            if settings[key] not in values:
                raise UserError(f"{where}: '{key}' must be one of {', '.join(values)}.")
            described[key] = settings[key]
    described |= {key: settings[key] for key in ("channel", "page") if key in settings}
    return described


def _described_one_by_one(where: str, settings: Mapping) -> dict:
    given = [name for name in ("annotations", "labels") if settings.get(name)]
    if "images" not in settings or len(given) != 1:
        raise UserError(
            f"{where}: give 'path' (a folder in the official layout), or 'images' with either "
            "'annotations' (COCO JSON files) or 'labels' (folders of label images)."
        )
    _need_folder(Path(settings["images"]), f"{where}, 'images'")
    (kind,) = given
    unknown = sorted(set(settings[kind]) - set(SPLITS))
    if unknown:
        raise UserError(f"{where}, '{kind}': '{unknown[0]}' is not one of {', '.join(SPLITS)}.")
    paths = {split: settings[kind][split] for split in SPLITS if split in settings[kind]}
    for split, path in paths.items():
        if kind == "labels":
            _need_folder(Path(path), f"{where}, 'labels', '{split}'")
        elif problem := _missing(Path(path), file=True):
            raise UserError(f"{where}, 'annotations', '{split}': {problem}")
    return {
        "images": str(settings["images"]),
        kind: {split: str(path) for split, path in paths.items()},
    }


def refuse_missing(dataset: str, settings: Mapping, folder: str | os.PathLike) -> None:
    """Refuse a local data set whose folders or files do not exist, before anything is started.

    Images that were read before are not looked for: results can be redrawn without them.

    Parameters
    ----------
    dataset, settings : as of :func:`local`, checked against the schema
    folder : where the workflow keeps what it made of the data set

    Raises
    ------
    UserError
        Names the key of each path that does not exist.
    """
    known = tolerant.json_file(Path(folder) / "source.json")
    read_before = isinstance(known, dict) and known.get("images") == settings.get("images")
    paths = {key: settings[key] for key in ("path", "images") if key in settings}
    if read_before:
        paths.pop("images", None)
    for kind in ("labels", "annotations"):
        paths |= {f"{kind}.{split}": path for split, path in settings.get(kind, {}).items()}
    lines = [
        f"datasets.{dataset}.{key}: {problem}"
        for key, path in paths.items()
        if (problem := _missing(Path(path), file=key.startswith("annotations")))
    ]
    if lines:
        raise UserError("\n".join(lines))
    if "path" in settings:
        official_layout(dataset, settings["path"])


_SIGNS = {
    "~": " Write out what '~' means.",
    r".*\$": " Write out what the variable means.",
    r"\w\w+:/": " It looks like an address: download the data first, and name the folder.",
}
"""What else to say of a path that does not exist, by what it holds."""


def _missing(path: Path, file: bool) -> str:
    """What to say of a path that is no folder, or no file; empty where it is one."""
    what = "file" if file else "folder"
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # of a name with a null character
        pass
    except OSError as error:
        return f"the {what} {path} cannot be opened ({error.strerror}). Correct its name or rights."
    else:
        right = stat.S_ISREG(mode) if file else stat.S_ISDIR(mode)
        return "" if right else f"{path} is not a {what}. Name a {what}."
    more = next((advice for sign, advice in _SIGNS.items() if re.match(sign, str(path))), "")
    more = more or ("" if path.is_absolute() else f" It is looked for in {Path.cwd()}.")
    return f"the {what} {path} does not exist.{more}"


def _annotation_file(folder: Path, split: str) -> Path | None:
    official = folder / ANNOTATIONS.format(split=split)
    if official.is_file():
        return official
    found = sorted(folder.rglob(official.name))
    if len(found) > 1:
        raise UserError(f"{folder} has {official.name} twice: {found[0]} and {found[1]}. Keep one.")
    return found[0] if found else None


def _need_folder(folder: Path, where: str) -> None:
    if problem := _missing(folder, file=False):
        raise UserError(f"{where}: {problem}")


def without_braces(paths: Iterable[str]) -> list[str]:
    """The paths, for Snakemake to watch.

    Raises
    ------
    UserError
        One has braces, which mean wildcards to Snakemake.
    """
    paths = list(paths)
    for path in paths:
        if set(path) & set("{}"):
            raise UserError(f"{path}: its name has braces. Rename the file or folder.")
    return paths


def annotation_files(described: Mapping) -> list[str]:
    """Files that hold the annotations of a described data set: COCO JSON files or label images."""
    if "annotations" in described:
        return list(described["annotations"].values())
    from cellseg.images.reading import LABEL_SUFFIXES, find  # with NumPy

    folders = described["labels"].values()
    return [str(path) for folder in folders for path in find(Path(folder), LABEL_SUFFIXES)]
