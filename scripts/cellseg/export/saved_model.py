"""A trained network as a TensorFlow SavedModel that needs nothing of this package.

The SavedModel holds what :mod:`cellseg.inference.sliding_window` does around the network too, as
operations of TensorFlow: windows are cut, normalised, predicted and blended. Its function
``maps`` takes a whole image of any size; its signature ``serving_default`` takes windows and gives
one tensor, since TensorFlow does not keep the order of several.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

from cellseg.errors import UserError
from cellseg.export.bioimage_io import output_name
from cellseg.images.normalization import EPSILON
from cellseg.inference.sliding_window import blending_weights
from cellseg.targets import heads

if TYPE_CHECKING:
    from cellseg.training.family import Family


Network = Callable[[tf.Tensor], Mapping[str, tf.Tensor]]
"""From windows to maps by head."""


def _standardized(windows: tf.Tensor, axes: list[int]) -> tf.Tensor:
    mean = tf.reduce_mean(windows, axes, keepdims=True)
    return (windows - mean) / (tf.math.reduce_std(windows, axes, keepdims=True) + EPSILON)


def _between_percentiles(windows: tf.Tensor) -> tf.Tensor:
    """As :func:`cellseg.images.normalization.percentile`, by linear interpolation between greys."""
    values = tf.sort(tf.reshape(windows, (tf.shape(windows)[0], -1)), axis=1)
    last = tf.cast(tf.shape(values)[1] - 1, tf.float32)
    bounds = []
    for share in (0.001, 0.999):
        below = tf.floor(share * last)
        lower, upper = (
            tf.gather(values, tf.cast(tf.minimum(place, last), tf.int32), axis=1)
            for place in (below, below + 1)
        )
        bounds.append((lower + (upper - lower) * (share * last - below))[:, None, None, None])
    span = tf.maximum(bounds[1] - bounds[0], EPSILON)
    return tf.clip_by_value((windows - bounds[0]) / span, 0, 1)


NORMALIZATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "whole-image": lambda windows: _standardized(windows, [1, 2]),
    "batch": lambda windows: _standardized(windows, [0, 1, 2]),
    "percentile": _between_percentiles,
    "none": lambda windows: windows,
}
"""Those of :data:`cellseg.images.normalization.METHODS` made of TensorFlow's operations."""


class WholeImages(tf.Module):
    """A network with what is done around it.

    Parameters
    ----------
    network, variables : of a family's ``exportable``
    heads : names of its outputs, in the order in which ``serving_default`` joins them
    normalization : a key of :data:`NORMALIZATIONS`
    window, overlap : pixels
    batch_size : windows predicted at once
    grid : rows and columns of which each has a value
    """

    def __init__(
        self,
        network: Network,
        variables: list[tf.Variable],
        heads: Sequence[str],
        normalization: str,
        window: int,
        overlap: int,
        batch_size: int,
        grid: int = 1,
    ) -> None:
        super().__init__()
        self.read_by_network = variables  # tracked, so that they are saved
        self._normalize = NORMALIZATIONS[normalization]
        self._network, self._heads = network, list(heads)
        self.window, self._overlap, self._batch_size = window, overlap, batch_size
        self._grid = grid
        self._weights = blending_weights(window, overlap)[..., None]
        windows = tf.TensorSpec((None, window, window, 1), tf.float32, name="windows")
        self.windows = tf.function(self._of_windows, input_signature=[windows])
        self.serving_default = tf.function(self._in_one, input_signature=[windows])
        image = tf.TensorSpec((None, None), tf.float32, name="image")
        self.maps = tf.function(self._of_image, input_signature=[image])

    def _of_windows(self, windows: tf.Tensor) -> dict[str, tf.Tensor]:
        found = self._network(self._normalize(windows))
        return {output_name(head): values for head, values in found.items()}

    def _in_one(self, windows: tf.Tensor) -> dict[str, tf.Tensor]:
        """All maps in one tensor (N, S, S, channels), in the order of the heads."""
        maps = self._of_windows(windows)
        return {"maps": tf.concat([maps[output_name(head)] for head in self._heads], axis=-1)}

    def _of_image(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        height, width = tf.shape(image)[0], tf.shape(image)[1]
        padded = tf.gather(image, _mirrored(height, self.window, self._grid), axis=0)
        padded = tf.gather(padded, _mirrored(width, self.window, self._grid), axis=1)
        shape = tf.shape(padded)
        rows, columns = (
            _offsets(shape[axis], self.window, self._overlap, self._grid) for axis in (0, 1)
        )
        places = tf.reshape(tf.stack(tf.meshgrid(rows, columns, indexing="ij"), -1), (-1, 2))
        side = tf.range(self.window)
        within = tf.stack(tf.meshgrid(side, side, indexing="ij"), -1)
        channels = {
            head: spec.shape[-1]
            for head, spec in self.windows.get_concrete_function().structured_outputs.items()
        }
        sums = {
            head: tf.zeros(tf.concat([shape, [number]], 0)) for head, number in channels.items()
        }
        total = tf.zeros(tf.concat([shape, [1]], 0))
        for start in tf.range(0, tf.shape(places)[0], self._batch_size):
            group = places[start : start + self._batch_size]
            pixels = group[:, None, None] + within
            maps = self._of_windows(tf.gather_nd(padded, pixels)[..., None])
            weights = tf.broadcast_to(self._weights, tf.concat([tf.shape(pixels)[:3], [1]], 0))
            total = tf.tensor_scatter_nd_add(total, pixels, weights)
            sums = {
                head: tf.ensure_shape(
                    tf.tensor_scatter_nd_add(values, pixels, weights * maps[head]),
                    (None, None, channels[head]),
                )
                for head, values in sums.items()
            }
        return {head: (values / total)[:height, :width] for head, values in sums.items()}


def _mirrored(length: tf.Tensor, least: int, grid: int) -> tf.Tensor:
    """Positions along an axis, mirrored at its far end until there are `least` and whole steps."""
    more = tf.where(length < least, least - length, (least - length) % grid)
    place = tf.range(length + more) % (2 * length)
    return tf.where(place < length, place, 2 * length - 1 - place)


def _offsets(length: tf.Tensor, window: int, overlap: int, grid: int) -> tf.Tensor:
    """As :func:`cellseg.data.tiles.offsets`."""
    step = window - overlap
    count = tf.maximum(1, -((overlap - length) // step))
    last = tf.cast(length - window, tf.float64) / grid
    places = tf.round(tf.linspace(tf.zeros((), tf.float64), last, count))
    return grid * tf.cast(places, tf.int32)


def build(
    family: "Family", settings: Mapping, folders: Sequence[Path], options: Mapping
) -> WholeImages:
    """The network of a run, or those of all folds with their maps averaged, ready to be saved.

    Parameters
    ----------
    family : module of :mod:`cellseg.models`, on TensorFlow
    settings : of the run
    folders : of the weights of each network
    options : of prediction: ``window`` (None or ``image`` take the training tile's),
        ``window_overlap`` and ``batch_size``

    Raises
    ------
    UserError
        Images were squeezed or normalised in a way that TensorFlow has no operations for.
    """
    method = settings["training"]["normalization"]
    if settings["tiling"]["mode"] == "resize" or method not in NORMALIZATIONS:
        raise UserError(
            "only networks that were trained on cut tiles, normalised by "
            f"{', '.join(NORMALIZATIONS)}, can be exported; {folders[0]} has tiling mode "
            f"{settings['tiling']['mode']} and normalization {method}."
        )
    size = settings["tiling"]["size"]
    window = options["window"] if isinstance(options["window"], int) else size
    networks, variables = zip(
        *(family.exportable(settings, folder, window) for folder in folders), strict=True
    )
    overlap = round(options["window_overlap"] * window)
    return WholeImages(
        networks[0] if len(networks) == 1 else _averaged(networks),
        [variable for of_one in variables for variable in of_one],
        settings["heads"],
        method,
        window,
        overlap,
        options["batch_size"],
        heads.common_grid(settings["heads"]),
    )


def _averaged(networks: Sequence[Network]) -> Network:
    def predict(windows: tf.Tensor) -> dict[str, tf.Tensor]:
        found = [network(windows) for network in networks]
        return {head: tf.add_n([one[head] for one in found]) / len(found) for head in found[0]}

    return predict


def save(model: WholeImages, folder: Path) -> None:
    """Write the SavedModel into a folder."""
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.serving_default})
