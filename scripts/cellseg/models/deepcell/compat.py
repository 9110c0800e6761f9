"""Makes deepcell 0.12.10 (written for TensorFlow 2.8, Python 3.10) importable on TensorFlow 2.21.

Import this module before ``deepcell``. Each step undoes one change that happened since; nothing
of deepcell's own arithmetic is touched. ``deepcell_toolbox`` needs none of this.
"""

import os
import sys
import types

from cellseg.models.keras_imports import importing_keras

# deepcell's layers and losses are legacy Keras; tf.keras must be tf_keras before TensorFlow loads.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

with importing_keras():
    import keras.utils
    from tf_keras.src.utils import conv_utils

# Eight modules say ``from keras.utils import conv_utils``, which Keras 3 no longer has.
keras.utils.conv_utils = conv_utils

# deepcell.model_zoo.tracking imports spektral, used for cell tracking only.
_spektral = types.ModuleType("spektral")
_spektral.layers = types.ModuleType("spektral.layers")
_spektral.layers.GCSConv = _spektral.layers.GCNConv = _spektral.layers.GATConv = None
sys.modules.setdefault("spektral", _spektral)
sys.modules.setdefault("spektral.layers", _spektral.layers)

# deepcell.training builds SGD(decay=...) as a default argument on import, which raises today.
_training = types.ModuleType("deepcell.training")
_training.train_model_conv = _training.train_model_sample = None
_training.train_model_siamese_daughter = None
sys.modules.setdefault("deepcell.training", _training)

import deepcell  # noqa: E402

__all__ = ["deepcell"]
