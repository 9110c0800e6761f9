"""PanopticNet in Keras 3, for TensorFlow, JAX or PyTorch.

Written from the description of Mesmer's network (Greenwald et al., Nature Biotechnology 2022) and
compared with what the deepcell package builds: the same weights, the same outputs.

Import :mod:`cellseg.models.keras3.backend` first: it decides what Keras computes with.
"""
