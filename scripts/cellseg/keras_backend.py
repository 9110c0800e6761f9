"""Which library Keras 3 computes with. Imports Keras when asked to, since that decides it."""

import importlib.util
import os

from cellseg.banners import without_banners
from cellseg.errors import UserError

PACKAGES = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
"""By backend: the package that must be there."""


def choose(backend: str) -> None:
    """Make Keras compute with `backend`; to be called before anything imports Keras.

    Raises
    ------
    UserError
        The package is not installed, or Keras computes with another one already.
    """
    if importlib.util.find_spec(PACKAGES[backend]) is None:
        raise UserError(
            f"the model's backend '{backend}' needs the package {PACKAGES[backend]}, which is not "
            "installed here. Install it beside Keras, or set `backend: tensorflow` of the model."
        )
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # TensorFlow else asks the system for each large array anew; a third of a step went on that.
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX: share the GPU
    with without_banners():
        import keras
    found = keras.backend.backend()
    if found != backend:
        raise UserError(
            f"Keras computes with {found} in this process already, not with {backend}. Start a "
            "process for each backend."
        )


def set_threads(threads: int) -> None:
    """Use `threads` CPU threads in all; must come before the first operation."""
    backend = os.environ["KERAS_BACKEND"]
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    elif backend == "torch":
        import torch

        torch.set_num_threads(threads)
    # JAX has no switch: its CPU threads follow from the cores that the process may use.


def device() -> str:
    """Name of the GPU in use, or ``cpu``."""
    backend = os.environ["KERAS_BACKEND"]
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        return details.get("device_name", "gpu") if gpus else "cpu"
    if backend == "torch":
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    import jax

    first = jax.devices()[0]
    return "cpu" if first.platform == "cpu" else first.device_kind


def versions() -> dict[str, str]:
    """Versions of Keras and of what it computes with."""
    import keras

    backend = keras.backend.backend()
    module = importlib.import_module(PACKAGES[backend])
    return {"keras": keras.__version__, backend: module.__version__}
