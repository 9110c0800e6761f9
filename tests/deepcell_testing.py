"""A pytest plugin under which deepcell's own tests run on today's Keras.

They import two helper modules of Keras 2.8 by names that have changed since.
"""
# ruff: noqa: I001  (deepcell_compat comes first: it points Keras to legacy Keras)

import sys

import cellseg.models.deepcell.compat  # noqa: F401
import keras
from tf_keras.src.testing_infra import test_combinations, test_utils

for name, module in {
    "keras_parameterized": test_combinations,
    "testing_utils": test_utils,
}.items():
    setattr(keras, name, module)
    sys.modules[f"keras.{name}"] = module
