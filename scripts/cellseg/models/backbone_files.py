"""Whether a file holds the weights of a backbone, by the names of its layers."""

from collections.abc import Sequence
from pathlib import Path

from cellseg.errors import UserError

NOT_LOADED = "normalization"
"""EfficientNet's normalisation of its input, which stays the identity: images are normalised."""


def shared_layers(path: Path, backbone: str, own: Sequence[str], found: Sequence[str]) -> list[str]:
    """Layers of a file that a backbone takes its weights from: all of its layers.

    Keras would load the layers that match and skip all others without a word. Two backbones of a
    kind share most names: every layer of ResNet50 is in ResNet101.

    Parameters
    ----------
    path, backbone : file, and name of the backbone, for the error
    own : layers with weights of the backbone, as far as the network uses it
    found : layers with weights in the file, from the image to the top
        Those behind the coarsest level that the network uses, or of the classifier, are left out.

    Returns
    -------
    list of str
        In the order of the file.

    Raises
    ------
    UserError
        A layer is missing on either side; names some, and what to do.
    """
    wanted, there = set(own) - {NOT_LOADED}, set(found)
    shared = [name for name in found if name in wanted]
    lacking = [name for name in own if name in wanted - there]
    before_last = found[: found.index(shared[-1])] if shared else found
    strange = [name for name in before_last if name not in wanted | {NOT_LOADED}]
    if strange or lacking or not shared:
        differences = [
            *([f"it has no layer {_some(lacking)}"] if lacking else []),
            *([f"the backbone has no layer {_some(strange)}"] if strange else []),
        ]
        raise UserError(
            f"{path} does not fit the backbone {backbone}: {' and '.join(differences)}. Give the "
            "model of the config the `weights` of its backbone, without top."
        )
    return shared


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
