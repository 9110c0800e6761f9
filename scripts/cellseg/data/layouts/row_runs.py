"""Masks as Kaggle writes them: pairs of start and length, pixels counted from 1 along the rows."""

import numpy as np

from cellseg.errors import UserError


def parse(text: str, pixels: int, where: str) -> np.ndarray:
    """Runs of a mask.

    Parameters
    ----------
    text : numbers with spaces between them: start, length, start, length, …
    pixels : of the image
    where : what messages call the text

    Returns
    -------
    ndarray of shape (runs, 2), int64 : starts, counted from 0, and ends, which are outside

    Raises
    ------
    UserError
        A number is none, one is left over, or a run is empty or leaves the image.
    """
    words = text.split()
    strange = next((word for word in words if not (word.isascii() and word.isdigit())), None)
    if strange is not None:
        raise UserError(f"{where}: '{strange[:40]}' in the annotation is no whole number.")
    if not words:
        raise UserError(f"{where}: the annotation is empty. Correct or remove the line.")
    if len(words) % 2:
        raise UserError(
            f"{where}: the annotation has {len(words)} numbers, and runs are pairs of start and "
            "length: one number is missing. Correct or remove the line."
        )
    # Numbers that leave the image by far would not fit 64 bits.
    numbers = [min(int(word), pixels + 1) if len(word) < 20 else pixels + 1 for word in words]
    runs = np.array(numbers, np.int64).reshape(-1, 2)
    starts, ends = runs[:, 0] - 1, runs[:, 0] - 1 + runs[:, 1]
    wrong = np.flatnonzero((starts < 0) | (runs[:, 1] < 1) | (ends > pixels))
    if len(wrong):
        start, length = (word[:40] for word in words[2 * wrong[0] : 2 * wrong[0] + 2])
        raise UserError(
            f"{where}: the run '{start} {length}' is not inside the image, whose pixels are 1 to "
            f"{pixels}. Correct or remove the line."
        )
    return np.stack([starts, ends], axis=1)


def mask(runs: np.ndarray, height: int, width: int) -> np.ndarray:
    """Runs of :func:`parse` as an ndarray of shape (height, width), uint8, 1 in the mask."""
    steps = np.zeros(height * width + 1, np.int32)
    np.add.at(steps, runs[:, 0], 1)
    np.add.at(steps, runs[:, 1], -1)
    return (np.cumsum(steps[:-1]) > 0).astype(np.uint8).reshape(height, width)


def as_coco(runs: np.ndarray, height: int, width: int) -> dict:
    """Runs of :func:`parse` as compressed COCO run lengths, which go along the columns."""
    from pycocotools import mask as coco

    encoded = coco.encode(np.asfortranarray(mask(runs, height, width)))
    return {"size": [height, width], "counts": encoded["counts"].decode("ascii")}


def write(inside: np.ndarray) -> str:
    """A mask, ndarray of shape (H, W), bool, as text; empty for none."""
    flat = np.concatenate([[False], inside.ravel(), [False]]).astype(np.int8)
    changes = np.flatnonzero(np.diff(flat))
    starts, ends = changes[0::2], changes[1::2]
    return " ".join(map(str, np.stack([starts + 1, ends - starts], axis=1).ravel().tolist()))
