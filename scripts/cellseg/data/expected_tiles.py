"""How many tiles images will be cut into, and crops drawn of them, before there are any."""

from collections.abc import Callable, Mapping

from cellseg.data import livecell_size
from cellseg.data.kinds.source import Images
from cellseg.data.tiles import n_windows


def tiles_of(tiling: Mapping, height: int, width: int) -> int:
    """Tiles of one image; where crops are drawn, of mode ``cut``: those that validate."""
    if tiling["mode"] == "resize":
        return 1
    return n_windows(height, width, tiling["size"], tiling["tile_overlap"])


def shown_of(tiling: Mapping, height: int, width: int) -> int:
    """Tiles of one image that a network is trained on in a pass, or crops that are drawn for it."""
    if tiling["mode"] == "crop" and tiling["crops_per_image"] is not None:
        return tiling["crops_per_image"]
    return tiles_of(tiling, height, width)


def n_tiles(tiling: Mapping, images: Images) -> float:
    """Tiles of a split whose images have LIVECell's proportions, see :func:`tiles_of`."""
    return _of_all(tiles_of, tiling, images)


def n_shown(tiling: Mapping, images: Images) -> float:
    """The same of :func:`shown_of`."""
    return _of_all(shown_of, tiling, images)


def _of_all(of_one: Callable[..., int], tiling: Mapping, images: Images) -> float:
    if not images.count:
        return 0
    scale = (images.pixels / images.count / livecell_size.PIXELS) ** 0.5
    sides = (round(length * scale) for length in (livecell_size.HEIGHT, livecell_size.WIDTH))
    return images.count * of_one(tiling, *sides)
