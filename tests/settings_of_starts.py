"""Cases of `start_from` in families that no run of the base study has.

Which jobs train and start is the same in all families: settings_of_models.py has it. Here is what
a run would start from, and how.
"""

from cellseg.models.detectors.presets import PRESETS
from cellseg.study import starts
from cellseg.study.runs import Run, run_settings
from setting_cases import ABSENT, Case, World
from settings_of_models import OF_ONE_SIZE, OF_PACKAGES, lacking

DETECTORS = {family: f"starting-{family}" for family in PRESETS}
NAMES = {**{family: name for family, (name, _) in OF_PACKAGES.items()}, **DETECTORS}
"""Models that start, by family."""
HEADS = {**{family: heads for family, (_, heads) in OF_PACKAGES.items()},
         **dict.fromkeys(DETECTORS, "instances")}  # fmt: skip
WEIGHTS = "results/squares/runs/{name}/weights.h5"
GIVEN = {
    "tilings.crops": {"mode": "crop", "size": 64, "tile_overlap": 8},
    "subsets.other": {"fraction": 0.25},
    **{f"models.{name}": {"family": family, "training": {"tiling": "crops"}}
       for family, name in DETECTORS.items()},
    **lacking("cellpose-sam"),
    **{f"models.{number}-{family}": {"cellpose-sam": OF_ONE_SIZE}.get(family, {"family": family})
       for family in OF_PACKAGES for number in ("one", "two")},
    **{f"models.{number}-{family}": {"family": family, "training": {"tiling": "crops"}}
       for family in DETECTORS for number in ("one", "two")},
}  # fmt: skip
STARTED = {
    **GIVEN,
    **{f"models.{name}.start_from": {"model": f"one-{family}", "take": "backbone"}
       for family, name in NAMES.items()},
}  # fmt: skip
FILED = {
    **GIVEN,
    **{f"models.{name}.start_from": {"file": WEIGHTS.format(name="one")}
       for name in NAMES.values()},
}  # fmt: skip

FETCHED = {
    **GIVEN,
    **{f"pretrained.{name}": {"url": f"http://nowhere.example/{name}.pth"}
       for name in ("one", "two")},
    **{f"models.{name}.start_from": {"pretrained": "one"} for name in NAMES.values()},
}  # fmt: skip


def cases_of(family: str) -> list[Case]:
    own = Run("squares", NAMES[family], HEADS[family], "full", 0)

    def case(key: str, *seen: tuple, sees, given=STARTED) -> Case:
        return Case(f"models.*<{family}>.start_from.{key}", f"models.{own.model}.start_from.{key}",
                    seen, sees, [], given)  # fmt: skip

    def of_source(axis: str):
        return lambda world: getattr(starts.source_of(world.study, own), axis)

    def chosen(key: str):
        def see(world: World) -> object:
            settings = run_settings(world.study, own.model, own.heads, own.subset, own.seed)
            return settings["model"]["start_from"][key]

        return see

    weights = [WEIGHTS.format(name=name) for name in ("one", "two")]
    return [
        case("model", *[(f"{number}-{family}",) * 2 for number in ("one", "two")],
             sees=of_source("model")),
        case("dataset", (ABSENT, "squares"), ("simulated", "simulated"), sees=of_source("dataset")),
        case("heads", (ABSENT, own.heads), ("pixelwise", "pixelwise"), sees=of_source("heads")),
        case("subset", (ABSENT, "full"), ("other", "other"), sees=of_source("subset")),
        case("seed", (ABSENT, 0), (4, 4), sees=of_source("seed")),
        case("take", ("backbone", "backbone"), ("all-but-heads", "all-but-heads"), ("all", "all"),
             sees=chosen("take")),
        case("freeze", (None, None), ("backbone", "backbone"), sees=chosen("freeze")),
        case("rate", (1, 1), (0.5, 0.5), sees=chosen("rate")),
        case("file", *[(one, one) for one in weights],
             sees=lambda world: starts.file_of(world.study, own), given=FILED),
        case("pretrained", ("one", "one"), ("two", "two"),
             sees=lambda world: starts.pretrained_of(world.study, own), given=FETCHED),
    ]  # fmt: skip


CASES = [case for family in NAMES for case in cases_of(family)]
