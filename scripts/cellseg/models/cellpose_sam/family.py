"""Family ``cellpose-sam``: the network of Cellpose 4, in our stream and loop.

It is made to start from a file of the package, such as ``cpsam``, or of Segment Anything. Loss,
heads and cells are those of family ``cellpose``. Plans refuse other tiles than the network's size.
"""

from cellseg.models.cellpose_sam import network, predictor  # isort: skip  (before torch)
from cellseg.models.cellpose.family import CellposeFamily
from cellseg.models.cellpose_sam.learner import CellposeSAMLearner

FAMILY = CellposeFamily(
    network.CellposeSAM,
    CellposeSAMLearner,
    predictor.Predictor,
    ("segment-anything", "cellpose"),
)
"""Cellpose-SAM's network in training by the loss of the package cellpose."""
