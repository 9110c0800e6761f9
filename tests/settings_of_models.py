"""Cases of the settings of models, and of those of training that only a network shows."""

import math
from collections.abc import Mapping
from unittest import mock

import pandas as pd

from cellseg.errors import UserError
from cellseg.study.runs import run_settings
from learners_made import MODELS, RUNS, learner, module, settings
from setting_cases import ABSENT, Case, World
from settings_base import ALL_HEADS, COMMON, EVERY, FLOWS, STARS
from settings_of_training import CASES as TRAINING
from settings_of_training import training

# --- what is seen


def option(family: str, *keys: str):
    """The value in the settings of a run."""

    def see(world: World) -> object:
        value = settings(world, family)
        for key in keys:
            value = value.get(key, ABSENT)
        return value

    return see


def of_learners(see):
    """The same of all families, one after the other."""

    def see_all(world: World) -> list:
        return [part for family in RUNS for part in see(learner(world, family))]

    return see_all


def asked_of_deepcell(name: str):
    """What deepcell's function is asked to build."""

    def see(world: World) -> object:
        run, asked = settings(world, "deepcell"), {}
        family = module(run)

        def network(backbone, **options) -> None:
            asked.update(options, backbone=backbone)

        with mock.patch.object(family, "PanopticNet", network):
            family.build(run, 32)
        return asked[name]

    return see


def network(world: World, family: str):
    """The network as it is built."""
    run = settings(world, family)
    return module(run).build(run, (64, 64))


def levels_of_unet(unet) -> tuple[int, int]:
    """How often it halves the image, and the bottom's channels in multiples of the finest's."""
    poolings = sum(layer.name.startswith("pool") for layer in unet.layers)
    bottom, top = (unet.get_layer(f"down_{number}_conv_1").filters for number in (poolings + 1, 1))
    return poolings, bottom // top


def names_of_levels(world: World) -> list[str]:
    names = [layer.name for layer in network(world, "panopticnet").layers]
    return sorted(name for name in names if name.endswith("_reduced"))


def on_featurenet(world: World, before=lambda inputs: inputs):
    """The network on featurenet whatever its backbone, which takes less time, and the name of that.

    Parameters
    ----------
    before : layers between input and backbone
    """
    module(settings(world, "panopticnet"))  # it has chosen what Keras computes with
    from cellseg.models.panopticnet import backbones

    build, asked = backbones.features, []

    def features(name, inputs):
        asked.append(name)
        return build("featurenet", before(inputs))

    with mock.patch.object(backbones, "features", features):
        return network(world, "panopticnet"), asked[0]


def has_rescaling(world: World) -> bool:
    import keras

    rescaling = keras.layers.Rescaling(1 / 255, name="rescaling")
    built, _ = on_featurenet(world, rescaling)
    return isinstance(built.get_layer("rescaling"), keras.layers.Rescaling)


def has_preprocessing(world: World) -> bool:
    return "preprocessing" in [layer.name for layer in on_featurenet(world)[0].layers]


def channels_seen(world: World) -> int:
    """Channels of the first convolution: the image's, and row and column."""
    return network(world, "panopticnet").get_layer("conv_channels").kernel.shape[2]


def backend(family: str):
    """What Keras computes with, or is refused to: this process computes with TensorFlow."""

    def see(world: World) -> str:
        asked = settings(world, family)["model"]["backend"]
        try:
            return module(settings(world, family)).BACKEND
        except UserError as error:
            return f"not with {asked}" if f"not with {asked}" in str(error) else str(error)

    return see


def networks_trained(family: str):
    def see(world: World) -> int:
        world.run(RUNS[family])
        return len(world.family.trained)

    return see


def weights_given(family: str):
    def see(world: World) -> str | None:
        world.run(RUNS[family])
        [trained] = world.family.trained
        return trained.weights and trained.weights.name

    return see


def families_loaded(world: World) -> list[str]:
    world.run(RUNS["deepcell"])
    return [model["family"] for model in world.family.loaded]


def cells_from_outside(world: World) -> list[str]:
    """Score of each cell that another program found."""
    made = world.run("take_labels squares/outside/*")
    return pd.read_parquet(made.cells)["score"].fillna("none").astype(str).tolist()


# --- the cases


def model(key: str, *seen: tuple, sees, **more) -> Case:
    family = key.split("<")[1].split(">")[0]
    name = key.rpartition(".")[2]
    plan = [f"train squares/{MODELS[family]}/*: params.settings.model.{name}"]
    return Case(f"models.*{key}", f"models.{MODELS[family]}.{name}", seen, sees,
                [*plan, *more.pop("plan", [])], **more)  # fmt: skip


def of_both(name: str, *seen: tuple, sees: dict, plan=lambda model: [], **more) -> list[Case]:
    """A key of several families, with what is seen of each."""
    return [
        model(f"<{family}>.{name}", *seen, sees=see, plan=plan(MODELS[family]), **more)
        for family, see in sees.items()
    ]


OF_PACKAGES = {"cellpose": ("flowing", FLOWS), "cellpose-sam": ("attending", FLOWS),
               "stardist": ("stars", STARS)}  # fmt: skip
"""By family whose network is that of a package: the model, and the heads that it predicts."""
OF_ONE_SIZE = {"family": "cellpose-sam", "size": 64}


def lacking(family: str) -> dict:
    """The model of a family where the base study lacks it: it forbids other sizes of tiles."""
    return {"models.attending": OF_ONE_SIZE} if family == "cellpose-sam" else {}


def of_package(family: str, key: str, *seen: tuple) -> Case:
    """A key of a model that no run of the base study has."""
    name, _ = OF_PACKAGES[family]
    return Case(f"models.*<{family}>.{key}", f"models.{name}.{key}", seen,
                part_of_package(family, "model", key), given=lacking(family))  # fmt: skip


def part_of_package(family: str, *keys: str):
    """What a run of the package's network would be trained with."""

    def see(world: World) -> object:
        value: Mapping = run_settings(world.study, *OF_PACKAGES[family], "full", 0)
        for key in keys:
            value = value.get(key, ABSENT)
        return value

    return see


def overriding_of_package(case: Case, family: str) -> Case:
    """A setting of training that differs for that model."""
    key = case.key.removeprefix("training.")
    of_study = {**lacking(family), **(case.given if key == "steps" else {})}
    given, other = case.seen[0][0], case.seen[1][0]
    return Case(f"models.*<{family}>.training.{key}",
                f"models.{OF_PACKAGES[family][0]}.training.{key}",
                [(ABSENT, given), (other, other)],
                part_of_package(family, "training", *key.split(".")),
                [], of_study, alone=case.alone)  # fmt: skip


def overriding_head_of_package(case: Case, family: str) -> Case:
    """A setting of a target map that differs for that model."""
    key = case.key.removeprefix("heads.")
    head, option_of_head = key.split(".")
    name, _ = OF_PACKAGES[family]

    def see(world: World) -> object:
        run = run_settings(world.study, name, EVERY, "full", 0)
        return run["heads"][head][option_of_head]

    given, other = case.seen[0][0], case.seen[1][0]
    return Case(f"models.*<{family}>.heads.{key}", f"models.{name}.heads.{key}",
                [(ABSENT, given), (other, other)], see, [], lacking(family))  # fmt: skip


def overriding(case: Case, family: str) -> Case:
    """A setting of training that differs for one model."""
    name, key = MODELS[family], case.key.removeprefix("training.")
    plan = [f"train squares/{name}/*: params.settings.training.{key}"]
    if key == "tiling":
        plan += [f"train squares/{name}/*: params.settings.tiling.*",
                 f"train squares/{name}/*: input.*_tiles"]  # fmt: skip
        if family == "unet":  # which is trained on synthetic images too, and alone
            plan += ["tile_extension */cut-64: removed", "tile_extension */squeezed: added"]
    if key == "global_clipnorm":
        plan.append(f"train squares/{name}/*: params.settings.training.clipnorm")
    # A study of epochs has no steps that a model's could take the place of.
    of_study = {"given": case.given} if key == "steps" else {}
    given, other = case.seen[0][0], case.seen[1][0]
    return Case(f"models.*<{family}>.training.{key}", f"models.{name}.training.{key}",
                [(ABSENT, given), (other, other)], option(family, "training", *key.split(".")),
                plan, alone=case.alone, **of_study)  # fmt: skip


def overriding_head(case: Case, family: str) -> Case:
    """A setting of a target map that differs for one model."""
    name, key = MODELS[family], case.key.removeprefix("heads.")
    head, option_of_head = key.split(".")

    def see(world: World) -> object:
        run = run_settings(world.study, name, EVERY, "full", 0)
        return run["heads"][head][option_of_head]

    of_run = head in (ALL_HEADS if family == "unet" else COMMON).split("+")
    plan = [f"train squares/{name}/*{head}*/*: params.settings.heads.{key}"] if of_run else []
    given, other = case.seen[0][0], case.seen[1][0]
    return Case(f"models.*<{family}>.heads.{key}", f"models.{name}.heads.{key}",
                [(ABSENT, given), (other, other)], see, plan)  # fmt: skip


NETWORK_CASES = [
    training("clipnorm", (0.001, [0.001] * 3), (0.5, [0.5] * 3), (None, [None] * 3),
             sees=of_learners(lambda one: [one.optimizer.clipnorm])),
    # It takes the place of the default of clipnorm, and excludes another value of that.
    training("global_clipnorm", (None, [0.001, None] * 3), (0.5, [None, 0.5] * 3),
             sees=of_learners(lambda one: [one.optimizer.clipnorm,
                                           one.optimizer.global_clipnorm]),
             plan=[f"train squares/[!s]*: params.settings.training.{key}"
                   for key in ("clipnorm", "global_clipnorm")], alone=True),
    training("l2", (0, [0] * 3), (0.001, [0.001] * 3),
             sees=of_learners(lambda one: [one.optimizer.l2])),
    training("weight_decay", (0, [None] * 3), (0.01, [0.01] * 3),
             sees=of_learners(lambda one: [one.optimizer.weight_decay])),
    training("ema", (None, [None] * 3), (0.99, [0.99] * 3),
             sees=of_learners(lambda one: [one.optimizer.ema_momentum if one.optimizer.use_ema
                                           else None])),
    training("softmax_loss_scale", (0.01, [0.01] * 3), (2, [2] * 3),
             sees=of_learners(lambda one: [round(one.loss / math.log(3), 2)])),
    training("batch_norm_momentum", (None, [0.99] * 3), (0.5, [0.5] * 3),
             sees=of_learners(lambda one: [one.momentum])),
    training("mixed_precision", (False, ["float32", False] * 3), ("float16", ["float16", True] * 3),
             ("bfloat16", ["bfloat16", False] * 3),
             sees=of_learners(lambda one: [one.dtype, one.scaled])),
    training("xla", (False, [False] * 3), (True, [True] * 3),
             sees=of_learners(lambda one: [one.xla])),
]  # fmt: skip

OUTSIDE = {
    "models.outside": {"family": "labels", "path": "predicted/two-cells"},
    "experiments.others": {
        "title": "Which program?",
        "conditions": [{"model": "outside", "heads": "external", "subset": "full", "seed": 0}],
        "figures": [],
    },
}
"""Another program's cells next to the base study."""

KINDS = {
    "unet": {"family": "unet", "width": 2},
    "panopticnet": {"family": "panopticnet", "backbone": "featurenet"},
    "deepcell": {"family": "deepcell", "backbone": "featurenet"},
}
"""By family: a model to start from, which is trained in no experiment."""


STARTED = {
    path: value
    for family, kind in KINDS.items()
    for path, value in {
        f"models.one-{family}": kind,
        f"models.two-{family}": kind,
        f"models.{MODELS[family]}.start_from": {"model": f"one-{family}", "take": "backbone"},
    }.items()
}
"""Models to start from, and what those of the base study start from."""
WITHOUT_FOLDS = {
    "experiments.folds.conditions": [
        {"model": "unet", "heads": "fgbg", "subset": "half", "seed": 0}
    ]
}
"""Runs on folds start from no other subset, which may hold the images that they are scored on."""


def started(family: str, number: int):
    """A part of the path of the weights to start from: model, heads, subset or seed."""

    def see(world: World) -> str:
        return world.plan.one(RUNS[family]).input["start"][0].split("/")[number]

    return see


def starting(family: str) -> list[Case]:
    """Cases of ``start_from``: each value is planned alone, since the other run comes along."""
    name = MODELS[family]
    chosen = {key: option(family, "model", "start_from", key) for key in ("take", "freeze", "rate")}

    def case(key: str, *seen: tuple, sees, plan=(), given=None) -> Case:
        own = [f"train squares/{name}/*: params.settings.model.start_from.{key}"]
        return Case(f"models.*<{family}>.start_from.{key}", f"models.{name}.start_from.{key}", seen,
                    sees, [*own, *plan], given or STARTED, alone=key not in chosen)  # fmt: skip

    inputs = [f"train squares/{name}/*: input.start*"]
    heads = head_names_of(family)
    weights = [
        f"results/squares/runs/{number}-{family}/{heads}/full/seed-0/weights.h5"
        for number in ("one", "two")
    ]
    jobs = [*inputs, "train */*: added", "train */*: removed"]
    return [
        case("model", (f"one-{family}", f"one-{family}"), (f"two-{family}", f"two-{family}"),
             sees=started(family, 3), plan=jobs),
        case("heads", (ABSENT, heads), ("pixelwise", "pixelwise"), sees=started(family, 4),
             plan=jobs),
        case("subset", (ABSENT, "full"), ("other", "other"), sees=started(family, 5), plan=jobs,
             given={**STARTED, "subsets.other": {"fraction": 0.25}, **WITHOUT_FOLDS}),
        case("seed", (ABSENT, "seed-0"), (4, "seed-4"), sees=started(family, 6), plan=jobs),
        case("dataset", (ABSENT, "squares"), ("simulated", "simulated"), sees=started(family, 1),
             plan=[*jobs, "* simulated*: added"]),
        case("take", ("backbone", "backbone"), ("all-but-heads", "all-but-heads"), ("all", "all"),
             sees=chosen["take"]),
        case("freeze", (None, None), ("backbone", "backbone"), sees=chosen["freeze"]),
        case("rate", (1, 1), (0.5, 0.5), sees=chosen["rate"]),
        case("file", (weights[0], weights[0]), (weights[1], weights[1]),
             sees=lambda world: world.plan.one(RUNS[family]).input["start"][0], plan=jobs,
             given={**STARTED, **WITHOUT_FOLDS,
                    f"models.{name}.start_from": {"file": weights[0], "take": "backbone"}}),
        case("pretrained", ("first", "results/data/pretrained/first.h5"),
             ("second", "results/data/pretrained/second.h5"),
             sees=lambda world: world.plan.one(RUNS[family]).input["start"][0],
             plan=[*inputs, "fetch_weights *: added", "fetch_weights *: removed"],
             given={**STARTED, f"models.{name}.start_from": {"pretrained": "first"},
                    **{f"pretrained.{one}": {"url": f"http://nowhere.example/{one}.h5"}
                       for one in ("first", "second")}}),
    ]  # fmt: skip


def head_names_of(family: str) -> str:
    """Heads of the training of the base study."""
    return RUNS[family].split("/")[2]


LEVELS, FEWER = ["C3", "C4", "C5"], ["C3", "C4"]

CASES = [
    *NETWORK_CASES,
    *(overriding(case, family) for family in MODELS for case in [*TRAINING, *NETWORK_CASES]
      if case.key.startswith("training.")),
    *(overriding_of_package(case, family) for family in OF_PACKAGES
      for case in [*TRAINING, *NETWORK_CASES] if case.key.startswith("training.")),
    *(overriding_head_of_package(case, family) for family in OF_PACKAGES
      for case in TRAINING if case.key.startswith("heads.")),
    *(of_package(family, "ensemble", (None, None), ("cell-type", "cell-type"))
      for family in OF_PACKAGES),
    *(of_package(family, "width", (32, 32), (8, 8)) for family in ("cellpose", "stardist")),
    of_package("stardist", "depth", (3, 3), (2, 2)),
    *(case for family in ("cellpose", "cellpose-sam") for case in (
        of_package(family, "optimizer", ("adam", "adam"), ("sgd", "sgd")),
        of_package(family, "momentum", (0.9, 0.9), (0.5, 0.5)),
    )),
    of_package("cellpose-sam", "width", (1024, 1024), (512, 512)),
    of_package("cellpose-sam", "depth", (24, 24), (8, 8)),
    of_package("cellpose-sam", "attention_heads", (16, 16), (8, 8)),
    # Tiles have the size of the network.
    Case("models.*<cellpose-sam>.size", "models.attending",
         [(OF_ONE_SIZE, 64),
          ({**OF_ONE_SIZE, "size": 128, "training": {"tiling": "cut-128"}}, 128)],
         part_of_package("cellpose-sam", "model", "size"),
         given={**lacking("cellpose-sam"), "tilings.cut-128": {"size": 128, "tile_overlap": 8}}),
    *(overriding_head(case, family) for family in MODELS for case in TRAINING
      if case.key.startswith("heads.")),
    Case("models.*.family", "models.reference",
         [({"family": family, "backbone": "featurenet"}, [family])
          for family in ("deepcell", "panopticnet")],
         families_loaded, ["train squares/reference/*: params.settings.model.*"], alone=True),
    *of_both("backbone", ("featurenet", "featurenet"), ("mobilenetv2", "mobilenetv2"),
             sees={"deepcell": asked_of_deepcell("backbone"),
                   "panopticnet": lambda world: on_featurenet(world)[1]}),
    model("<deepcell>.backbone_levels", (LEVELS, LEVELS), (FEWER, FEWER),
          sees=asked_of_deepcell("backbone_levels")),
    model("<panopticnet>.backbone_levels", (LEVELS, ["C3_reduced", "C4_reduced", "C5_reduced"]),
          (FEWER, ["C3_reduced", "C4_reduced"]), sees=names_of_levels),
    model("<deepcell>.lite", (False, False), (True, True), sees=asked_of_deepcell("lite")),
    model("<panopticnet>.lite", (False, 256), (True, 1),
          sees=lambda world: network(world, "panopticnet").get_layer("P3").kernel.shape[3]),
    model("<deepcell>.location", (True, True), (False, False), sees=asked_of_deepcell("location")),
    model("<panopticnet>.location", (True, 3), (False, 1), sees=channels_seen),
    *of_both("weights", (None, None), ("one", "one.h5"),
             sees={family: weights_given(family) for family in ("deepcell", "panopticnet")},
             plan=lambda name: [f"train squares/{name}/*: input.weights"]),
    *(case for family in MODELS for case in starting(family)),
    *of_both("ensemble", (None, 1), ("cell-type", 2),
             sees={family: networks_trained(family) for family in MODELS},
             plan=lambda name: ["data_report squares: params.ensembles",
                                *["export squares/unet/*: removed"] * (name == "unet")],
             alone=True),
    *of_both("backend", ("tensorflow", "tensorflow"), ("jax", "not with jax"),
             ("torch", "not with torch"),
             sees={family: backend(family) for family in ("panopticnet", "unet")}),
    model("<panopticnet>.preprocessing", ("imagenet", True), ("as-published", False),
          sees=has_preprocessing,
          given={"models.net.weights": "one", "models.net.backbone": "resnet50"}),
    model("<panopticnet>.rescaling", ("none", False), ("as-published", True), sees=has_rescaling),
    model("<panopticnet>.negative_slope", (0.01, 0.01), (0.5, 0.5),
          sees=lambda world: network(world, "panopticnet").get_layer("heads").negative_slope),
    model("<unet>.negative_slope", (0.01, 0.01), (0.5, 0.5),
          sees=lambda world: network(world, "unet").get_layer("inner-distance").negative_slope),
    model("<unet>.architecture", ("unet", (4, 16)), ("unet-expanded", (5, 16)),
          ("unet-deep", (6, 32)), ("unet-light", (4, 4)),
          sees=lambda world: levels_of_unet(network(world, "unet"))),
    model("<unet>.width", (2, 2), (3, 3),
          sees=lambda world: network(world, "unet").get_layer("down_1_conv_1").filters),
    Case("models.*<labels>.path", "models.outside.path",
         [("predicted/two-cells", ["none"] * 2), ("predicted/one-cell", ["none"])],
         cells_from_outside,
         ["take_labels squares/outside/*: params.files.path",
          "take_labels squares/outside/*: params.content"], OUTSIDE),
    Case("models.*<labels>.scores", "models.outside.scores",
         [(None, ["none"] * 2), ("predicted/scores.csv", ["0.5", "0.25"])], cells_from_outside,
         ["take_labels squares/outside/*: params.files.scores",
          "take_labels squares/outside/*: params.content"], OUTSIDE),
]  # fmt: skip
