"""The space that a study takes on the disk of its results, estimated before it runs.

What is there is measured. What is not takes the mean of what finished runs of the same model on
the same data set take, else what the settings let expect, by the figures below.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cellseg import head_names, unpack
from cellseg.channels import marker_head, stored
from cellseg.study import Run, all_runs, all_variants, merged, tiling_of
from cellseg.tiles import offsets

PARAMETERS = {
    "featurenet": 701_102,
    "resnet50": 25_096_334,
    "resnet101": 44_166_798,
    "resnet152": 59_879_566,
    "densenet121": 8_279_886,
    "densenet169": 14_112_078,
    "densenet201": 19_986_766,
    "efficientnetb0": 5_201_841,
    "efficientnetb1": 7_727_509,
    "efficientnetb2": 8_978_183,
    "efficientnetb3": 12_050_493,
    "efficientnetb4": 19_055_469,
    "efficientnetb5": 29_997_573,
    "efficientnetb6": 42_558_877,
    "efficientnetb7": 65_811_109,
    "mobilenet": 4_278_734,
    "mobilenetv2": 2_549_070,
    "vgg16": 15_633_486,
    "vgg19": 20_943_182,
}
"""Weights of each backbone with its pyramid, from C3 to C5: to build a network takes seconds."""
HEAD_PARAMETERS, LEVEL_PARAMETERS = 119_745, 36_864
"""Of a head, and of each doubling between the level that feeds it and the image."""

# Bytes, measured on the thirteen real images of tests and four epochs of a small network.
MARKER_MAP_PIXEL, MAP_PIXEL = 0.8, 0.35  # 16 and 8 bits, compressed
LABEL_PIXEL = 0.12
OUTLINE = 120  # true cells as run lengths
ANNOTATION = 215  # a cell's row of the annotation tables
FOUND_CELL = 16  # a row of cells.parquet
SCORED_IMAGE = 1_700  # two rows of metrics.csv
SHOWN_IMAGE = {"overlay.png": 1.4e6, "overlay.pdf": 0.85e6}
NAMED_IMAGE = 45  # in provenance.json
LOGGED_EPOCH = 350  # a row of history.csv
SMALL_FILE = 3_000
CURVE = {"learning_curve.png": 180_000, "learning_curve.pdf": 26_000}
DATA_REPORT = 110_000
SIMULATED_PIXEL, SIMULATED_CELL = 0.6, 1_450  # TIFF, and three JSON files

TILE_PIXEL = 5  # grey value and label, not compressed

LIVECELL = {"train": 3_253, "val": 570, "test": 1_564}  # images as published, some of them twice
LIVECELL_PIXELS, LIVECELL_CELLS = 520 * 704, 323  # an image
LIVECELL_IMAGES = 2.5e9  # images.zip and what is unpacked from it
LIVECELL_ANNOTATIONS = {"whole": 0.91e9, "single-cell-types": 0.91e9, "size-splits": 0.47e9}

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Images:
    """Images of a split: how many, and their pixels and cells in all."""

    count: float
    pixels: float
    cells: float

    def part(self, share: float) -> "Images":
        """A share of them."""
        return Images(self.count * share, self.pixels * share, self.cells * share)


@dataclass(frozen=True)
class Space:
    """Bytes on the disk of the results.

    Attributes
    ----------
    folder : of the results
    runs, data : what all runs keep in the end, and data sets, tiles and pretrained weights
    there : what is there already of both
    state : of one training, while it runs
    maps : of one run, while its cells are found; none where the study keeps maps
    free : on the disk
    n_runs, n_unfinished : runs of the study, and those that lack a file
    unknown : data sets of which nothing is known before their annotations are read; not counted
    """

    folder: Path
    runs: float
    data: float
    there: float
    state: float
    maps: float
    free: float
    n_runs: int
    n_unfinished: int
    unknown: tuple[str, ...]


def parameters(backbone: str, levels: Iterable[str], n_heads: int) -> int:
    """Number of weights of PanopticNet, within some three per cent for any levels and heads."""
    finest = min(int(level[1]) for level in levels)
    return PARAMETERS[backbone] + n_heads * (HEAD_PARAMETERS + finest * LEVEL_PARAMETERS)


def plan(study: Mapping, results: str | os.PathLike) -> Space:
    """Estimate the space of a whole study, whatever of it is asked for.

    Parameters
    ----------
    study : complete configuration, see :func:`cellseg.config.resolve`
    results : folder of all results; it need not exist
    """
    results = Path(results)
    runs = all_runs(study)
    names = sorted({run.dataset for run in runs})
    images = {
        name: images_of(study["datasets"][name], results / "data" / name / "annotations")
        for name in names
    }
    known = [run for run in runs if images[run.dataset]]
    expected, passing = {}, []
    variants: dict[Run, list[str]] = {}
    for run, variant in all_variants(study):
        variants.setdefault(run, []).append(variant)
    for run in known:
        sizes, state, maps = _files_of_run(study, run, variants[run], images[run.dataset])
        expected[run] = sizes
        passing.append((state, maps))
    found = {run: _listed(_folder(results, run), variants[run]) for run in known}
    _take_means(expected, found)
    of_runs = there = n_unfinished = 0.0
    for run, sizes in expected.items():
        own = {name: found[run].get(name) for name in sizes}
        of_runs += sum(sizes[name] if size is None else size for name, size in own.items())
        there += sum(size for size in own.values() if size is not None)
        n_unfinished += None in own.values()
    of_data = 0.0
    for size, has in _data(study, runs, images, results / "data"):
        of_data += size if has is None else has
        there += has or 0
    return Space(
        folder=results,
        runs=of_runs,
        data=of_data,
        there=there,
        state=max((state for state, _ in passing), default=0.0),
        maps=max((maps for _, maps in passing), default=0.0),
        free=_free(results),
        n_runs=len(runs),
        n_unfinished=int(n_unfinished),
        unknown=tuple(name for name in names if not images[name]),
    )


def lines(space: Space, jobs: int | None) -> list[str]:
    """What a plan says about space.

    Parameters
    ----------
    jobs : runs that may be in progress at once; None where that is not known
    """
    passing = max(space.state, space.maps)
    at_once = max(1, min(jobs or 1, space.n_unfinished))
    maps = f" or predicted maps {_gb(space.maps)}" if space.maps else ""
    together = f"; {at_once} at once: {_gb(passing * at_once)}" if at_once > 1 else ""
    told = [
        f"Space: the study keeps about {_gb(space.runs + space.data)} (runs, {space.n_runs}: "
        f"{_gb(space.runs)}; data: {_gb(space.data)}), {_gb(space.there)} of it are there; "
        f"{_gb(space.free)} are free on the disk of {space.folder}.",
        f"       A run in progress takes up to {_gb(passing)} more (a training's state "
        f"{_gb(space.state)}{maps}){together}.",
    ]
    if space.unknown:
        told.append(
            f"       Not counted, for their images are not known yet: {', '.join(space.unknown)}."
        )
    needed = space.runs + space.data - space.there
    needed += passing * at_once if space.n_unfinished else 0
    if needed > space.free:
        told.append(
            f"Warning: the disk of {space.folder} is too small by about "
            f"{_gb(needed - space.free)}. Free space, keep no maps, run fewer jobs at once, or "
            "put it on another disk (a link)."
        )
    return told


def images_of(entry: Mapping, annotations: Path) -> dict[str, Images] | None:
    """Images of each split: of the tables where they are, else as the settings say.

    Parameters
    ----------
    entry : settings of the data set
    annotations : folder of its tables, see :mod:`cellseg.cell_tables`

    Returns
    -------
    dict of split to Images; None for local images whose annotations were not read yet
    """
    paths = {split: annotations / f"{split}.images.parquet" for split in SPLITS}
    if all(path.is_file() for path in paths.values()):
        import pyarrow.parquet as pq

        columns = ["height", "width", "n_cells"]
        tables = {
            split: pq.read_table(path, columns=columns).to_pydict() for split, path in paths.items()
        }
        return {
            split: Images(
                len(table["height"]),
                sum(map(int.__mul__, table["height"], table["width"])),
                sum(table["n_cells"]),
            )
            for split, table in tables.items()
        }
    if entry["kind"] == "download":
        return {
            split: Images(count, count * LIVECELL_PIXELS, count * LIVECELL_CELLS)
            for split, count in LIVECELL.items()
        }
    if entry["kind"] == "simulated":
        pixels = entry["height"] * entry["width"]
        cells = LIVECELL_CELLS * pixels / LIVECELL_PIXELS
        kinds = len(entry["cell_types"])
        return {
            split: Images(kinds * count, kinds * count * pixels, kinds * count * cells)
            for split, count in entry["images"].items()
        }
    return None


def _files_of_run(
    study: Mapping, run: Run, variants: list[str], images: Mapping[str, Images]
) -> tuple[dict[str, float], float, float]:
    """Files that a run keeps, by name; then its state of training, and its maps that go."""
    model = study["models"][run.model]
    subset = study["subsets"][run.subset]
    heads = head_names.split(run.heads)
    weights = 4.0 * parameters(model["backbone"], model["backbone_levels"], len(heads))
    shown = min(study["overlays"]["images"], images[study["scoring"]["data_split"]].count)
    scored = images[study["scoring"]["data_split"]].part(1 / study["scoring"]["every"])
    chosen = (images["train"].count + images["val"].count) * subset["fraction"]
    epochs = merged(study["training"], model["training"])["epochs"]
    pixel = _map_bytes(heads)
    sizes = {
        "weights.h5": weights,
        "history.csv": LOGGED_EPOCH * epochs,
        "settings.json": SMALL_FILE,
        "provenance.json": SMALL_FILE + NAMED_IMAGE * chosen,
        **CURVE,
    }
    passing = {"maps.zip": scored.pixels * pixel}
    for variant in variants:
        sizes |= {
            f"{variant}labels.npz": LABEL_PIXEL * scored.pixels,
            f"{variant}cells.parquet": FOUND_CELL * scored.cells,
            f"{variant}metrics.csv": SCORED_IMAGE * scored.count,
            f"{variant}coco.csv": SMALL_FILE,
            f"{variant}sizes.csv": SMALL_FILE,
            f"{variant}watershed.json": SMALL_FILE,
            f"{variant}overlay-maps.zip": pixel * scored.pixels / scored.count * shown,
            **{f"{variant}{name}": size * shown for name, size in SHOWN_IMAGE.items()},
        }
        if variant:
            tuning = study["tunings"][variant.removeprefix("tuning-").rstrip("/")]
            validated = images["val"].part(subset["fraction"] / tuning["every"])
            passing[f"{variant}validation-maps.zip"] = validated.pixels * pixel
            sizes |= {f"{variant}chosen.json": SMALL_FILE, f"{variant}tried.csv": SMALL_FILE}
    # Adam keeps two moments a weight, so that a state is three times the weights. The one before
    # goes when the next one is whole, and the best weights so far lie beside both.
    state = 7 * weights
    if study["keep_maps"]:
        return sizes | passing, state, 0.0
    return sizes, state, sum(passing.values())


def _map_bytes(heads: list[str]) -> float:
    """Bytes of a pixel of all stored channels of a run."""
    marker = marker_head(heads)
    return sum(
        MARKER_MAP_PIXEL if name.split("/")[0] == marker else MAP_PIXEL for name in stored(heads)
    )


def _take_means(
    expected: Mapping[Run, dict[str, float]], found: Mapping[Run, Mapping[str, int]]
) -> None:
    """Put means of finished runs in the place of the settings' figures."""
    sums: dict[tuple, list[int]] = {}
    for run, sizes in found.items():
        for name, size in sizes.items():
            if name in expected[run]:
                sums.setdefault(_alike(run, name), []).append(size)
    means = {key: sum(sizes) / len(sizes) for key, sizes in sums.items()}
    for run, sizes in expected.items():
        for name in sizes:
            sizes[name] = means.get(_alike(run, name), sizes[name])


def _alike(run: Run, name: str) -> tuple:
    """Runs with the same of this have files of nearly the same size."""
    of_heads = run.heads if name.endswith((".h5", ".zip")) else None
    of_subset = run.subset if name.endswith(("provenance.json", "validation-maps.zip")) else None
    return run.dataset, run.model, of_heads, of_subset, name


def _folder(results: Path, run: Run) -> str:
    return f"{results}/{run.dataset}/runs/{run.model}/{run.heads}/{run.subset}/seed-{run.seed}/"


def _listed(folder: str, variants: list[str]) -> dict[str, int]:
    """Size of each file of a run, and of its tunings, by name."""
    sizes = {}
    for variant in {"", *variants}:
        try:
            with os.scandir(folder + variant) as entries:
                for entry in entries:
                    if entry.is_file():
                        sizes[variant + entry.name] = entry.stat().st_size
        except OSError:
            continue  # not there yet
    return sizes


def _data(
    study: Mapping, runs: list[Run], images: Mapping[str, dict[str, Images] | None], folder: Path
) -> Iterator[tuple[float, float | None]]:
    """Expected size of everything of the data folder, and what it takes where it is there."""
    for name, splits in images.items():
        if splits is None:
            continue
        entry, own = study["datasets"][name], folder / name
        if entry["kind"] != "local":
            yield _source(entry, splits), _measured(own / "source", (own / "source.json").is_file())
        yield DATA_REPORT, _size(own / "report/data.png")
        for split, some in splits.items():
            yield ANNOTATION * some.cells, _size(own / f"annotations/{split}.cells.parquet")
            yield LABEL_PIXEL * some.pixels, _size(own / f"labels/{split}.npz")
            yield OUTLINE * some.cells, _size(own / f"labels/{split}.cells.npz")
        tilings = sorted({tiling_of(study, run.model) for run in runs if run.dataset == name})
        for tiling in tilings:
            settings = study["tilings"][tiling]
            for split in ("train", "val"):
                size = _tiles(settings, splits[split]) * settings["size"] ** 2 * TILE_PIXEL
                yield size, _size(own / f"tiles/{tiling}/{split}.npz")
    backbones = {
        study["models"][run.model]["weights"]: study["models"][run.model]["backbone"]
        for run in runs
    }
    for name, backbone in backbones.items():
        if name is not None:
            yield 4.0 * PARAMETERS[backbone], _size(folder / f"pretrained/{name}.h5")


def _source(entry: Mapping, splits: Mapping[str, Images]) -> float:
    """Images and annotations as they are published or simulated."""
    if entry["kind"] == "download":
        return LIVECELL_IMAGES + sum(LIVECELL_ANNOTATIONS[group] for group in entry["annotations"])
    return sum(
        SIMULATED_PIXEL * some.pixels + SIMULATED_CELL * some.cells for some in splits.values()
    )


def _tiles(tiling: Mapping, images: Images) -> float:
    """Number of tiles of a split whose images have LIVECell's proportions."""
    if tiling["mode"] == "resize" or not images.count:
        return images.count
    scale = (images.pixels / images.count / LIVECELL_PIXELS) ** 0.5
    rows, columns = (
        len(offsets(round(length * scale), tiling["size"], tiling["overlap"]))
        for length in (520, 704)
    )
    return images.count * rows * columns


def _measured(folder: Path, complete: bool) -> float | None:
    """Bytes below a folder; of unpacked images, which are thousands, from the list beside them."""
    if not complete:
        return None
    size = 0
    for path, folders, names in os.walk(folder):
        marker = Path(path) / unpack.MARKER
        if unpack.MARKER in names:
            try:
                size += sum(json.loads(marker.read_text())["files"].values())
            except (OSError, ValueError, KeyError):
                continue
            folders.clear()
        else:
            size += sum(_size(Path(path) / name) or 0 for name in names)
    return size


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _free(folder: Path) -> int:
    """Bytes that are free where a folder is, or will be."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
