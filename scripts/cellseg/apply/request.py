"""What `apply` in the configuration asks for: a trained run on a folder of images."""

import hashlib
import itertools
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cellseg import starter
from cellseg.errors import UserError
from cellseg.inference import fused_run
from cellseg.inference import record as prediction_record
from cellseg.io import exports, made_files, run_files, run_format, tolerant
from cellseg.segmentation import by_cell_type
from cellseg.segmentation import record as segmentation_record
from cellseg.study.fusion_names import MEMBERS

EXAMPLE = "snakemake --cores 2 apply --config 'apply={images: YOUR_FOLDER}'"

RECORD = "applied.json"
"""What was applied to what; a folder that holds it was made by this workflow."""

OF_EXPORT = {
    run_files.SETTINGS: run_files.SETTINGS,
    run_files.SEGMENTATION: run_files.SEGMENTATION,
    run_files.ORIGIN: run_files.ORIGIN,
    exports.SCORES: run_files.METRICS,
}
"""What is read of an export next to its weights, and its name in the folder of a run."""

CHOSEN = ("run", "images")
PARTS = ("channel", "page")
THRESHOLDS = ("tuning", "cell_type")
"""What chooses among the thresholds of a run."""
MADE = ("labels", "outlines", "overview.html", "cells.csv", "images.csv", "skipped.csv")
"""What is made next to the record: the latter four are outputs that Snakemake removes."""


def named(settings: Mapping) -> str:
    """The run, export or starter network to apply, as results and messages call it."""
    return str(settings["run"] or starter.NAME)


def files_of_run(settings: Mapping) -> dict[str, Path]:
    """The files that say how a run segments: weights, settings, windows and thresholds.

    A run that is fused of others has no ``weights``, but those and the settings of its members.

    Parameters
    ----------
    settings : ``apply`` of the configuration, of which run, tuning and cell_type are used

    Returns
    -------
    dict
        Of an export, the starter network among them, only its path, as ``export``.

    Raises
    ------
    UserError
        The run is not complete, does not say how it was predicted, has no thresholds of the
        cell type, or there is none.
    """
    run = starter.resolved(named(settings))
    if exports.is_export(run):
        return _export(run, settings)
    if run.is_file():
        raise UserError(
            f"apply.run: {run} is a file, and no export ({exports.SUFFIX}). Name the folder of the "
            f"run, {run.parent}, or an export."
        )
    if not run.is_dir():
        raise UserError(
            f"apply.run: the folder {run} does not exist. Name the folder of a run or an export, "
            "or leave `run` out for the starter network."
        )
    variant = f"tuning-{settings['tuning']}" if settings["tuning"] else ""
    files = {
        "weights": run / run_files.WEIGHTS,
        "settings": run / run_files.SETTINGS,
        "segmentation": run / variant / run_files.SEGMENTATION,
    }
    about = tolerant.json_file(run / run_files.PROVENANCE)
    # A list of files; of a run of all folds, which has networks, members are a dict.
    fused = isinstance(about, Mapping) and isinstance(about.get(MEMBERS), list)
    if fused:
        del files["weights"]
    missing = [path for path in files.values() if not path.is_file()]
    command = f"snakemake --cores 4 {' '.join(path.as_posix() for path in missing)}"
    if missing:
        lacking = ", ".join(path.relative_to(run).as_posix() for path in missing)
        is_run = run.name.startswith("seed-") or (run / run_files.SETTINGS).is_file()
        remedy = f"Finish it first: {command}" if is_run else "Name a folder that ends in seed-N."
        raise UserError(f"apply.run: {run} is not a finished run, it lacks {lacking}. {remedy}")
    prediction_record.read(files["segmentation"])
    if settings.get("cell_type") is not None:
        found = segmentation_record.read(files["segmentation"])
        by_cell_type.of_type(found, settings["cell_type"], files["segmentation"])
    return {**files, **_members(run)} if fused else files


def _members(run: Path) -> dict[str, Path]:
    """Weights and settings of the runs that one is fused of, which need not be below it."""
    path, files = run / run_files.SETTINGS, {}
    try:
        found = fused_run.members(run_format.read(path, "model"), run)
    except (KeyError, TypeError, ValueError) as error:
        raise made_files.damaged(path, error) from error
    for number, member in enumerate(found, start=1):
        for name in (run_files.WEIGHTS, run_files.SETTINGS):
            files[f"{name} of member {number}"] = member.folder / name
    missing = [path.as_posix() for path in files.values() if not path.is_file()]
    if missing:
        raise UserError(
            f"apply.run: {run} is fused of other runs, and {', '.join(missing)} of them does not "
            f"exist. Put it back, or make it again: snakemake --cores 4 {' '.join(missing)}"
        )
    return files


def _export(path: Path, settings: Mapping) -> dict[str, Path]:
    if not path.is_file():
        raise UserError(f"apply.run: the export {path} does not exist. Correct the path.")
    chosen = next((key for key in THRESHOLDS if settings.get(key)), None)
    if chosen:
        raise UserError(
            f"apply.{chosen}: {settings[chosen]} is of a folder of a run, and {path} is an export, "
            f"which has its thresholds with it. Leave `{chosen}` out."
        )
    return {"export": path}


def family(settings: Mapping) -> str | None:
    """Name of the family of the run to apply, as far as its files say.

    Parameters
    ----------
    settings : ``apply`` of the configuration

    Raises
    ------
    UserError
        As :func:`files_of_run`, or the export is damaged.
    """
    files = files_of_run(settings)
    if "export" in files:
        content = exports.settings_in(files["export"])
    else:
        content = tolerant.json_file(files["settings"])
    try:
        return content["model"]["family"]
    except (TypeError, LookupError):
        return None


@contextmanager
def unpacked(files: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Yield the files of a run, of an export unpacked into a folder that lives as long.

    Parameters
    ----------
    files : of :func:`files_of_run`

    Yields
    ------
    dict
        Paths of ``weights``, ``settings`` and ``segmentation``; of an export also of ``origin``.
        A run that is fused of others has no ``weights``: those of its members are in their folders.

    Raises
    ------
    UserError
        The export lacks one of them, or is damaged.
    """
    if "export" not in files:
        yield dict(files)
        return
    with tempfile.TemporaryDirectory(prefix="export-") as temporary:
        folder = Path(temporary)
        inner = exports.members_in(files["export"])
        names = inner or exports.weights_in(files["export"])
        # Of several networks, each in a folder of its own, there is none of this name.
        weights = names[0] if len(names) == 1 else run_files.WEIGHTS
        exports.unpack(files["export"], {name: name for name in names} | OF_EXPORT, folder)
        run = {
            **({} if inner else {"weights": folder / weights}),
            "settings": folder / run_files.SETTINGS,
            "segmentation": folder / run_files.SEGMENTATION,
            "origin": folder / run_files.ORIGIN,
        }
        with exports.named(files["export"], folder):
            prediction_record.read(run["segmentation"])
            yield run


def folder_of_images(settings: Mapping) -> Path:
    """The folder (or the one image) to segment.

    Raises
    ------
    UserError
        None is named, it does not exist, or the results would lie among the images.
    """
    if not settings["images"]:
        raise UserError(f"apply.images: say which images to segment, such as\n    {EXAMPLE}")
    images = Path(settings["images"])
    try:
        images.stat()
    except FileNotFoundError:
        raise UserError(f"apply.images: {images} does not exist.") from None
    except OSError as error:
        raise UserError(
            f"apply.images: {images} cannot be opened ({error.strerror}). Correct the path or its "
            "rights."
        ) from None
    folder = images if images.is_dir() else images.parent
    output = Path(settings["output"]).resolve()
    if output == folder.resolve() or output in folder.resolve().parents:
        raise UserError(
            f"apply.output: {output} holds the images. Name another folder for the results."
        )
    return images


def output_folder(settings: Mapping, base: str) -> str:
    """Where the results go: as configured, else a folder in `base`, named like that of the images.

    Parameters
    ----------
    base : such as the folder of all results of the workflow

    Raises
    ------
    UserError
        Its name has braces, which mean wildcards to Snakemake.
    """
    output = settings["output"]
    if output and set(output) & set("{}"):
        raise UserError(f"apply.output: '{output}' has braces. Give the folder another name.")
    images = Path(settings["images"] or "unnamed").resolve()
    name = re.sub(r"[{}]", "_", images.stem if images.is_file() else images.name)
    return output or (Path(base) / name).as_posix()


def find_images(settings: Mapping) -> list[Path]:
    """The images to segment, sorted; what this workflow made of images before is none.

    Raises
    ------
    UserError
        As :func:`folder_of_images`, or there is no image.
    """
    from cellseg.apply import microscopy  # with NumPy, which no other job has to wait for

    images = folder_of_images(settings)
    return microscopy.find(images, _made_in(images, settings))


def find_other_images(settings: Mapping) -> list[Path]:
    """Images of formats that are not read, sorted."""
    from cellseg.apply import microscopy

    images = folder_of_images(settings)
    return microscopy.other_images(images, _made_in(images, settings))


def _made_in(images: Path, settings: Mapping) -> list[Path]:
    """Folders of what this workflow made."""
    made = [record.parent for record in images.rglob(RECORD)] if images.is_dir() else []
    return [*made, Path(settings["output"])]


def stamp(settings: Mapping) -> str:
    """Twelve hexadecimal digits that change when the run or one of the images does.

    They are compared by name, size and date: their content is not read.

    Raises
    ------
    UserError
        As :func:`files_of_run`, :func:`find_images` and :func:`earlier`.
    """
    digest = hashlib.sha256()
    paths = [*files_of_run(settings).values(), *find_images(settings)]
    earlier(settings)
    for path in paths:
        status = path.lstat()
        entry = f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n"
        digest.update(entry.encode(errors="surrogateescape"))
    return digest.hexdigest()[:12]


def earlier(settings: Mapping) -> list[str]:
    """Files that an earlier application of this run to these images wrote, relative to the output.

    Before Snakemake starts a job it removes what that made the last time: whoever plans one asks
    here first.

    Parameters
    ----------
    settings : ``apply`` of the configuration

    Raises
    ------
    UserError
        The output folder holds something else: the cells of other images or pages, or of the same
        found by another run or with other thresholds, or files that are not of this workflow.
    """
    folder = Path(settings["output"])
    there = [folder / name for name in MADE if (folder / name).exists()]
    if not there:
        return []
    record = _record(folder)
    if record is None:
        raise UserError(
            f"apply.output: {there[0]} is there already, and not by this workflow. Name another "
            f"folder: {_elsewhere(settings)}"
        )
    chosen = {"run": named(settings), "images": settings["images"]}
    if any(Path(record[key]).resolve() != Path(chosen[key]).resolve() for key in CHOSEN):
        why = f"the cells of {record['images']}, found by {record['run']}"
    elif any(record[key] != settings.get(key) for key in THRESHOLDS):
        key = next(key for key in THRESHOLDS if record[key] != settings.get(key))
        names = [one.get(key) or "none" for one in (record, settings)]
        why = f"what this run found with other thresholds ({key}: {names[0]}, not {names[1]})"
    elif any(record[key] != settings.get(key) for key in PARTS):
        names = [
            ", ".join(f"{key}: {one.get(key) or 'all'}" for key in PARTS)
            for one in (record, settings)
        ]
        why = f"what this run found on other pages ({names[0]}; not {names[1]})"
    else:
        return record["written"]
    raise UserError(
        f"apply.output: {folder} holds {why}, which would be lost. Move it away, or name another "
        f"folder: {_elsewhere(settings)}"
    )


def _record(folder: Path) -> dict | None:
    """What was applied to what in a folder; None if this is not recorded."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        # Earlier versions recorded it with the thresholds alone, at the end.
        tuning = record.get("tuning", record.get("watershed", {}).get("tuning"))
        chosen = {key: str(record[key]) for key in CHOSEN}
        # That earlier versions did not know.
        parts = {key: record.get(key) for key in ("cell_type", *PARTS)}
        written = [name for name in record["written"] if _is_result(name)]
        return {**chosen, **parts, "tuning": tuning, "written": written}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _is_result(name: object) -> bool:
    """Whether a record may name this as written: another name is not by this workflow."""
    if not isinstance(name, str) or ".." in Path(name).parts:
        return False
    return bool(re.fullmatch(r"labels/.+_labels\.tif|outlines/.+\.geojson", name, re.DOTALL))


def remove(output: Path, name: str) -> None:
    """Remove a result that is no longer to be made; nothing outside of the output folder.

    Parameters
    ----------
    output : folder of the results
    name : path in it, of :func:`earlier`
    """
    path = output / name
    within = output.resolve() / Path(name).parent
    # A folder on the way may be a link to another place.
    if path.parent.resolve() == within and path.is_file() and not path.is_symlink():
        path.unlink()


def _elsewhere(settings: Mapping) -> str:
    """The arguments of the call, with a folder of results that is not there yet."""
    output = Path(settings["output"])
    names = (output.with_name(f"{output.name}-{number}") for number in itertools.count(2))
    free = next(path for path in names if not path.exists())
    chosen = {
        **{key: settings.get(key) for key in (*CHOSEN, *THRESHOLDS, *PARTS)},
        "output": free.as_posix(),
    }
    entry = ", ".join(f"{key}: {value}" for key, value in chosen.items() if value)
    return f"--config 'apply={{{entry}}}'"
