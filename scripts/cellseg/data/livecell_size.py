"""How much the published LIVECell is: images, their size, and their cells."""

from collections.abc import Mapping

IMAGES: Mapping[str, int] = {"train": 3_253, "val": 570, "test": 1_564}
"""By split, as published: some images are listed twice."""
HEIGHT, WIDTH = 520, 704
PIXELS = HEIGHT * WIDTH
CELLS = 323
"""In an image, on average."""
