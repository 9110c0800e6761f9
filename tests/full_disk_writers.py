"""Every writer of the package on a disk that is full; a script, for a process of its own.

python full_disk_writers.py FOLDER (limit | DISK) [FAMILY]

`limit` sets a limit of file sizes, which the kernel enforces as it does the end of a disk. DISK is
an empty file system of 64 MB, which is filled up. Prints one JSON object: by writer, a list of what
each of its failures was.
"""

import hashlib
import json
import os
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path

import numpy as np

CHANNELS = ["inner-distance/0", "pixelwise/1"]
CONDITION = {"dataset": "d", "model": "m", "heads": "h", "subset": "s", "seed": 0}
WATERSHED = {
    "method": "watershed",
    "maxima_threshold": 0.1, "maxima_smooth": 0, "interior_threshold": 0.3,
    "distance_threshold": 0.01, "interior_smooth": 1, "radius": 2, "peaks": "h_maxima",
    "fill_holes_threshold": 15, "min_size": 0,
}  # fmt: skip
Writer = Callable[[Path, bool], None]
"""Writes into a folder; True means the second time, where writers that keep what is complete
are given something else to write."""


@contextmanager
def limited(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes. Python ignores SIGXFSZ, so that writing fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def filled(disk: Path, left: int) -> Iterator[None]:
    """`left` bytes are free on `disk`."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - left)
    try:
        yield
    finally:
        filler.unlink()


def simulate(seed: int) -> Writer:
    from cellseg.simulate import writing as simulation

    def write(folder: Path, again: bool) -> None:
        counts = {"train": 2, "val": 1, "test": 2}
        simulation.write_dataset(folder / "source", counts, ["BV2"], 128, 160, seed + again)

    return write


def data_writers(base: Path) -> Iterator[tuple[str, Writer]]:
    """From annotations to tiles; `base` gets what the next one reads."""
    from cellseg.data import annotations, sources, tiles
    from cellseg.data import rasterize_split as drawing
    from cellseg.report import data_report

    simulate(0)(base, False)
    described = sources.official_layout("d", base / "source")

    def parse(folder: Path, again: bool) -> None:
        annotations.parse(described, folder / "annotations")

    parse(base, False)
    tables = base / "annotations"

    def rasterize(folder: Path, again: bool) -> None:
        for split in ("test", "val"):
            drawing.write(
                tables / f"{split}.images.parquet",
                tables / f"{split}.cells.parquet",
                folder / f"{split}.npz",
                folder / f"{split}.cells.npz",
            )

    rasterize(base, False)

    def tile(folder: Path, again: bool) -> None:
        import pandas as pd

        images = pd.read_parquet(tables / "test.images.parquet")
        from cellseg.data import annotation_tables

        pictures = annotation_tables.pictures(images)
        tiles.write(images["image"], pictures, base / "test.npz", folder / "tiles.npz", 64)

    def report(folder: Path, again: bool) -> None:
        suffixes = {"png": "png", "pdf": "pdf", "caption": "rst"}
        names = {**dict.fromkeys(("counts", "sizes", "problems"), "csv"), **suffixes}
        data_report.write(
            images=[tables / f"{split}.images.parquet" for split in ("train", "val", "test")],
            cells=[tables / f"{split}.cells.parquet" for split in ("train", "val", "test")],
            problems=tables / "problems.csv",
            outputs={name: folder / f"{name}.{suffix}" for name, suffix in names.items()},
            title="d",
        )

    yield "parse", parse
    yield "rasterize", rasterize
    yield "tile", tile
    yield "data_report", report


def run_writers(base: Path) -> Iterator[tuple[str, Writer]]:
    """From maps to figures, of the truth's own maps."""
    from cellseg.figures import style
    from cellseg.inference import map_store
    from cellseg.io import atomic
    from cellseg.scoring import run as scoring
    from cellseg.segmentation import run as segmentation
    from cellseg.targets import heads as transforms
    from cellseg.training import checkpoint
    from cellseg.tuning import run as tuning_run

    truth = np.load(base / "test.npz")
    maps = []
    for name in sorted(truth.files):
        inner = transforms.inner_distance(truth[name])
        stack = np.stack([inner.reshape(truth[name].shape), truth[name] > 0], -1)
        maps.append((name, stack.astype(np.float32)))

    def predict(folder: Path, again: bool) -> None:
        map_store.write(folder / "predictions.zip", CHANNELS, maps)

    predict(base, False)

    def segment(folder: Path, again: bool) -> None:
        labels, cells = folder / "labels.npz", folder / "cells.parquet"
        segmentation.segment_run(base / "predictions.zip", labels, cells, WATERSHED, 1)

    segment(base, False)

    def score(folder: Path, again: bool) -> None:
        scoring.score_run(
            truth=base / "test.npz",
            true_outlines=base / "test.cells.npz",
            images=base / "annotations/test.images.parquet",
            predicted=base / "labels.npz",
            predicted_cells=base / "cells.parquet",
            output=folder / "metrics.csv",
            coco_output=folder / "coco.csv",
            sizes_output=folder / "sizes.csv",
            condition=CONDITION,
            data_split="test",
            min_size=15,
            threads=1,
        )

    def tune(folder: Path, again: bool) -> None:
        tuning_run.tune(
            maps=base / "predictions.zip",
            truths=[base / "test.npz"],
            tuning={"score": "msa", "maxima_threshold": [0.05, 0.2]},
            segmentation=WATERSHED,
            chosen=folder / "chosen.json",
            tried=folder / "tried.csv",
            threads=1,
        )

    def figure(suffix: str, folder: Path, again: bool) -> None:
        from matplotlib.figure import Figure

        drawn = Figure()
        drawn.subplots().plot(np.random.default_rng(0).random(2000))
        style.save(drawn, [folder / f"figure.{suffix}"])

    def table(folder: Path, again: bool) -> None:
        import pandas as pd

        with atomic.replacing(folder / "runs.csv") as temporary:
            pd.DataFrame(np.random.default_rng(0).random((300, 4))).to_csv(temporary)

    def json_file(folder: Path, again: bool) -> None:
        atomic.write_json(folder / "settings.json", {"images": ["name"] * 1000})

    def hdf5(folder: Path, again: bool) -> None:
        def fill(file) -> None:
            for number in range(20):
                file.create_group(f"layer-{number}")["kernel"] = np.ones(3000)

        atomic.write_hdf5(folder / "weights.h5", fill)

    def state(folder: Path, again: bool) -> None:
        kept = checkpoint.ResumeFolder(folder / "resume", "stamp")
        with kept.writing(f"epoch-{1 + again}", {"history": []}) as state_folder:
            np.savez(state_folder / "state.npz", *np.ones((10, 3000)))

    yield from (("predict", predict), ("segment", segment), ("score", score), ("tune", tune))
    yield from ((f"figure.{suffix}", partial(figure, suffix)) for suffix in ("png", "pdf"))
    yield from (("table", table), ("json", json_file), ("hdf5", hdf5), ("state", state))


def unpack(base: Path) -> Writer:
    """Unpack an archive of images."""
    import zipfile

    from cellseg.io import unzip as unpacking

    with zipfile.ZipFile(base / "images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"images/{number}.tif", bytes(20_000))

    def write(folder: Path, again: bool) -> None:
        unpacking.unpack(base / "images.zip", folder / "images", "b" if again else "a")

    return write


def family_writers(base: Path, name: str) -> Iterator[tuple[str, Writer]]:
    """What a learner writes; its TensorBoard log is added to and cannot be put aside."""
    import small_training
    from cellseg import models

    run = small_training.settings(1, 0, name)
    family = models.load(run["model"])
    family.set_threads(1)
    make = small_training.LEARNERS[name]
    learner = getattr(family, make)(run, size=32, folder=base)

    def weights(folder: Path, again: bool) -> None:
        learner.save_weights(folder / "weights.h5")

    def state(folder: Path, again: bool) -> None:
        kept = small_training.state(folder)
        with kept.writing(f"epoch-{1 + again}", {"history": []}) as state_folder:
            learner.save_state(state_folder)

    row = {f"loss {number}": 0.5 for number in range(20)}
    writing: list = []

    def events(folder: Path, again: bool) -> None:
        if not again:
            writing.append(getattr(family, make)(run, size=32, folder=folder))
        writing[0].log_epoch(1 + again, row)

    yield from (("weights", weights), ("state", state), ("events", events))


def tree(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder`, and the name of every folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
    }


def failures(write: Writer, folder: Path, disk: Path | None) -> list[dict]:
    """What happens where there is no room at all, half of what it takes, all but a byte."""
    folder.mkdir()
    write(folder, False)
    before = tree(folder)
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    if disk:
        spaces = [partial(filled, disk, left) for left in (0, max(sizes) // 2 // 4096 * 4096)]
    else:
        spaces = [partial(limited, size) for size in (1, max(sizes) // 2, max(sizes) - 1)]
    found = []
    for space in spaces:
        said = {"kind": "nothing was raised", "message": ""}
        try:
            with space():
                write(folder, True)
        except Exception as error:
            said = {"kind": type(error).__name__, "message": str(error)}
        after = tree(folder)
        changed = sorted(
            path
            for path in before.keys() | after.keys()
            if before.get(path) != after.get(path) and not path.startswith("tensorboard/")
        )
        found.append({**said, "folder": str(folder), "changed": changed})
    return found


def main() -> None:
    """Try all writers, or those of a family."""
    folder, where = Path(sys.argv[1]), sys.argv[2]
    disk = None if where == "limit" else Path(where)
    base = folder / "base"
    base.mkdir(parents=True)
    if len(sys.argv) > 3:
        writers = dict(family_writers(base, sys.argv[3]))
    else:
        writers = {
            "simulate": simulate(5),
            **dict(data_writers(base)),
            **dict(run_writers(base)),
            "unpack": unpack(base),
        }
    with redirect_stdout(sys.stderr):
        found = {
            name: failures(write, (disk or folder) / name, disk) for name, write in writers.items()
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
