"""Settings of Adam that a training asks of the optimisers of both Kerases."""

from collections.abc import Mapping


def of_training(options: Mapping) -> dict:
    """Arguments of an optimiser; averages are those of :mod:`cellseg.models.weight_averages`.

    Parameters
    ----------
    options : a run's ``training`` settings
    """
    averaged = {} if options["ema"] is None else {"use_ema": True, "ema_momentum": options["ema"]}
    return {
        **averaged,
        "l2": options["l2"],
        "learning_rate": options["learning_rate"],
        "weight_decay": options["weight_decay"] or None,
        **{key: options[key] for key in ("clipnorm", "global_clipnorm") if options[key]},
    }


def is_kernel(name: str) -> bool:
    """Whether the variable of that name is a layer's kernel: no bias, and of no batch norm.

    Kernels alone are regularised. TensorFlow adds the number of an output, such as ``:0``.
    """
    return name.partition(":")[0].endswith("kernel")
