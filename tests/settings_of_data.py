"""Cases of the settings that decide which images, labels, tiles and subsets there are."""

import json
import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import tifffile

import layouts_made
import livecell_server
import squares
from cellseg.data import frames, subsets, tiles
from cellseg.data.splits import SPLITS
from cellseg.io import download
from setting_cases import ABSENT, OTHER, Case, World

TRAIN = "train *: params.settings"
TABLES = "results/data/squares/annotations"


# --- what is seen


def datasets_of_figures(world: World) -> list[str]:
    return sorted({job.wildcards["dataset"] for job in world.plan.find("figure *")})


def rule_that_makes_official(world: World) -> str:
    [rule] = [
        job.rule
        for job in world.plan.jobs.values()
        if "results/data/official/source.json" in job.output.values()
    ]
    return rule


def requests(world: World) -> dict[str, tuple]:
    """Address, hash and retries of each file that is fetched, by its name."""
    asked, published = {}, livecell_server.mini_livecell()

    def fetch_file(url, path, sha256=None, retries=4, **more):
        asked[Path(path).name] = (url, sha256, retries)
        name = next((one for one in published if str(path).endswith(one)), None)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(published[name] if name else b"{}")
        return {"url": url, "size": 0, "sha256": livecell_server.sha256(Path(path).read_bytes())}

    shutil.rmtree(world.root / "results/data/downloaded", ignore_errors=True)
    with mock.patch.object(download, "fetch_file", fetch_file):
        world.run("download downloaded")
    return asked


def simulated(world: World) -> tuple[dict, np.ndarray]:
    """Number of images by split and cell type, and the first image."""
    shutil.rmtree(world.root / "results/data/simulated", ignore_errors=True)
    source = json.loads(Path(world.run("simulate simulated").source).read_text())
    counts = {}
    for split, path in source["annotations"].items():
        listed = json.loads((world.root / path).read_text())["images"]
        types = [image["file_name"].split("_")[0] for image in listed]
        counts[split] = {one: types.count(one) for one in sorted(set(types))}
    first = min((world.root / source["images"]).rglob("*.tif"))
    return counts, tifffile.imread(first)


def parsed(world: World, dataset: str) -> dict[str, pd.DataFrame]:
    """Images by split, of what ``use_local`` says of a local data set."""
    source = world.run(f"use_local {dataset}").source
    return tables(world, dataset, source)


def tables(world: World, dataset: str, source: str) -> dict[str, pd.DataFrame]:
    images = world.run(f"parse {dataset}", source=source).images
    return {Path(path).name.split(".")[0]: pd.read_parquet(path) for path in images}


def counts(dataset: str, split: str):
    return lambda world: len(parsed(world, dataset)[split])


def training_images(world: World) -> int | str:
    try:
        return len(parsed(world, "squares")["train"])
    except SystemExit:
        return "refused"


def grey_of_a_cell(world: World) -> int | str:
    """In the tiles that are cut from the images of the squares."""
    try:
        source = world.run("use_local squares").source
        [table] = [path for path in world.run("parse squares", source=source).images
                   if "train" in Path(path).name]  # fmt: skip
        made = world.run("tile squares/cut-64/train", images=table).tiles
    except SystemExit:
        return "refused"
    return int(tiles.open(made).X[0, 13, 13, 0])


def with_duplicates(dataset: str):
    """Training images of a list in which one is of test, too."""

    def see(world: World) -> int:
        splits = {split: f"squares/{split}.json" for split in ("val", "test")}
        about = {"images": "squares/images", "annotations": {"train": "squares/doubled.json"}}
        about["annotations"] |= splits
        source = world.folder / "doubled-source.json"
        source.write_text(json.dumps(about))
        return len(tables(world, dataset, str(source))["train"])

    return see


def areas_of_overlapping(dataset: str):
    """Visible pixels of the four cells that overlap in 36 pixels each."""

    def see(world: World) -> list[int]:
        inputs = {kind: f"{TABLES}/test.{kind}.parquet" for kind in ("images", "cells")}
        labels = np.load(world.run(f"rasterize {dataset}/test", **inputs).labels)
        return np.bincount(labels[squares.names("test")[0]].ravel())[3:].tolist()

    return see


OVERLAPS = [
    ("smaller-on-top", [64, 108, 108, 64]),
    ("later", [28, 144, 108, 64]),
    ("earlier", [64, 108, 144, 28]),
]


def tiles_made(world: World) -> tuple[int, ...]:
    path = world.run("tile squares/cut-64/train").tiles
    if world.study["tilings"]["cut-64"]["mode"] != "crop":
        return tiles.open(path).X.shape[:3]
    file = frames.open(path)
    return len(file), *file.frame(0)[0].shape


CROPS = {"tilings.cut-64.mode": "crop"}


def trained_on_crops(world: World):
    """The training stream of a run on crops of the images as they are."""
    whole = Path(world.run("tile squares/cut-64/train").tiles)
    others = Path(world.run("tile squares/cut-64/val").tiles)
    world.run("train squares/unet/fgbg/half/0", train_tiles=str(whole), val_tiles=str(others))
    [trained] = world.family.trained
    return trained.train


def crops_of_an_epoch(world: World) -> int:
    return len(trained_on_crops(world).index)


def scales_drawn(world: World) -> tuple[float, ...]:
    """Magnifications of many crops."""
    pool = trained_on_crops(world).tiles
    sources = (pool.source(0, np.random.default_rng(seed)) for seed in range(40))
    return tuple(sorted({float(1 / matrix[0, 0]) for *_, matrix in sources}))


def chosen(world: World) -> dict[str, list[str]]:
    """Type and well of each image that a run is trained on and validated with."""
    world.run("train squares/unet/fgbg/half/0")
    [trained] = world.family.trained
    return {
        name: sorted({image.split("_1_")[0] for image in stream.tiles.image[stream.index]})
        for name, stream in (("train", trained.train), ("val", trained.validation))
    }


def numbers_chosen(world: World) -> tuple[int, int]:
    return tuple(len(names) for names in chosen(world).values())


def synthetic(world: World) -> tuple[int, ...]:
    """Synthetic images of each real one that are made, and those that are trained on."""
    made = [int(job.wildcards["times"]) for job in world.plan.find("extend *")]
    read = [len(job.input["extension_tiles"]) for job in world.plan.find("train *extended/0")]
    return (*made, *read)


def extension(world: World) -> tuple[list[np.ndarray], list[int]]:
    """Synthetic images of the first real ones, and the numbers of their cells."""
    inputs = {}
    for kind in ("images", "cells"):
        table = pd.read_parquet(world.root / f"{TABLES}/train.{kind}.parquet")
        inputs[kind] = str(world.folder / f"few.{kind}.parquet")
        table[table["image"].isin(squares.names("train")[:2])].to_parquet(inputs[kind])
    source = Path(world.run("extend *", **inputs).source)
    annotations = json.loads(next(source.parent.glob("train.json")).read_text())["annotations"]
    cells = [cell["image_id"] for cell in annotations]
    images = [tifffile.imread(path) for path in sorted(source.parent.rglob("*.tif"))]
    return images, [cells.count(one) for one in sorted(set(cells))]


def sum_of_extension(world: World) -> int:
    return int(sum(image.astype(int).sum() for image in extension(world)[0]))


def cases_of(kind: str, dataset: str, *captions: str) -> list[Case]:
    """Policies of every kind of data set; captions tell that of the scored one."""
    key = f"datasets.*<{kind}>"
    return [
        Case(f"{key}.duplicates", f"datasets.{dataset}.duplicates",
             [("drop", 8), ("keep", 9)], with_duplicates(dataset),
             [f"parse {dataset}: params.duplicates", *captions]),
        Case(f"{key}.overlap_policy", f"datasets.{dataset}.overlap_policy", OVERLAPS,
             areas_of_overlapping(dataset), [f"rasterize {dataset}/*: params.overlap_policy"]),
    ]  # fmt: skip


def dealt(world: World, dataset: str) -> dict[str, list[dict]]:
    """Images of each split of a data set that is converted."""
    source = json.loads(Path(world.run(f"convert {dataset}").source).read_text())
    return {
        split: json.loads((world.root / path).read_text())["images"]
        for split, path in source["annotations"].items()
    }


def number_dealt(dataset: str):
    return lambda world: sum(map(len, dealt(world, dataset).values()))


def has_split_wells(dataset: str):
    """Whether images of a well are in more than one split."""

    def see(world: World) -> bool:
        wells = [{image["well"] for image in images} for images in dealt(world, dataset).values()]
        return sum(map(len, wells)) > len(set().union(*wells))

    return see


def names_dealt(dataset: str, split: str):
    return lambda world: [image["file_name"] for image in dealt(world, dataset)[split]]


def converted(kind: str, dataset: str, whole: int, fewer: int, few: int, many: int) -> list[Case]:
    """Cases of a kind that is converted; the last two are images of small and of large shares."""

    def deals(key: str, *seen: tuple, sees, **more) -> Case:
        at = f"datasets.{dataset}.split.{key}"
        return Case(f"datasets.*<{kind}>.split.{key}", at, seen, sees,
                    [f"convert {dataset}: params.settings.split.{key}"], **more)  # fmt: skip

    return [
        Case(f"datasets.*<{kind}>.path", f"datasets.{dataset}.path",
             [(f"{dataset}/whole", whole), (f"{dataset}/fewer", fewer)], number_dealt(dataset),
             [f"convert {dataset}: params.settings.path", f"convert {dataset}: params.images",
              f"parse {dataset}: params.images",
              *([f"{rule} {dataset}: input.annotations" for rule in ("convert", "parse")])]),
        *cases_of(kind, dataset),
        *(deals(split, (0.15, few), (0.4, many),
                sees=lambda world, split=split: len(dealt(world, dataset)[split]))
          for split in ("val", "test")),
        deals("group", (None, True), ("well", False), sees=has_split_wells(dataset),
              **({"given": SEQUENCES, "alone": True} if kind == "public" else {})),
        deals("seed", (0, OTHER), (1, OTHER), sees=names_dealt(dataset, "test")),
    ]  # fmt: skip


SEQUENCES = {"datasets.public.layout": "cell-tracking-challenge"}
"""Of the public data set: frames of several sequences, which are its wells."""


FOLDED = "squares/unet/fgbg/folded/0"


def of_fold(world: World) -> tuple[int, ...]:
    """Numbers of images that a fold trains on, validates with and scores."""
    world.run(f"train {FOLDED}")
    [trained] = world.family.trained
    used = [
        len(set(stream.tiles.image[stream.index])) for stream in (trained.train, trained.validation)
    ]
    job = world.plan.one(f"predict {FOLDED}")
    if job.params["sample"] is None:
        return (*used, -1)
    return (*used, len(held_out(world)))


def held_out(world: World, **columns) -> list[str]:
    folds = world.plan.one(f"predict {FOLDED}").params["sample"]["folds"]
    tables = [pd.read_parquet(world.root / f"{TABLES}/{split}.images.parquet") for split in SPLITS]
    table = pd.concat(tables, ignore_index=True).assign(**columns)
    return sorted(subsets.held_out(table, folds)["image"])


def folds_scored(world: World) -> list[str]:
    """Ends of the names of the subsets whose runs are scored."""
    jobs = world.plan.find("score squares/unet/fgbg/folded-*")
    return sorted(job.label.split("/folded-")[1].split("/")[0].removeprefix("fold-")
                  for job in jobs)  # fmt: skip


def held_out_rows(world: World) -> list[str]:
    """As if each row of the plate were a well."""
    return held_out(world, well=lambda table: table["well"].str[0])


def fold(key: str, *seen: tuple, sees, plan=(), **more) -> Case:
    return Case(f"subsets.*.folds.{key}", f"subsets.folded.folds.{key}", seen, sees,
                [f"train {FOLDED}: params.settings.subset.folds.{key}",
                 f"predict {FOLDED}: params.sample.folds.{key}", *plan], **more)  # fmt: skip


def local_files(key: str, dataset: str, file: str, fewer: str, *plan: str) -> list[Case]:
    return [
        Case(f"datasets.*<local>.{key}.{split}", f"datasets.{dataset}.{key}.{split}",
             [(file.format(split), n), (fewer.format(split), n - 1)], counts(dataset, split),
             [f"use_local {dataset}: params.settings.{key}.{split}",
              f"parse {dataset}: input.annotations", *plan])
        for split, n in (("train", 8), ("val", 4), ("test", 4))
    ]  # fmt: skip


def simulation(key: str, *seen: tuple, sees) -> Case:
    return Case(f"datasets.*<simulated>.{key}", f"datasets.simulated.{key}", seen,
                lambda world: sees(*simulated(world)),
                [f"simulate simulated: params.simulation.{key}"])  # fmt: skip


EXTENDS = ["train *extended/0: params.settings.synthesis.{}", "extend *: params.synthesis.{}"]

CASES = [
    Case("dataset", "dataset", [("squares", ["squares"]), ("simulated", ["simulated"])],
         datasets_of_figures,
         ["* squares*: removed", "* simulated*: added"], alone=True),
    Case("datasets.*.kind", "datasets.official",
         [({"kind": "local", "path": "squares/official"}, "use_local"),
          ({"kind": "simulated"}, "simulate"),
          ({"kind": "download", "url": "http://127.0.0.1:9/"}, "download"),
          ({"kind": "sartorius", "path": "kaggle/whole"}, "convert")],
         rule_that_makes_official,
         ["use_local official: removed", "[cds]* official: added",
          "parse official: input.annotations", "parse official: params.images"], alone=True),
    Case("datasets.*<download>.url", "datasets.downloaded.url",
         [(f"http://127.0.0.1:9/{name}/", f"http://127.0.0.1:9/{name}/images.zip")
          for name in ("set", "moved")],
         lambda world: requests(world)["images.zip"][0],
         ["download downloaded: params.settings.url"]),
    Case("datasets.*<download>.annotations", "datasets.downloaded.annotations",
         [(["whole"], False), (["whole", "size-splits"], True)],
         lambda world: "0_train2percent.json" in requests(world),
         ["download downloaded: params.settings.annotations"]),
    # Neither is a param: pinned hashes must not train every network again.
    Case("datasets.*<download>.checksums.*", "datasets.downloaded.checksums",
         [({}, None), ({"images.zip": "0" * 64}, "0" * 64)],
         lambda world: requests(world)["images.zip"][1]),
    Case("datasets.*<download>.retries", "datasets.downloaded.retries", [(0, 0), (3, 3)],
         lambda world: requests(world)["images.zip"][2]),
    *cases_of("download", "downloaded"),
    *cases_of("simulated", "simulated"),
    *cases_of("local", "squares", "format_tables *: params.experiment.duplicates"),
    simulation("cell_types", (["BV2", "SkBr3"], ["BV2", "SkBr3"]), (["A172"], ["A172"]),
               sees=lambda numbers, _: list(numbers["train"])),
    *(simulation(f"images.{split}", (1, 1), (2, 2),
                 sees=lambda numbers, _, split=split: numbers[split]["BV2"])
      for split in ("train", "val", "test")),
    simulation("height", (64, 64), (80, 80), sees=lambda _, image: image.shape[0]),
    simulation("width", (64, 64), (72, 72), sees=lambda _, image: image.shape[1]),
    simulation("seed", (0, OTHER), (1, OTHER), sees=lambda _, image: int(image.sum())),
    *(simulation(f"variation.{key}", (before, OTHER), (after, OTHER),
                 sees=lambda _, image: int(image.astype(int).ravel() @ np.arange(image.size)))
      for key, before, after in (
          ("magnification", [1, 1], [1.4, 1.5]), ("focus", [1, 1], [1.8, 2]),
          ("contrast", [1, 1], [0.4, 0.5]), ("debris", [1, 1], [20, 30]), ("light", 0, 30),
          ("streaks", 0, 5), ("looks", 0, 0.5), ("spindles", 0, 1), ("rafts", 0, 1),
          ("veils", 0, 0.8), ("seams", 0, 1), ("faint_rims", 0, 1), ("grain", 0, 1),
          ("nuclei", 0, 1))),
    Case("datasets.*<local>.path", "datasets.official.path",
         [("squares/official", 8), ("squares/moved", 7)], counts("official", "train"),
         ["use_local official: params.settings.path", "parse official: input.annotations",
          "parse official: params.images"]),
    Case("datasets.*<local>.images", "datasets.squares.images",
         [("squares/images", "images"), ("squares/copies", "copies")],
         lambda world: Path(parsed(world, "squares")["train"]["path"][0]).parent.name,
         ["use_local squares: params.settings.images", "parse squares: params.images"]),
    *local_files("annotations", "squares", "squares/{}.json", "squares/fewer-{}.json"),
    *local_files("labels", "painted", "squares/labels/{}", "squares/fewer/{}",
                 "parse painted: params.images"),
    Case("datasets.*<local>.missing_images", "datasets.squares.missing_images",
         [("error", "refused"), ("drop", 8)], training_images,
         ["use_local squares: params.settings.missing_images"],
         given={"datasets.squares.annotations.train": "squares/missing.json"}),
    Case("datasets.*<local>.crowds", "datasets.squares.crowds",
         [("error", "refused"), ("drop", 7), ("as-cells", 8)], training_images,
         ["use_local squares: params.settings.crowds"],
         given={"datasets.squares.annotations.train": "squares/crowded.json"}),
    Case("datasets.*<local>.page", "datasets.squares.page",
         [(ABSENT, "refused"), (1, squares.CELL), (2, squares.CELL + 50)], grey_of_a_cell,
         ["use_local squares: params.settings.page"],
         given={"datasets.squares.images": "squares/paged"}),
    Case("datasets.*<local>.channel", "datasets.squares.channel",
         [(ABSENT, round(0.886 * squares.CELL + 0.114 * squares.BACKGROUND)), (1, squares.CELL),
          (3, squares.BACKGROUND)], grey_of_a_cell,
         ["use_local squares: params.settings.channel"],
         given={"datasets.squares.images": "squares/colour"}),
    *converted("sartorius", "kaggle", 18, 15, 3, 6),
    *converted("public", "public", 8, 7, 1, 3),
    Case("datasets.*<public>.layout", "datasets.public.layout",
         list(layouts_made.LAYOUTS.items()),
         lambda world: sorted({Path(name).parts[0] for split in SPLITS
                               for name in names_dealt("public", split)(world)}),
         ["convert public: params.layout"]),
    Case("tilings.*.mode", "tilings.cut-64.mode",
         [("cut", (16, 64, 64)), ("resize", (8, 64, 64)), ("crop", (8, 64, 96))], tiles_made,
         ["tile squares/cut-64/*: params.tiling.*", f"{TRAIN}.tiling.mode",
          "tile_extension */cut-64: params.tiling.*"], alone=True),
    *(Case(f"tilings.*.{key}", f"tilings.cut-64.{key}", seen, tiles_made,
           [f"tile squares/cut-64/*: params.tiling.{key}", f"{TRAIN}.tiling.{key}",
            f"tile_extension */cut-64: params.tiling.{key}"])
      for key, seen in (("size", [(64, (16, 64, 64)), (128, (8, 128, 128))]),
                        ("tile_overlap", [(8, (16, 64, 64)), (40, (24, 64, 64))]))),
    # Files of crops hold whole images: what is drawn from them changes none.
    Case("tilings.*.crops_per_image", "tilings.cut-64.crops_per_image",
         [(None, 8), (3, 12)], crops_of_an_epoch, [f"{TRAIN}.tiling.crops_per_image"],
         given=CROPS),
    Case("tilings.*.scales", "tilings.cut-64.scales",
         [([1], (1,)), ([0.5, 2], (0.5, 2))], scales_drawn, [f"{TRAIN}.tiling.scales"],
         given=CROPS),
    Case("subsets.*.cell_types", "subsets.half.cell_types", [([], (4, 2)), (["BV2"], (2, 1))],
         numbers_chosen, ["train */half/0: params.settings.subset.cell_types"]),
    Case("subsets.*.fraction", "subsets.half.fraction",
         [(0.5, (4, 2)), (0.25, (2, 2)), (1, (8, 4))], numbers_chosen,
         ["train */half/0: params.settings.subset.fraction"]),
    Case("subsets.*.selection", "subsets.half.selection",
         # Every other image is of A172; a seeded half has as many of each type.
         [("seeded", ["A172", "BV2"]), ("every-nth", ["A172"])],
         lambda world: sorted({name.split("_")[0] for name in chosen(world)["train"]}),
         ["train */half/0: params.settings.subset.selection"]),
    Case("subsets.*.validation", "subsets.half.validation",
         # Row B of the plate is for validation; one well of six of each type is drawn.
         [("official", ["B", "B"]), ("by-well", ["A", "A"])],
         lambda world: sorted(name.split("_")[2][0] for name in chosen(world)["val"]),
         ["train */half/0: params.settings.subset.validation"]),
    Case("subsets.*.synthetic_per_image", "subsets.extended.synthetic_per_image",
         [(1, (1, 1)), (3, (3, 1))], synthetic,
         ["train *extended/0: params.settings.subset.synthetic_per_image",
          "train *extended/0: input.extension_tiles", "train *extended/0: input.content_of_tiles",
          *(f"{rule} squares/{times}/train*: {what}"
            for rule in ("extend", "*_extension", "extension_report")
            for times, what in ((1, "removed"), (3, "added")))], alone=True),
    fold("count", (3, (5, 5, 6)), (4, (8, 4, 4)), sees=of_fold),
    fold("fold", (1, OTHER), (2, OTHER), sees=held_out),
    fold("group", (None, OTHER), ("well", OTHER), sees=held_out_rows),
    fold("seed", (0, OTHER), (1, OTHER), sees=held_out),
    fold("images", ("all", (5, 5, 6)), ("training", (4, 4, 4)), sees=of_fold,
         plan=[f"train {FOLDED}: input.fold_tiles", f"train {FOLDED}: input.fold_images",
               f"train {FOLDED}: input.content_of_tiles"], alone=True),
    Case("subsets.*.folds.validation", "subsets.folded.folds.validation",
         [("next", (5, 5, 6)), ("held-out", (10, 6, 6))], of_fold,
         [f"train {FOLDED}: params.settings.subset.folds.validation"]),
    Case("subsets.*.folds.scored", "subsets.folded.folds.scored",
         [("held-out", (8, 4, 4)), ("split", (8, 4, -1))], of_fold,
         ["papers squares/*: input.out_of_fold", "papers squares/*: params.folds",
          f"predict {FOLDED}: params.sample*", f"predict {FOLDED}: input.images",
          f"predict_shown {FOLDED}/: input.images", f"score {FOLDED}/: input.*",
          f"score {FOLDED}/: params.data_split", f"overlay {FOLDED}/: input.*",
          "pool squares: removed", "pool_folds squares/folds: removed",
          "format_tables squares/folds: params.folds*",
          "overview squares: input.summaries"],
         given={"subsets.folded.folds.images": "training",
                "subsets.folded.folds.validation": "held-out"}, alone=True),
    Case("subsets.*.folds.ensemble", "subsets.folded.folds.ensemble",
         [(ABSENT, ["1", "2"]), (True, ["1", "2", "all-folds"])], folds_scored,
         ["* squares/*/folded-all-folds/*: added", "collect squares/folds: input.*",
          "overview squares: input.*", "overview squares: params.study.*"],
         given={"subsets.folded.folds": {"count": 2, "images": "training", "scored": "split",
                                         "validation": "held-out"}}, alone=True),
    Case("synthesis.seed", "synthesis.seed", [(0, OTHER), (1, OTHER)], sum_of_extension,
         [pattern.format("seed") for pattern in EXTENDS]),
    Case("synthesis.doublings", "synthesis.doublings", [(2, OTHER), (0.1, OTHER)],
         sum_of_extension, [pattern.format("doublings") for pattern in EXTENDS]),
    Case("synthesis.confluence", "synthesis.confluence",
         [([0.02, 0.7], OTHER), ([0.01, 0.015], OTHER)], lambda world: extension(world)[1],
         [pattern.format("confluence") for pattern in EXTENDS]),
]  # fmt: skip
