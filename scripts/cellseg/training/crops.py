"""Windows of whole images: drawn at random to train on, or fixed to validate on."""

from collections.abc import Sequence

import numpy as np

from cellseg.data.frames import Frames
from cellseg.data.tiles import cut, n_windows, offsets


class WindowPool:
    """The windows that cover whole images: those that tiling mode ``cut`` stores.

    Attributes
    ----------
    size : side of the windows, pixels
    image : ndarray of shape (N,), str; the image that each window is from
    """

    def __init__(self, files: Sequence[Frames], size: int, overlap: int) -> None:
        self.size = size
        frames = [(file, number) for file in files for number in range(len(file))]
        self._places = [
            (file, number, row, column)
            for file, number in frames
            for row in offsets(int(file.height[number]), size, overlap)
            for column in offsets(int(file.width[number]), size, overlap)
        ]
        self.image = np.array([file.image[number] for file, number, *_ in self._places], np.str_)

    def tile(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (S, S) uint8 and labels (S, S) int32 of window `number`."""
        file, frame, row, column = self._places[number]
        image, labels = (cut(np.asarray(whole), self.size, row, column)
                         for whole in file.frame(frame))  # fmt: skip
        return image.copy(), labels.copy()  # a kernel is compiled again for memory-mapped arrays

    def corner(self, number: int) -> tuple[int, int]:
        """Row and column of the image at which window `number` begins."""
        return self._places[number][2:]

    def source(
        self, number: int, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The window and its place in itself; see :class:`cellseg.training.batches.Pool`."""
        del random
        return *self.tile(number), np.eye(2, 3)


class CropPool:
    """Crops of whole images: each number is one crop an epoch, at a place drawn then.

    Attributes
    ----------
    size : side of the crops, pixels
    image : ndarray of shape (N,), str; the image that each crop is from

    Parameters
    ----------
    overlap : an image has as many crops as windows with that least overlap cover it
    crops_per_image : so many instead; None for as many as windows
    scales : magnifications, of which one is drawn for each crop
    """

    def __init__(
        self,
        files: Sequence[Frames],
        size: int,
        overlap: int,
        crops_per_image: int | None = None,
        scales: Sequence[float] = (1,),
    ) -> None:
        self.size, self.scales = size, tuple(scales)
        self._places = [
            (file, number)
            for file in files
            for number in range(len(file))
            for _ in range(
                crops_per_image
                or n_windows(int(file.height[number]), int(file.width[number]), size, overlap)
            )
        ]
        self.image = np.array([file.image[number] for file, number in self._places], np.str_)

    def source(
        self, number: int, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The whole image of a crop, and the map to it from the crop, whose place is drawn.

        Every place within the image is as likely. What a turned or small crop lacks beyond the
        image's border is mirrored in by the warp.
        """
        file, frame = self._places[number]
        image, labels = file.frame(frame)
        scale = self.scales[random.integers(len(self.scales))]
        matrix = np.eye(2, 3) / scale
        for axis, length in ((0, image.shape[1]), (1, image.shape[0])):
            free = max(0, int(length - self.size / scale))
            # Pixels are squares around their places: the crop's edge comes to the image's edge.
            matrix[axis, 2] = random.integers(free + 1) + (1 / scale - 1) / 2
        return image, labels, matrix
