"""Cases of the settings that decide what a network is shown, and how it learns."""

import functools
import json
import math
from pathlib import Path

import numpy as np

import squares
from recording_family import Trained
from setting_cases import OTHER, Case, World
from settings_base import ALL_HEADS

RUN = f"train squares/unet/{ALL_HEADS}/full/0"
TILE = squares.image()[:, :64]
"""The left one of the first image, which comes first when networks are validated."""
RATE = 0.0005


def trained(world: World) -> Trained:
    output = world.run(RUN)
    [one] = world.family.trained
    assert json.loads(Path(output.settings).read_text()) == one.settings
    assert one.validation.augmentation is None and not one.validation.shuffle
    return one


def of_training(see):
    return lambda world: see(trained(world))


def of_learner(see):
    return lambda world: see(trained(world).learner)


def inputs(one: Trained) -> list[float]:
    """What the network is shown of the background and of cells of the first tile."""
    images, _ = next(one.validation.epoch(0))
    return [float(images[0, 0, 0, 0]), float(images[0, 13, 13, 0])]


def clahe() -> list[float]:
    from skimage.exposure import equalize_adapthist

    scaled = (TILE.astype(float) - squares.BACKGROUND) / (squares.CELL - squares.BACKGROUND)
    equal = equalize_adapthist(scaled, kernel_size=128, clip_limit=0.01)
    return [float(equal[0, 0]), float(equal[13, 13])]


def standardized(tiles: np.ndarray) -> list[float]:
    pair = np.array([squares.BACKGROUND, squares.CELL])
    return ((pair - tiles.mean()) / tiles.std()).tolist()


def target(head: str, *pixels: tuple):
    """Values of a target map of the first tile: around the middle, (13, 13), of the lone cell."""

    def see(world: World) -> list[float]:
        _, maps = next(trained(world).validation.epoch(0))
        return [float(maps[head][0][pixel]) for pixel in pixels]

    return see


def head(key: str, *seen: tuple, pixels: tuple) -> Case:
    name, option = key.split(".")
    return Case(f"heads.{key}", f"heads.{key}", seen, target(name, *pixels),
                [f"train *{name}*/*: params.settings.heads.{name}.{option}"])  # fmt: skip


INNER = {"pixels": ((13, 13, 0), (13, 15, 0), (9, 9, 0))}
OUTER = {"pixels": ((13, 13, 0), (13, 15, 0), (9, 9, 0))}
EDGE = {"pixels": tuple((row, 13, 0) for row in (5, 6, 7, 8, 9))}


def drawn(one: Trained) -> list[np.ndarray]:
    """The linear parts of many warps."""
    randoms = (np.random.default_rng(number) for number in range(400))
    return [one.train.augmentation.draw(random, 64)[:, :2] for random in randoms]


def largest_angle(one: Trained) -> int:
    angles = [math.degrees(math.atan2(m[1, 0], m[0, 0])) for m in drawn(one)]
    return round(max(map(abs, angles)))


def zooms(one: Trained) -> list[float]:
    scales = [1 / math.sqrt(abs(np.linalg.det(matrix))) for matrix in drawn(one)]
    return [round(scale, 1) for scale in (min(scales), max(scales))]


def mirrored(one: Trained) -> list[tuple]:
    return sorted({tuple(np.sign(np.diag(matrix)).astype(int).tolist()) for matrix in drawn(one)})


def peaks(one: Trained) -> bool:
    """Whether each centre of a cell has a distance of exactly 1 after the warp."""
    return any(bool((y["inner-distance"] == 1).any()) for _, y in one.train.epoch(0))


def steps(rates: list[float], steps_of_an_epoch: int) -> list[float]:
    return [rate for rate in rates for _ in range(steps_of_an_epoch)]


def cosine(number: int, warmup: int) -> list[float]:
    rising = [(step + 1) / warmup for step in range(warmup)]
    falling = [0.5 * (1 + math.cos(math.pi * step / (number - warmup)))
               for step in range(number - warmup)]  # fmt: skip
    return [RATE * share for share in rising + falling]


def plateau(fall: int, factor: float) -> list[float]:
    """The second epoch is the best of eight; the rate falls `fall` epochs later."""
    rates, rate = [], RATE
    for epoch in range(1, 9):
        rates.append(rate)
        if epoch > 2 and (epoch - 2) % fall == 0:
            rate *= factor
    return rates


LONG = {"training.epochs": 8, "training.batch_size": 16}
"""Eight epochs of a step each."""


def schedule(option: str, name: str, *seen: tuple) -> Case:
    given = {**LONG, "training.schedule": {"name": name}}
    return training(f"schedule.{option}", *seen, sees=of_learner(lambda one: one.rates),
                    given=given)  # fmt: skip


def training(option: str, *seen: tuple, sees, **more) -> Case:
    plan = more.pop("plan", [f"train *: params.settings.training.{option}"])
    return Case(f"training.{option}", f"training.{option}", seen, sees, plan, **more)


STILL = {"training.rotation": 0, "training.zoom": 1, "training.flips": False}


def still(*but: str) -> dict:
    return {key: value for key, value in STILL.items() if key.split(".")[1] not in but}


CASES = [
    head("inner-distance.alpha", ("auto", [1, 9 / 13, 0]), (0.5, [1, 1 / 3, 0]),
         pixels=((13, 13, 0), (13, 15, 0), (8, 8, 0))),
    head("inner-distance.beta", (1, [1, 9 / 13]), (2, [1, 9 / 17]), pixels=INNER["pixels"][:2]),
    head("inner-distance.squared", (True, [1, 9 / 13]), (False, [1, 9 / 11]),
         pixels=INNER["pixels"][:2]),
    head("inner-distance.erosion_width", (1, [1, 9 / 13, 9 / 41]), (3, [1, 5 / 9, 0]), **INNER),
    head("outer-distance.erosion_width", (1, [1, 3 / 5, 1 / 5]), (3, [1, 1 / 3, 0]), **OUTER),
    head("pixelwise.dilation_radius", (1, [0, 0, 1, 1, 0]), (0, [0, 0, 0, 1, 0]),
         (2, [0, 1, 1, 1, 0]), **EDGE),
    training("tiling", ("cut-64", (16, 64)), ("squeezed", (8, 64)),
             sees=of_training(lambda one: (len(one.train.index), one.train.tiles.size)),
             plan=["train *: params.settings.training.tiling", "train *: params.settings.tiling.*",
                   "train *: input.*_tiles", "train */extended/0: input.extension_tiles",
                   "tile squares/cut-64/*: removed", "tile squares/squeezed/val: added",
                   "tile_extension */cut-64: removed", "tile_extension */squeezed: added"],
             alone=True),
    training("normalization", ("whole-image", standardized(TILE)),
             ("batch", standardized(np.stack([TILE, squares.image()[:, 32:]]))),
             ("percentile", [0, 1]), ("clahe", clahe()),
             ("none", [squares.BACKGROUND, squares.CELL]), sees=of_training(inputs)),
    training("rotation", (180, 180), (30, 30), sees=of_training(largest_angle),
             given=still("rotation")),
    training("zoom", (1.4, [0.7, 1.4]), (3, [0.3, 3.0]), sees=of_training(zooms)),
    training("flips", (True, [(-1, -1), (-1, 1), (1, -1), (1, 1)]), (False, [(1, 1)]),
             sees=of_training(mirrored), given=still("flips")),
    training("warp", ("labels", True), ("targets", False), sees=of_training(peaks)),
    training("epochs", (3, 3), (2, 2), sees=of_training(lambda one: len(one.history))),
    training("batch_size", (2, [2] * 8), (3, [3] * 5 + [1]),
             sees=of_learner(lambda one: one.sizes), given={"training.epochs": 1}),
    training("learning_rate", (RATE, [RATE] * 3), (0.002, [0.002] * 3),
             sees=of_learner(lambda one: one.rates), given={"training.batch_size": 16}),
    training("schedule.name", ("constant", [RATE] * 8),
             ("exponential", [RATE * 0.99**epoch for epoch in range(8)]),
             ("cosine", cosine(8, 1)), ("plateau", plateau(5, 0.1)),
             sees=of_learner(lambda one: one.rates), given=LONG),
    schedule("decay", "exponential", (0.99, [RATE * 0.99**epoch for epoch in range(8)]),
             (0.5, [RATE * 0.5**epoch for epoch in range(8)])),
    schedule("warmup", "cosine", (0.1, cosine(8, 1)), (0.5, cosine(8, 4))),
    schedule("factor", "plateau", (0.1, plateau(5, 0.1)), (0.5, plateau(5, 0.5))),
    schedule("patience", "plateau", (5, plateau(5, 0.1)), (2, plateau(2, 0.1))),
    training("keep", ("best", 2), ("last", None), sees=of_learner(lambda one: one.kept)),
    training("early_stopping", (0, 8), (3, 5), sees=of_training(lambda one: len(one.history)),
             given=LONG),
    training("batch_norm_batches", (64, 64), (3, 3), (0, None),
             sees=of_learner(lambda one: one.recalibrated)),
]  # fmt: skip
