"""How many tiles images will be cut into, before there are any."""

from collections.abc import Mapping

from cellseg.data import livecell_size
from cellseg.data.kinds.source import Images
from cellseg.data.tiles import offsets


def n_tiles(tiling: Mapping, images: Images) -> float:
    """Tiles of a split whose images have LIVECell's proportions; where crops are drawn, of cut."""
    if tiling["mode"] == "resize" or not images.count:
        return images.count
    scale = (images.pixels / images.count / livecell_size.PIXELS) ** 0.5
    rows, columns = (
        len(offsets(round(length * scale), tiling["size"], tiling["tile_overlap"]))
        for length in (livecell_size.HEIGHT, livecell_size.WIDTH)
    )
    return images.count * rows * columns


def n_shown(tiling: Mapping, images: Images) -> float:
    """Tiles that a network is trained on in a pass, or crops that are drawn for it."""
    if tiling["mode"] == "crop" and tiling["crops_per_image"] is not None:
        return images.count * tiling["crops_per_image"]
    return n_tiles(tiling, images)
