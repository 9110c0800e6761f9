"""Cases of the settings that decide what a network is shown, and how it learns."""

import json
import math
from pathlib import Path

import numpy as np

import squares
from cellseg.io import run_format
from cellseg.training.intensity import Intensity
from recording_family import Trained
from setting_cases import ABSENT, Case, World
from settings_base import ALL_HEADS, STARS
from settings_of_maps import STAR_STUDY, predicted

RUN = f"train squares/unet/{ALL_HEADS}/full/0"
TILE = squares.image()[:, :64]
"""The left one of the first image, which comes first when networks are validated."""
RATE = 0.0005


def trained(world: World, run: str = RUN) -> Trained:
    output = world.run(run)
    [one] = world.family.trained
    assert json.loads(Path(output.settings).read_text()) == run_format.stamped(one.settings)
    assert one.validation.augmentation is None and not one.validation.shuffle
    return one


def of_training(see):
    return lambda world: see(trained(world))


def of_learner(see):
    return lambda world: see(trained(world).learner)


PIXELS = ((0, 0), (9, 41), (13, 13))
"""One of each grey value."""


def inputs(world: World) -> list[float]:
    """What the network is shown of the grey values of the first tile, validated and predicted."""
    images, _ = next(trained(world).validation.epoch(0))
    predicted(world)
    tiles = (images[0], world.family.batches[0][0])
    return [float(tile[pixel][0]) for tile in tiles for pixel in PIXELS]


def clahe() -> list[float]:
    from skimage.exposure import equalize_adapthist

    scaled = (TILE.astype(float) - squares.BACKGROUND) / (squares.CELL - squares.BACKGROUND)
    equal = equalize_adapthist(scaled, kernel_size=128, clip_limit=0.01)
    return [float(equal[pixel]) for pixel in PIXELS]


def standardized(tiles: np.ndarray) -> list[float]:
    return [(int(TILE[pixel]) - tiles.mean()) / tiles.std() for pixel in PIXELS]


def tiles_of(*numbers: int) -> np.ndarray:
    """Both tiles of each image."""
    images = [squares.image(number) for number in numbers]
    return np.stack([half for image in images for half in (image[:, :64], image[:, 32:])])


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


def learnt_pixels(world: World) -> int:
    """Number of the pixels of a validation tile whose distances are learnt."""
    _, maps = next(trained(world, f"train squares/unet/{STARS}/full/0").validation.epoch(0))
    return maps["star-distances"][0, ..., -1].size


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


def mirrored(one: Trained) -> list[int]:
    """The pairs of signs of rows and columns, one after the other."""
    pairs = {tuple(np.sign(np.diag(matrix)).astype(int).tolist()) for matrix in drawn(one)}
    return [sign for pair in sorted(pairs) for sign in pair]


def largest_change(one: Trained, key: str, off: float) -> float:
    """The setting, if it alone changes grey values at random, else 0."""
    intensity, flat = one.train.augmentation.intensity, squares.image().astype(np.float32)
    changed = intensity.apply(flat, np.random.default_rng(0))
    only = Intensity(**{key: getattr(intensity, key)})
    assert intensity == only
    return 0 if np.array_equal(changed, flat) else getattr(intensity, key)


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


FALLING = [RATE * share for share in (0.001, 1, 1, 1, 1, 0.1, 0.1, 0.01)]
"""Of schedule steps: one step of warm-up, and a tenth from two thirds and from eight ninths on."""


def plateau(fall: int, factor: float) -> list[float]:
    """The second epoch is the best of eight; the rate falls `fall` epochs later."""
    rates, rate = [], RATE
    for epoch in range(1, 9):
        rates.append(rate)
        if epoch > 2 and (epoch - 2) % fall == 0:
            rate *= factor
    return rates


def schedule(option: str, name: str, *seen: tuple) -> Case:
    given = {"training.schedule": {"name": name}}
    return training(f"schedule.{option}", *seen, sees=of_learner(lambda one: one.rates),
                    given=given)  # fmt: skip


OF_THE_SEARCH = ("epochs", "steps", "clipnorm", "global_clipnorm", "batch_norm_momentum")
"""Options that the trials of the search have of their own."""


def training(option: str, *seen: tuple, sees, **more) -> Case:
    trained = "train squares/[!s]*" if option in OF_THE_SEARCH else "train *"
    plan = more.pop("plan", [f"{trained}: params.settings.training.{option}"])
    return Case(f"training.{option}", f"training.{option}", seen, sees, plan, **more)


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
    Case("heads.star-distances.grid", "heads.star-distances.grid",
         [(2, 32 * 32), (1, 64 * 64), (4, 16 * 16)], learnt_pixels,
         ["train *star-distances*/*: params.settings.heads.star-distances.grid"], STAR_STUDY),
    training("tiling", ("cut-64", (16, 64)), ("squeezed", (8, 64)),
             sees=of_training(lambda one: (len(one.train.index), one.train.tiles.size)),
             plan=["train *: params.settings.training.tiling", "train *: params.settings.tiling.*",
                   "train *: input.*_tiles", "train */extended/0: input.extension_tiles",
                   "tile squares/cut-64/*: removed",
                   "tile_extension */cut-64: removed", "tile_extension */squeezed: added"],
             alone=True),
    training("normalization", ("whole-image", 2 * standardized(TILE)),
             # Batches are of four images in training, and of the windows of one that is predicted.
             ("batch", standardized(tiles_of(0, 1, 2, 3)) + standardized(tiles_of(0))),
             ("percentile", 2 * [0, 0.5, 1]), ("clahe", 2 * clahe()),
             ("none", 2 * [int(TILE[pixel]) for pixel in PIXELS]), sees=inputs),
    training("rotation", (30, 30), (90, 90), sees=of_training(largest_angle)),
    training("zoom", (1.4, [0.7, 1.4]), (3, [0.3, 3.0]), sees=of_training(zooms)),
    training("flips", (False, [1, 1]), (True, [-1, -1, -1, 1, 1, -1, 1, 1]),
             sees=of_training(mirrored)),
    *(training(f"intensity.{key}", (off, 0), (other, other),
               sees=of_training(lambda one, key=key, off=off: largest_change(one, key, off)))
      for key, off, other in (("brightness", 0, 0.2), ("contrast", 1, 1.5), ("gamma", 1, 2),
                              ("blur", 0, 2), ("noise", 0, 0.1))),
    training("warp", ("labels", True), ("targets", False), sees=of_training(peaks)),
    training("epochs", (8, 8), (2, 2), sees=of_training(lambda one: len(one.history))),
    training("steps", (5, [1] * 5), (3, [1] * 3),
             sees=of_training(lambda one: one.history["steps"].tolist()),
             given={"training.epochs": None, "training.steps": 5}),
    training("steps_per_epoch", (None, [1] * 8), (2, [2] * 8),
             sees=of_training(lambda one: one.history["steps"].tolist())),
    training("batch_size", (16, [16] * 8), (6, [6, 6, 4] * 8),
             sees=of_learner(lambda one: one.sizes)),
    training("learning_rate", (RATE, [RATE] * 8), (0.002, [0.002] * 8),
             sees=of_learner(lambda one: one.rates)),
    training("schedule.name", ("constant", [RATE] * 8),
             ("exponential", [RATE * 0.99**epoch for epoch in range(8)]),
             ("cosine", cosine(8, 1)), ("plateau", plateau(5, 0.1)), ("steps", FALLING),
             sees=of_learner(lambda one: one.rates)),
    schedule("decay", "exponential", (0.99, [RATE * 0.99**epoch for epoch in range(8)]),
             (0.5, [RATE * 0.5**epoch for epoch in range(8)])),
    schedule("warmup", "cosine", (0.1, cosine(8, 1)), (0.5, cosine(8, 4))),
    schedule("factor", "plateau", (0.1, plateau(5, 0.1)), (0.5, plateau(5, 0.5))),
    schedule("milestones", "steps", (ABSENT, FALLING),
             ([0.5], [RATE * share for share in (0.001, 1, 1, 1, 0.1, 0.1, 0.1, 0.1)])),
    schedule("patience", "plateau", (5, plateau(5, 0.1)), (2, plateau(2, 0.1))),
    training("checkpoint", ("best", 2), ("last", None), sees=of_learner(lambda one: one.kept)),
    training("early_stopping", (0, 8), (3, 5), sees=of_training(lambda one: len(one.history))),
    training("precise_batch_norm_batches", (64, 64), (3, 3), (0, None),
             sees=of_learner(lambda one: one.recalibrated)),
]  # fmt: skip
