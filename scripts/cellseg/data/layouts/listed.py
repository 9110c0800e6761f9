"""What a reader of a public data set knows of an image."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Listed:
    """An annotated image.

    Attributes
    ----------
    image : path of the image file below the folder of images, with slashes
    height, width : pixels
    cells : function that gives the COCO run lengths of each cell; cells may overlap
    cell_type : None leaves it to the name and the folder of the image
    well : what was imaged together and may stay in one fold; None if that is not known
    split : train, val or test if the data set decides; None leaves it to a draw
    """

    image: str
    height: int
    width: int
    cells: Callable[[], Iterable[dict]]
    cell_type: str | None = None
    well: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Found:
    """The annotated images of a folder.

    Attributes
    ----------
    root : folder of the images
    images : sorted by image
    """

    root: Path
    images: list[Listed]
