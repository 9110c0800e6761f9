"""Cases of the settings of hyperparameter searches."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from cellseg.figures import search as search_figure
from cellseg.figures import style
from cellseg.report import figure_caption
from cellseg.search import run
from setting_cases import ABSENT, OTHER, Case, World
from settings_base import BASE, COMMON

SWEPT = "hyperparameter_searches.swept"


class Snakemake:
    """Makes the files that a search asks for; the loss of a trial is its number."""

    dry_run = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[list[str]] = []

    def make(self, files: Sequence[str]) -> bool:
        self.asked.append(list(files))
        for file in files:
            path = self.folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            trial = int(file.split("swept-")[-1][:3]) if "/runs/" in file else 0
            if path.name == "history.csv":
                path.write_text(f"val_loss\n{trial}.0\n")
            elif path.name == "chosen.json":
                path.write_text(json.dumps({"mean": trial / 10}))
        return True


def searched(world: World) -> SimpleNamespace:
    """What a search asks for: files by rung, and its table."""
    snakemake = Snakemake(world.folder)
    run.search(world.study, "swept", world.folder, snakemake)
    *rungs, _figure = snakemake.asked
    [table] = world.folder.rglob("trials.csv")
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    return SimpleNamespace(rungs=rungs, rows=rows, table=table, figure=_figure)


def of_search(see):
    return lambda world: see(searched(world))


def parts(place: int, rung: int = 0):
    """What the files of a rung have at a place of their path."""
    return of_search(lambda one: sorted({path.split("/")[place] for path in one.rungs[rung]}))


def trials(see):
    """Of the settings of all trials."""
    return lambda world: see([entry for name, entry in world.study["models"].items()
                              if name.startswith("swept-")])  # fmt: skip


def title_of_search(world: World) -> str:
    table, asked = searched(world).table, []

    def draw(trials, entry):
        asked.append(entry["title"])

    with (
        mock.patch.object(search_figure, "search", draw),
        mock.patch.object(style, "save"),
        mock.patch.object(figure_caption, "write"),
    ):
        world.run("search_figure squares/swept", trials=str(table))
    return asked[0]


def search(key: str, *seen: tuple, sees, plan: Sequence[str] = (), **more) -> Case:
    at = f"{SWEPT}.{key.split('.')[0]}"
    return Case(f"hyperparameter_searches.*.{key}", at, seen, sees, plan, **more)


FIGURE = "search_figure squares/swept: params.search"
SPACE = BASE["hyperparameter_searches"]["swept"]["space"]
TRIAL = "train squares/swept*: params.settings"


def space(key: str, changes: Mapping, *seen: tuple, sees, plan: Sequence[str]) -> Case:
    values = [(SPACE, seen[0]), ({**SPACE, **changes}, seen[1])]
    return search(key, *values, sees=sees, plan=plan)


def renamed(*patterns: tuple[str, str]) -> list[str]:
    """Trials of which the path changes."""
    return [f"train squares/swept-001-epochs-{pattern}: {what}" for pattern, what in patterns]


CASES = [
    search("title", ("Which width?", "Which width?"), ("How wide?", "How wide?"),
           sees=title_of_search, plan=[f"{FIGURE}.title"]),
    search("dataset", (ABSENT, ["squares"]), ("simulated", ["simulated"]), sees=parts(1),
           plan=["train squares/swept*: removed", "train simulated/swept*: added",
                 "tile simulated/*: added", "rasterize simulated/*: added"], alone=True),
    search("model", ("searched", ["unet-expanded"]), ("unet", ["unet"]),
           sees=trials(lambda models: sorted({one["architecture"] for one in models})),
           plan=[f"{FIGURE}.model", f"{TRIAL}.model.architecture"], alone=True),
    search("heads", ("fgbg", ["fgbg"]), (COMMON, [COMMON]), sees=parts(4),
           plan=[f"{FIGURE}.heads", "train squares/swept*/fgbg/*: removed",
                 f"train squares/swept*/{COMMON}/*: added"], alone=True),
    search("subset", ("full", ["full"]), ("half", ["half"]), sees=parts(5),
           plan=[f"{FIGURE}.subset", "train squares/swept*/full/*: removed",
                 "train squares/swept*/half/*: added"], alone=True),
    search("seed", (0, ["seed-0"]), ([1, 2], ["seed-1", "seed-2"]), sees=parts(6),
           plan=["train squares/swept*/0: removed", "train squares/swept*/[12]: added"],
           alone=True),
    # Of the runs a search asks for other files, and of other trials: no job changes.
    search("threshold_search", (None, ["history.csv"]), ("thresholds", ["tuning-thresholds"]),
           sees=parts(7)),
    search("trials", (4, 4), (2, 2), sees=of_search(lambda one: len(one.rungs[0]))),
    search("reduction_factor", (3, 1), (2, 2), sees=of_search(lambda one: len(one.rungs[1]))),
    search("rungs", ([1, 2], ["1", "2"]), ([1, 3], ["1", "3"]),
           sees=of_search(lambda one: sorted({row["epochs"] for row in one.rows})),
           plan=renamed(("2/*", "removed"), ("3/*", "added")), alone=True),
    search("sampling_seed", (0, OTHER), (1, OTHER),
           sees=trials(lambda models: [one["training"]["clipnorm"] for one in models]),
           plan=[f"{TRIAL}.training.clipnorm", f"{TRIAL}.training.batch_norm_momentum",
                 f"{TRIAL}.model.*"]),
    space("space.*[]", {"width": [6, 7]}, [2, 3], [6, 7],
          sees=trials(lambda models: sorted({one["width"] for one in models})),
          plan=[f"{FIGURE}.space.width", f"{TRIAL}.model.width"]),
    space("space.*.log", {"training.clipnorm": {"log": [10, 100]}}, True, False,
          sees=trials(lambda models: all(one["training"]["clipnorm"] < 1 for one in models)),
          plan=[f"{FIGURE}.space.training.clipnorm.log", f"{TRIAL}.training.clipnorm"]),
    space("space.*.uniform", {"training.batch_norm_momentum": {"uniform": [0.95, 0.97]}},
          True, False,
          sees=trials(lambda models: all(one["training"]["batch_norm_momentum"] < 0.91
                                         for one in models)),
          plan=[f"{FIGURE}.space.training.batch_norm_momentum.uniform",
                f"{TRIAL}.training.batch_norm_momentum"]),
    space("space.*.sets.*",
          {"slope": {"sets": {"none": {"negative_slope": 0.1}, "some": {"negative_slope": 0.2}}}},
          True, False,
          sees=trials(lambda models: all(one["negative_slope"] in (0, 0.5) for one in models)),
          plan=[f"{FIGURE}.space.slope.sets.*", f"{TRIAL}.model.negative_slope"]),
]  # fmt: skip
