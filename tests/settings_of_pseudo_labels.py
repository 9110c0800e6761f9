"""Cases of ``pseudo_labels`` of a subset.

Which jobs learn is in tests/study/test_pseudo_label_checks.py and tests/workflow; here is what a
run would learn, and of whom.
"""

import numpy as np

from cellseg.apply import pseudo_labels as found
from cellseg.study import pseudo_labels
from cellseg.study.runs import Run
from setting_cases import ABSENT, Case, World

GIVEN = {
    "models.finder": {"family": "unet"},
    "subsets.taught": {
        "pseudo_labels": {
            "images": "squares/images",
            "model": "unet",
            "heads": "inner-distance+pixelwise",
            "subset": "full",
        }
    },
}
OWN = Run("squares", "unet", "fgbg", "taught", 0)


def case(key: str, *seen: tuple, sees) -> Case:
    return Case(f"subsets.*.pseudo_labels.{key}", f"subsets.taught.pseudo_labels.{key}",
                seen, sees, [], GIVEN)  # fmt: skip


def of_finder(axis: str):
    return lambda world: getattr(pseudo_labels.teacher(world.study, OWN), axis)


def entry(world: World) -> dict:
    return pseudo_labels.entry_of(world.study, "taught")


def learnt(world: World) -> tuple[int, str]:
    """Cells that are learnt of two, of 3 and 1 pixels, and why the image is left out."""
    floor = found.Floor(**{key: entry(world)[key] for key in pseudo_labels.OF_FINDING})
    chosen = found.choose(np.int32([[1, 1, 1, 2]]), np.array([0.9, 0.6]), floor.confidence)
    return chosen.n_cells, found.lacks(chosen, floor)


UNSURE = "too many unsure cells"
CASES = [
    case("images", ("squares/images", True), ("squares/official", False),
         sees=lambda world: entry(world)["images"] == "squares/images"),
    case("dataset", (ABSENT, "squares"), ("simulated", "simulated"), sees=of_finder("dataset")),
    case("model", ("unet", "unet"), ("finder", "finder"), sees=of_finder("model")),
    case("heads", ("inner-distance+pixelwise",) * 2, ("inner-distance+fgbg",) * 2,
         sees=of_finder("heads")),
    case("subset", ("full", "full"), ("half", "half"), sees=of_finder("subset")),
    case("seed", (ABSENT, 0), (4, 4), sees=of_finder("seed")),
    case("threshold_search", (None, None), ("thresholds", "thresholds"),
         sees=lambda world: entry(world)["threshold_search"]),
    case("confidence", (0.8, (1, UNSURE)), (0.5, (2, "")), (0.95, (0, "too few sure cells")),
         sees=learnt),
    case("max_unsure", (0.1, (1, UNSURE)), (0.3, (1, "")), sees=learnt),
    case("min_cells", (1, (1, UNSURE)), (2, (1, "too few sure cells")), sees=learnt),
]  # fmt: skip
