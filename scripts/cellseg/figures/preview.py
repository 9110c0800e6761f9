"""A small copy of a picture, for the report, which holds those of all runs in one file."""

import base64
import io
import os

from cellseg.io.atomic import replacing

WIDTH, QUALITY = 1400, 80  # an eighth of the bytes; outlines of one pixel are still seen


def write(picture: str | os.PathLike, copy: str | os.PathLike) -> None:
    """Write a JPEG of `picture`, no wider than 1400 pixels.

    Parameters
    ----------
    picture : PNG, as drawn
    copy : path of the ``.jpg``
    """
    from PIL import Image

    with Image.open(picture) as opened:
        small = opened.convert("RGB")
    small.thumbnail((WIDTH, small.height), Image.Resampling.LANCZOS)
    with replacing(copy) as temporary:
        small.save(temporary, quality=QUALITY, optimize=True)


def data_uri(picture: str | os.PathLike) -> str:
    """A figure as an address that holds its pixels, for a page without files next to it.

    Parameters
    ----------
    picture : PNG of a figure; it is drawn no wider than 1000 pixels, in 64 colours
    """
    from PIL import Image

    with Image.open(picture) as opened:
        small = opened.convert("RGB")
    small.thumbnail((1000, small.height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.quantize(64).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
