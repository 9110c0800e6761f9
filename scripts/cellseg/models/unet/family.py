"""Family ``unet``: U-Net in three depths, in Keras 3, on TensorFlow, JAX or PyTorch.

Ronneberger, Fischer and Brox (MICCAI 2015), in the depths of the poster *Deep Learning for Cell
Segmentation* (Stanford). It predicts the same maps as PanopticNet, for the same watershed; the
poster's are foreground and background, the head ``fgbg``.
"""

from cellseg.models.keras3.family import Keras3Family
from cellseg.models.unet import network, sizes

FAMILY = Keras3Family(network.build, stride=sizes.stride)
