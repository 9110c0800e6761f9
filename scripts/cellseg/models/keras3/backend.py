"""Which library Keras 3 computes with. Import this before ``keras``: importing Keras decides it.

The choice is the environment variable ``KERAS_BACKEND`` (:func:`cellseg.models.load` sets it),
and TensorFlow without.
"""

import importlib
import importlib.util
import os

from cellseg.errors import UserError
from cellseg.models.keras_imports import importing_keras

PACKAGES = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
"""By backend: the package that must be there."""

BACKEND = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
if BACKEND not in PACKAGES:
    raise UserError(
        f"the environment variable KERAS_BACKEND is '{BACKEND}', which is not one of "
        f"{', '.join(PACKAGES)}. Unset it."
    )
if importlib.util.find_spec(PACKAGES[BACKEND]) is None:
    raise UserError(
        f"the model's backend '{BACKEND}' needs the package {PACKAGES[BACKEND]}, which is not "
        "installed here. Install it next to Keras, or set `backend: tensorflow` of the model."
    )
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Else TensorFlow asks the system for each large array again: half the time of a step.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX: share the GPU

with importing_keras(BACKEND):
    import keras

if keras.backend.backend() != BACKEND:
    raise UserError(
        f"Keras computes with {keras.backend.backend()} in this process already, not with "
        f"{BACKEND}. Start a process for each backend."
    )


def set_threads(threads: int) -> None:
    """Use `threads` CPU threads in all; must come before the first operation."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    elif BACKEND == "torch":
        import torch

        torch.set_num_threads(threads)
    # JAX has no switch: its CPU threads follow from the cores that the process may use.


def device() -> str:
    """Name of the GPU in use, or ``cpu``."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        return details.get("device_name", "gpu") if gpus else "cpu"
    if BACKEND == "torch":
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    import jax

    first = jax.devices()[0]
    return "cpu" if first.platform == "cpu" else first.device_kind


def versions() -> dict[str, str]:
    """Versions of Keras and of what it computes with."""
    module = importlib.import_module(PACKAGES[BACKEND])
    return {"keras": keras.__version__, BACKEND: module.__version__}
