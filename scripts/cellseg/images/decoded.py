"""The pictures of one file: which axis is which, and one of them chosen."""

import os
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from cellseg.errors import UserError

STACKED = "TZC"
"""The axes of pages, in ImageJ's order."""

UNNAMED = "I"
"""The axis of pages that the file does not explain."""

EXPANSION = 5000
"""Bytes of pixels that a byte of a file may hold: deflate packs a thousand, LZW less than 3,000."""

HARMLESS = 2**30
"""Bytes of pixels that any file may hold: Zstandard packs an empty image into almost nothing."""

NAMES = {"T": "times", "Z": "slices", "C": "channels", UNNAMED: "pages"}


def lossy(path: str | os.PathLike, kind: str) -> UserError:
    """What to say of a label image in a format that changes values."""
    return UserError(
        f"{path} is a {kind}, whose compression changes values: it cannot hold labels. Save the "
        "label image as PNG or as TIFF without such compression from the program that made it."
    )


class Part(NamedTuple):
    """Which picture of a file is meant, counted from 1; None where the file has only one.

    Attributes
    ----------
    channel : along the axis of channels, or of red, green and blue
    page : among the pages that are left, times before slices
    """

    channel: int | None = None
    page: int | None = None


WHOLE = Part()


@dataclass(frozen=True)
class Decoded:
    """All pictures of one file.

    Attributes
    ----------
    frames : ndarray of shape (pages, H, W), or (pages, H, W, 3) with red, green and blue; in the
        depth of the file. For label images another last axis is possible.
    axes : letters of ``ITZC``, how the pages are ordered; empty for a single picture
    lengths : of these axes; their product is the number of pages
    orientation : 1 to 8 as in TIFF and EXIF, see :mod:`cellseg.images.upright`;
        `frames` are as stored
    """

    frames: np.ndarray
    axes: str = ""
    lengths: tuple[int, ...] = ()
    orientation: int = 1

    def __str__(self) -> str:
        """What the pages are, such as ``3 slices (axis Z)``."""
        if not self.axes:
            return "1 page"
        counts = " x ".join(
            f"{length} {NAMES[axis]}" for axis, length in zip(self.axes, self.lengths, strict=True)
        )
        if self.axes == UNNAMED:
            return counts
        return f"{counts} (ax{'is' if len(self.axes) == 1 else 'es'} {self.axes})"

    def only(self, part: Part, path: str | os.PathLike) -> "Decoded":
        """The pages that `part` leaves.

        Raises
        ------
        UserError
            The file has no such channel or page.
        """
        chosen = self if part.channel is None else self._channel(part.channel, path)
        if part.page is None:
            return chosen
        pages = len(chosen.frames)
        if not 1 <= part.page <= pages:
            raise UserError(
                f"{path} has no page {part.page}: it holds {chosen}. Correct 'page' in the "
                "configuration, or take the file away."
            )
        return replace(chosen, frames=chosen.frames[part.page - 1 : part.page], axes="", lengths=())

    def _channel(self, channel: int, path: str | os.PathLike) -> "Decoded":
        frames = self.frames
        if "C" in self.axes:
            axis = self.axes.index("C")
            count = self.lengths[axis]
        else:
            axis, count = -1, frames.shape[3] if frames.ndim == 4 else 1
        if not 1 <= channel <= count:
            raise UserError(
                f"{path} has no channel {channel}: it has {count}. Correct 'channel' in the "
                "configuration, or take the file away."
            )
        if "C" not in self.axes:
            return replace(self, frames=frames if frames.ndim == 3 else frames[..., channel - 1])
        shaped = frames.reshape(*self.lengths, *frames.shape[1:])
        return replace(
            self,
            frames=shaped.take(channel - 1, axis).reshape(-1, *frames.shape[1:]),
            axes=self.axes.replace("C", ""),
            lengths=self.lengths[:axis] + self.lengths[axis + 1 :],
        )

    def picture(self, path: str | os.PathLike) -> np.ndarray:
        """The one picture, ndarray of shape (H, W) or (H, W, 3).

        Raises
        ------
        UserError
            There are more. The message names their axes and the settings that choose one.
        """
        if len(self.frames) != 1:
            named = [name for name, axes in (("channel", "C"), ("page", "TZI")) if
                     set(axes) & set(self.axes)]  # fmt: skip
            settings = " and ".join(f"'{name}: NUMBER'" for name in named)
            raise UserError(
                f"{path} is not one picture: it holds {self}. Choose one with {settings} in the "
                "entry of the data set, or store each in a separate file."
            )
        return self.frames[0]


def in_order(values: np.ndarray, axes: str) -> Decoded:
    """Pages first, in ImageJ's order of time, slice and channel; then rows, columns, colours.

    Parameters
    ----------
    values : ndarray
    axes : letters of its axes, with ``Y`` and ``X``; ``S`` is colour, and letters other than
        ``TZC`` are pages that nothing explains
    """
    colours = [axis for axis in "S" if axis in axes]
    unnamed = [number for number, axis in enumerate(axes) if axis not in f"{STACKED}YXS"]
    named = [axis for axis in STACKED if axis in axes]
    order = [*unnamed, *(axes.index(axis) for axis in (*named, "Y", "X", *colours))]
    values = values.transpose(order)
    n_unnamed = int(np.prod(values.shape[: len(unnamed)], dtype=np.int64))
    stacked = values.shape[len(unnamed) : len(unnamed) + len(named)]
    lengths = [(UNNAMED, n_unnamed), *zip(named, stacked, strict=True)]
    kept = [(axis, length) for axis, length in lengths if length != 1]
    frames = values.reshape(-1, *values.shape[len(unnamed) + len(named) :])
    return Decoded(frames, "".join(axis for axis, _ in kept), tuple(length for _, length in kept))
