"""What all networks in Keras 3 share, on TensorFlow, JAX or PyTorch.

Training and prediction of a network that a function ``build(settings, shape)`` makes, with the
losses, batch norm and weight files that belong to them.

Import :mod:`cellseg.models.keras3.backend` first: it decides what Keras computes with.
"""
