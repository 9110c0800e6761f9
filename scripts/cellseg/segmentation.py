"""The predicted maps of a run to label images."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from cellseg import files
from cellseg.channels import STACK_MEMBER
from cellseg.errors import UserError
from cellseg.parallel import ordered_map
from cellseg.watershed import maps_of, segment_maps


def segment_run(maps: str | Path, output: str | Path, settings: Mapping, threads: int) -> None:
    """Segment every image of a stack of maps.

    Parameters
    ----------
    maps : npz; member ``<image>`` is an ndarray of shape (H, W, channels), float16, and member
        ``__channels__`` names them, such as ``inner-distance/0``
    output : npz; member ``<image>`` becomes an ndarray of shape (H, W), int32, cells 1..n
        Small cells are kept, whatever the settings say: scoring removes them.
    settings : of :func:`cellseg.watershed.segment_maps`
    threads : number of processes; the result is the same for any

    Raises
    ------
    UserError
        The file holds no maps, or heads that the watershed cannot use.
    """
    with np.load(maps) as stack:
        if STACK_MEMBER not in stack.files:
            raise UserError(f"{maps} does not name its channels. Delete it and run again.")
        channels = [str(name) for name in stack[STACK_MEMBER]]
        images = sorted(name for name in stack.files if name != STACK_MEMBER)
    if not images:
        raise UserError(f"{maps} holds no image. Delete it and run again.")
    work = partial(_segment_image, maps, channels, {**settings, "small_objects_threshold": 0})

    def labels() -> Iterator[tuple[str, np.ndarray]]:
        n_cells = 0
        for image, found in zip(images, ordered_map(work, images, threads), strict=True):
            n_cells += int(found.max(initial=0))
            yield image, found
        print(f"Found {n_cells} cells in {len(images)} images.")

    files.write_stack(output, labels())


def _segment_image(
    maps: str | Path, channels: list[str], settings: Mapping, image: str
) -> np.ndarray:
    # Each worker reads its own image: nothing but a name travels to it.
    with np.load(maps) as stack:
        return segment_maps(maps_of(stack[image], channels), settings)
