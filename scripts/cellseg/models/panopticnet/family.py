"""Family ``panopticnet``: the network of Mesmer in Keras 3, on TensorFlow, JAX or PyTorch.

The same network as the family ``deepcell`` (tests compare weights, outputs, losses and steps).
Beyond it: images of any size, pretrained backbones fed as they expect, TensorFlow, JAX or PyTorch.
"""

from cellseg.models.keras3.family import Keras3Family
from cellseg.models.panopticnet import network
from cellseg.models.panopticnet.declarations import declared

FAMILY = Keras3Family(
    network.build,
    stride=lambda model: declared(model["backbone"]).stride,
    smallest=lambda model: declared(model["backbone"]).smallest,
)
