"""A simulated data set on disk, in the layout, names and JSON shape of LIVECell."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cellseg.data.splits import SPLITS
from cellseg.errors import UserError
from cellseg.images.reading import as_tiff
from cellseg.io import disk_full
from cellseg.simulate import variation as departures
from cellseg.simulate.cell_types import CELL_TYPES, TYPE_NUMBERS, CellType
from cellseg.simulate.frame import Frame, simulate_frame
from cellseg.simulate.sheet import area
from cellseg.simulate.variation import Variation
from cellseg.simulate.views import View, capacity, draw

SMALLEST_SIDE = 64  # pixels
SIZE_SPLITS = {  # every n-th training image
    "0_train2percent": 50,
    "1_train4percent": 25,
    "2_train5percent": 20,
    "3_train25percent": 4,
    "4_train50percent": 2,
}
MARKER = "simulation.json"
VARIED = 1
"""Seeds what a frame draws of a variation, so that the rest of it is drawn as without."""


def write_dataset(
    folder: str | os.PathLike,
    images: Mapping[str, int],
    cell_types: Sequence[str] | None = None,
    height: int = 520,
    width: int = 704,
    seed: int = 0,
    variation: Mapping | None = None,
) -> None:
    """Simulate a data set in the layout of LIVECell.

    Writes ``images/livecell_{train_val,test}_images/<CellType>/*.tif`` and the annotation JSONs:
    whole, single cell types, size splits. The same arguments give the same bytes.

    Parameters
    ----------
    folder : to write; a previous simulation there is replaced once the new one is complete
    images : number of images of *each cell type* in ``train``, ``val`` and ``test``
    cell_types : names of LIVECell's cell types; None for all eight
    height, width : of the frames, pixels
    seed : of all randomness; a frame depends on it and its own place in the data set only
    variation : attributes of :class:`cellseg.simulate.variation.Variation`; None for no variation

    Raises
    ------
    UserError
        An argument is out of range, or `folder` holds files that no simulation wrote.
    """
    folder = Path(folder)
    kinds = _validated(images, cell_types, height, width)
    varied = Variation.of(variation or {})
    _check_replaceable(folder)
    settings = {
        "images": {split: images.get(split, 0) for split in SPLITS},
        "cell_types": [kind.name for kind in kinds],
        "height": height,
        "width": width,
        "seed": seed,
    }
    if varied != Variation():
        settings["variation"] = varied.settings()
    with disk_full.explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            new = aside / "new"
            _write_all(new, kinds, settings, varied)
            _swap(new, folder, aside / "old")
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _swap(new: Path, folder: Path, old: Path) -> None:
    """Put `new` in the place of `folder`; what was there is back if that fails."""
    if not folder.exists():
        os.replace(new, folder)
        return
    os.replace(folder, old)
    try:
        os.replace(new, folder)
    except OSError:
        os.replace(old, folder)
        raise


def _validated(images, cell_types, height, width) -> list[CellType]:
    unknown = [split for split in images if split not in SPLITS]
    if unknown:
        raise UserError(f"simulated images: '{unknown[0]}' is not one of {', '.join(SPLITS)}.")
    for split, count in images.items():
        most = capacity(split)
        if not 0 <= count <= most:
            raise UserError(f"simulated images: {split} must be 0 to {most} a type, not {count}.")
    if sum(images.values()) == 0:
        raise UserError("simulated images: ask for at least one image in a split.")
    names = list(CELL_TYPES) if cell_types is None else list(cell_types)
    for name in names:
        if name not in CELL_TYPES:
            raise UserError(f"cell type '{name}' is not one of {', '.join(CELL_TYPES)}.")
    if not names or len(names) > len(set(names)):
        raise UserError("cell_types of the simulation: name at least one, and each once.")
    if min(height, width) < SMALLEST_SIDE:
        raise UserError(
            f"simulated frames of {height} x {width} pixels are too small for cells; "
            f"each side needs {SMALLEST_SIDE} or more."
        )
    return [CELL_TYPES[name] for name in names]


def _check_replaceable(folder: Path) -> None:
    """Refuse a folder with files that are not listed in a simulation's own marker."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"{folder} is a file; the simulation needs the name for a folder.")
    present = sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()
    )
    try:
        ours = {MARKER, *json.loads((folder / MARKER).read_text(encoding="utf-8"))["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    foreign = [name for name in present if name not in ours]
    if foreign:
        raise UserError(
            f"{folder} holds files that are no simulation's, such as {foreign[0]}. Move them away "
            "or simulate into another folder."
        )


def _write_all(folder: Path, kinds: list[CellType], settings: dict, variation: Variation) -> None:
    seed, size = settings["seed"], (settings["height"], settings["width"])
    identities = np.random.default_rng([seed, 0])
    following = int(identities.integers(1000, 50_000))
    total = len(kinds) * sum(settings["images"].values())
    done = 0
    for split_number, split in enumerate(SPLITS):
        views = draw(kinds, split, settings["images"][split], seed)
        records, annotations = [], []
        for view in views:
            place = [ord(view.well[0]), int(view.well[1:]), view.location, view.hours, view.crop]
            number = TYPE_NUMBERS[view.kind.name]
            own = [seed, 1 + split_number, number, *place]
            departure = departures.draw(view.kind, variation, np.random.default_rng([*own, VARIED]))
            random = np.random.default_rng(own)
            frame = simulate_frame(view.kind, view.hours, *size, random, departure)
            _write_image(folder, split, view, frame.image)
            records.append(_image_record(view, following, *size))
            annotations += _annotation_records(frame, following)
            # Images and annotations share one sequence of ids, with gaps between the images.
            following = annotations[-1]["id"] if frame.outlines else following
            following += int(identities.integers(1, 20_000))
            done += 1
            if done % 10 == 0 or done == total:
                print(f"simulated {done} of {total} images", flush=True)
        _write_annotations(folder, split, kinds, records, annotations)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    _dump(folder / MARKER, {**settings, "files": files})


def _write_image(folder: Path, split: str, view: View, image: np.ndarray) -> None:
    group = "livecell_test_images" if split == "test" else "livecell_train_val_images"
    path = folder / "images" / group / view.kind.name / f"{view.stem}.tif"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_tiff(image))


def _image_record(view: View, identity: int, height: int, width: int) -> dict:
    return {
        "id": identity,
        "width": width,
        "height": height,
        "file_name": f"{view.stem}.tif",
        "original_filename": f"{view.stem}.png",
        "url": f"simulated:{view.stem}",
    }


def _annotation_records(frame: Frame, image_identity: int) -> list[dict]:
    records = []
    for number, outline in enumerate(frame.outlines, start=1):
        points = np.round(outline, 2)
        low, extent = points.min(0), np.ptp(points, axis=0)
        records.append(
            {
                "id": image_identity + number,
                "image_id": image_identity,
                "category_id": 1,
                "segmentation": [points.ravel().tolist()],
                "area": area(points),
                "bbox": [*low.tolist(), *extent.tolist()],
                "iscrowd": 0,
            }
        )
    return records


def _write_annotations(folder, split, kinds, records, annotations) -> None:
    base = folder / "annotations"
    _dump(base / "LIVECell" / f"livecell_coco_{split}.json", _coco(records, annotations))
    for kind in kinds:
        own = [record for record in records if record["file_name"].startswith(f"{kind.name}_")]
        if own:
            path = base / "LIVECell_single_cells" / kind.name.lower() / f"{split}.json"
            _dump(path, _coco(own, annotations))
    if split == "train":
        for name, step in SIZE_SPLITS.items():
            if len(records) >= step:
                path = base / "LIVECell_dataset_size_split" / f"{name}.json"
                _dump(path, _coco(records[::step], annotations))


def _coco(records: list[dict], annotations: list[dict]) -> dict:
    """COCO content of some images, with those of the annotations that are theirs."""
    wanted = {record["id"] for record in records}
    return {
        "info": {
            "year": "2021",
            "version": "1.0",
            "description": "Simulated phase contrast in the layout of LIVECell 2021",
            "contributor": "livecell-bench",
            "url": "",
            "date_created": "2021/01/19",
        },
        "licenses": [{"id": 1, "name": "MIT", "url": "https://opensource.org/license/mit"}],
        "categories": [{"supercategory": "cell", "id": 1, "name": "cell"}],
        "images": records,
        "annotations": [record for record in annotations if record["image_id"] in wanted],
    }


def _dump(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
