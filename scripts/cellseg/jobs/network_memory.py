"""Memory that a network takes, by its settings: what a job asks for while none like it has run.

Measured on a CPU (TensorFlow 2.21, four threads, two heads): the largest resident memory, MB.

network                        tile  batch  training  prediction
featurenet, from C2             128      4      1462        1093
featurenet, from C2, deepcell   128      4      1481        1237
resnet50                        128      2      2112        1286
resnet50                        256      2      2393        1685
resnet50                        256      4      2999        1649
resnet50, deepcell              256      2      2508        2035
densenet201                     256      2      3125        1854
efficientnetb7                  128      2      4083        1669
unet of width 16                256      2      1367        1174
unet                            128      2      2183        1334
unet-deep                       128      2      6067        2968
cellpose, torch, one thread     256      1      1903
cellpose, torch, one thread     256      2      2552        1214
cellpose-sam, the same          256      1     11985

The sums below come within 15 % of a training (27 % more of cellpose-sam's), 30 % of a prediction; a
job asks for 30 % more
(:func:`cellseg.jobs.resources.with_spare`), and for what its predecessors took once there are any.
"""

from collections.abc import Mapping

from cellseg import models

MEGABYTE = 1e6
VALUE = 4
"""Bytes of a weight and of a value of a map."""

TRAINING = 1200
"""MB of a training without its network: Python, TensorFlow, the data stream."""

COPIES = 7
"""Of the weights in training: themselves, gradients, Adam's two moments, a state being saved."""

PREDICTION = 1100
"""MB of a prediction without its network."""

COPIES_APPLIED = 3
"""Of the weights in prediction: themselves, the file, what TensorFlow makes of them."""

KEPT = 0.15
"""Share of the values of all layers that lives at a time in prediction; in training all do."""

LIBRARIES_OF_GPU = 2000
"""MB more on the host for CUDA and what it loads. Not measured: there was no GPU."""


def training_mb(settings: Mapping, gpu: bool) -> float:
    """Memory of a training, MB.

    The tile files count nothing: they are mapped into memory, and the system takes such pages back.

    Parameters
    ----------
    settings : from :func:`cellseg.study.runs.run_settings`
    gpu : computes on a GPU, whose own memory is not asked for
    """
    pixels = settings["training"]["batch_size"] * settings["tiling"]["size"] ** 2
    parameters, values = _of_network(settings)
    return _megabytes(TRAINING, COPIES * parameters + pixels * values, gpu)


def prediction_mb(settings: Mapping, options: Mapping, pixels_of_image: int, gpu: bool) -> float:
    """Memory of a prediction, MB.

    Parameters
    ----------
    settings : of the run, from :func:`cellseg.study.runs.run_settings`
    options : ``prediction`` of the study
    pixels_of_image : of a large image
    gpu : computes on a GPU
    """
    tiling, window = settings["tiling"], options["window"]
    if tiling["mode"] == "resize":
        at_once = tiling["size"] ** 2
    elif window == "image":
        at_once = pixels_of_image * max(options["test_time_augmentation"]["scales"]) ** 2
    else:
        at_once = options["batch_size"] * (window or tiling["size"]) ** 2
    parameters, values = _of_network(settings)
    folds = settings.get("subset", {}).get("folds", {"fold": 1})
    parameters *= 1 if "fold" in folds else folds["count"]  # networks of all folds together
    return _megabytes(PREDICTION, COPIES_APPLIED * parameters + KEPT * at_once * values, gpu)


def _of_network(settings: Mapping) -> tuple[int, float]:
    """Weights of a network, and values of all its maps for each pixel of its input."""
    model, n_heads = settings["model"], len(settings["heads"])
    return models.expected_parameters(model, n_heads), models.values_per_pixel(model, n_heads)


def _megabytes(base: float, values: float, gpu: bool) -> float:
    return base + values * VALUE / MEGABYTE + (LIBRARIES_OF_GPU if gpu else 0)
