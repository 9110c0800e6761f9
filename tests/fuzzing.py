"""Files of all kinds that the library reads, mutated, and what a reader may make of them.

Each case runs in a process with a limit of time and memory. It must end in a result or in one
error for the user that names the file; it may not change anything outside of its folder.
"""

import io
import json
import os
import re
import resource
import signal
import time
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import tifffile
import yaml
from PIL import Image

from cellseg.apply import microscopy
from cellseg.data import coco, label_folder, rasterize, tiles
from cellseg.errors import UserError
from cellseg.images import decoding, grey_values, reading
from cellseg.inference import map_store
from cellseg.inference import record as prediction_record
from cellseg.io import atomic, hdf5_checks, made_files, progress_file, run_format, unzip
from cellseg.io.stamps import stamp
from cellseg.study import validation
from cellseg.training.checkpoint import ResumeFolder

SECONDS = 10
MOST_BYTES = 2 << 30
"""Beyond what the imports take."""
UNTOUCHED = "not yours"

Read = Callable[[Path], object]


def _grey() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (40, 56), np.uint8)


def _cells() -> np.ndarray:
    found = np.zeros((40, 56), np.uint16)
    found[4:12, 5:14], found[20:30, 20:33], found[14:18, 40:50] = 1, 2, 3
    return found


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


def _coco() -> bytes:
    outline = [5.0, 4.0, 14.0, 4.0, 14.0, 12.0, 5.0, 12.0]
    run = {"size": [40, 56], "counts": [44, 8, 2240 - 52]}
    common = {"image_id": 1, "category_id": 1, "iscrowd": 0, "area": 72.0, "bbox": [5, 4, 9, 8]}
    content = {
        "images": [{"id": 1, "file_name": "a.tif", "height": 40, "width": 56}],
        "annotations": [
            {"id": 1, "segmentation": [outline], **common},
            {"id": 2, "segmentation": run, **common},
        ],
        "categories": [{"id": 1, "name": "cell"}],
    }
    from pycocotools import mask

    packed = mask.encode(np.asfortranarray(_cells() == 2).astype(np.uint8))["counts"].decode()
    content["annotations"].append({"id": 3, "segmentation": {**run, "counts": packed}, **common})
    return json.dumps(content).encode()


def _read_coco(path: Path) -> None:
    listed = coco.read_images(path)
    table = coco.read_cells(path, listed).table().to_pydict()
    sizes = {image["id"]: (image["height"], image["width"]) for image in listed}
    for image_id, polygons, rle in zip(
        table["image_id"], table["polygons"], table["rle"], strict=True
    ):
        height, width = sizes[image_id]
        cell = {"size": [height, width], "counts": rle} if polygons is None else polygons
        if height * width < 1 << 22:
            rasterize.rasterize([cell], height, width)


def _read_labels(path: Path) -> None:
    found = reading.read_labels(path)
    assert found.ndim == 2
    for _ in label_folder.encode(found):
        pass


def _read_image(path: Path) -> None:
    grey_values.to_8_bit(grey_values.luminance(decoding.decode(path).frames[0], path), path)


def _unpack(path: Path) -> None:
    unzip.unpack(path, path.parent / "images", "hash")


SAID = {
    "format": 1, "state": "training", "epoch": 1, "epochs": 4, "step": 3, "steps_per_epoch": 9,
    "loss": 0.5, "val_loss": 0.25, "seconds": 30.5, "settings": stamp({}),
    "network": {"number": 1, "of": 2, "cell_type": "BV2"},
}  # fmt: skip


def _read_progress(path: Path) -> None:
    said = progress_file.read(path.parent)
    for running in (True, False):
        training = progress_file.training_of(said, 4, running)
        assert 0 <= training.share <= 1 and (training.seconds_left or 0) >= 0
    progress_file.has_diverged(said, {})


def _read_config(path: Path) -> None:
    schema = Path(__file__).parent.parent / "workflow/schemas/config.schema.yaml"
    rules = yaml.load(
        schema.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    try:
        content = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, ValueError, RecursionError):
        return  # Snakemake reads it, not we
    if isinstance(content, dict):
        validation.resolve(content, rules)


def _read_stack(path: Path) -> None:
    with np.load(path) as stack:
        for name in stack.files:
            stack[name]


def _read_tiles(path: Path) -> None:
    found = tiles.open(path)
    np.array(found.X[:1]), np.array(found.y[:1])


def _read_maps(path: Path) -> None:
    store = map_store.open(path)
    for name in store.images:
        store.read(name)


def _tiles(folder: Path) -> bytes:
    Image.fromarray(_grey()).save(folder / "a.png")
    atomic.write_stack(folder / "labels.npz", [("a", _cells().astype(np.int32))])
    tiles.write(["a"], [reading.Picture(str(folder / "a.png"), (40, 56))], folder / "labels.npz",
                folder / "tiles.npz", 32)  # fmt: skip
    return (folder / "tiles.npz").read_bytes()


def _maps(folder: Path) -> bytes:
    values = np.random.default_rng(0).random((40, 56, 1), np.float32)
    map_store.write(folder / "predictions.zip", ["inner-distance/0"], [("a", values)])
    return (folder / "predictions.zip").read_bytes()


def _weights(file: io.BytesIO) -> None:
    with h5py.File(file, "w") as weights:
        weights.attrs["layer_names"] = [b"a"]
        weights["a/kernel:0"] = np.ones((3, 3))


def sources(folder: Path) -> dict[str, tuple[str, bytes, Read]]:
    """Name of the file, its sound content and the reader, by kind."""
    grey, cells = _grey(), _cells()
    tiff = _saved(lambda file: tifffile.imwrite(file, grey, compression="lzw", predictor=2))
    stack = _saved(lambda file: tifffile.imwrite(file, np.stack([grey] * 3), imagej=True))
    png = _saved(lambda file: Image.fromarray(grey).save(file, "png"))
    jpeg = _saved(lambda file: Image.fromarray(grey).save(file, "jpeg"))
    table = _saved(lambda file: pd.DataFrame({"image": ["a"], "n": [1]}).to_parquet(file))
    state = json.dumps({"stamp": "s", "files": "epoch-1", "history": [], "epoch": {}}).encode()
    predicted = dict.fromkeys(prediction_record.SETTINGS, 1)
    predicted["test_time_augmentation"] = dict.fromkeys(prediction_record.VIEWS, 1)
    record = run_format.stamped({"prediction": predicted, "segmentation": {}})
    study = (Path(__file__).parent.parent / "workflow/studies/demo.yaml").read_bytes()

    def archive(file: io.BytesIO) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as content:
            content.writestr("images/a.tif", tiff)
            content.writestr("images/b.tif", bytes(999))

    def resume(path: Path) -> object:
        return ResumeFolder(path.parent, "s").load()

    return {
        "coco": ("train.json", _coco(), _read_coco),
        "labels-tiff": ("l.tif", _saved(lambda f: tifffile.imwrite(f, cells)), _read_labels),
        "labels-png": ("l.png", _saved(lambda f: Image.fromarray(cells).save(f, "png")),
                       _read_labels),
        "labels-npy": ("l.npy", _saved(lambda f: np.save(f, cells)), _read_labels),
        "image-tiff": ("i.tif", tiff, _read_image),
        "image-stack": ("i.tif", stack, microscopy.read),
        "image-png": ("i.png", png, _read_image),
        "image-jpeg": ("i.jpg", jpeg, _read_image),
        "archive": ("a.zip", _saved(archive), _unpack),
        "config": ("study.yaml", study, _read_config),
        "state": ("state.json", state, resume),
        "progress": ("progress.json", json.dumps(SAID).encode(), _read_progress),
        "settings": ("segmentation.json", json.dumps(record).encode(), prediction_record.read),
        "parquet": ("t.parquet", table, made_files.read_parquet),
        "tiles": ("tiles.npz", _tiles(folder), _read_tiles),
        "maps": ("predictions.zip", _maps(folder), _read_maps),
        "weights": ("w.h5", _saved(_weights), hdf5_checks.refuse),
    }  # fmt: skip


ODD_NUMBERS = [b"-1", b"0", b"1e9", b"-1e300", b"9" * 23, b"NaN", b"Infinity", b"null"]
ODD_VALUES = [b'"x"', b"[]", b"{}", b"[[]]", b"true", b'"\\u0000"', b'"\\udcff"', b'"../../x"']


def mutate(content: bytes, random: np.random.Generator) -> bytes:
    """The content with one to four changes: bytes, cuts, copies, and words put for numbers."""
    changed = bytearray(content)
    for _ in range(random.integers(1, 5)):
        place = int(random.integers(0, max(1, len(changed))))
        length = int(random.integers(1, 9))
        match random.integers(0, 7):
            case 0:
                changed[place : place + length] = random.bytes(length)
            case 1:
                del changed[place : place + int(random.integers(1, 40))]
            case 2:
                del changed[place:]
            case 3:
                changed[place:place] = changed[place : place + int(random.integers(1, 200))]
            case 4:
                changed[place : place + 4] = random.choice([0, 1, 2**31 - 1, 2**32 - 1]).astype(
                    "<u4").tobytes()  # fmt: skip
            case 5 if len(changed) > place:
                changed[place] ^= 1 << int(random.integers(0, 8))
            case _:
                _put_word(changed, random)
    return bytes(changed)


def _put_word(changed: bytearray, random: np.random.Generator) -> None:
    """Put an odd value where text has a number; else a word anywhere."""
    numbers = list(re.finditer(rb"-?\d+(?:\.\d+)?", changed))
    odd = [*ODD_NUMBERS, *ODD_VALUES]
    word = odd[int(random.integers(0, len(odd)))]
    if numbers:
        chosen = numbers[int(random.integers(0, len(numbers)))]
        changed[chosen.start() : chosen.end()] = word
    else:
        changed += word


def outcome(read: Read, path: Path) -> str:
    """How reading ends: ``result``, ``error``, or what is wrong about it."""
    before = {one.name for one in path.parent.parent.iterdir()}
    shown, telling = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(shown)
        os.write(telling, _within_limits(read, path).encode("utf-8", "replace")[:60000])
        os._exit(0)
    os.close(telling)
    with os.fdopen(shown, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        killed = signal.Signals(os.WTERMSIG(status)).name
        return f"killed by {killed} after {time.monotonic() - started:.0f} s"
    if {one.name for one in path.parent.parent.iterdir()} != before:
        return "changed something outside of its folder"
    return said


def _within_limits(read: Read, path: Path) -> str:
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1), os.dup2(devnull, 2)
    with open("/proc/self/statm", encoding="ascii") as statm:
        taken = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MOST_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(SECONDS)
    try:
        read(path)
    except UserError as error:
        message = str(error)
        # A configuration is named by its keys: it may come from several files.
        named = path.name in message or path.suffix == ".yaml"
        return "error" if named and "Traceback" not in message else f"unclear: {message[:300]}"
    except BaseException:
        return traceback.format_exc()
    return "result"
