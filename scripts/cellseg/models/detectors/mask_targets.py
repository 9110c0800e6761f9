"""What a mask head learns in a box: the true mask, cut to the box and resampled."""

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import roi_align

from cellseg.models.detectors.detector import Instances

BATCH = 2**22
"""Pixels of true masks that are resampled at a time, 16 MB."""


def in_boxes(target: Instances, cells: Tensor, boxes: Tensor, size: int) -> Tensor:
    """True masks in boxes.

    Parameters
    ----------
    target : the image's cells
    cells : tensor of shape (k,), int64; the cell of each box
    boxes : tensor of shape (k, 4)
    size : pixels along each side of the result

    Returns
    -------
    tensor of shape (k, size, size), float32 in 0..1; the share of each pixel that is cell
    """
    result = boxes.new_zeros((len(boxes), size, size))
    crops = [_crop(target, cell) for cell in cells.tolist()]
    start = 0
    while start < len(crops):
        stop, high, wide = start, 0, 0
        while stop < len(crops):
            height = max(high, crops[stop][0].shape[0] + 2)
            width = max(wide, crops[stop][0].shape[1] + 2)
            if stop > start and height * width * (stop + 1 - start) > BATCH:
                break
            high, wide, stop = height, width, stop + 1
        group = crops[start:stop]
        # A border of background: RoIAlign repeats the outermost pixel for half a pixel.
        stack = torch.stack([_framed(mask, high, wide) for mask, _ in group]).to(boxes.device)
        moved = boxes[start:stop] + 1
        moved = moved - torch.tensor([[*at, *at] for _, at in group], device=boxes.device)
        numbers = torch.arange(len(group), device=boxes.device, dtype=boxes.dtype)[:, None]
        rois = torch.cat([numbers, moved.to(boxes.dtype)], dim=1)
        result[start:stop] = roi_align(stack[:, None].float(), rois, size, aligned=True)[:, 0]
        start = stop
    return result


def areas(target: Instances, cells: Tensor) -> Tensor:
    """Pixels of the true masks of cells: tensor of shape (k,), float32."""
    found = [float(target.masks[cell].sum()) for cell in cells.tolist()]
    return torch.tensor(found, dtype=torch.float32, device=target.boxes.device)


def _crop(target: Instances, cell: int) -> tuple[Tensor, tuple[int, int]]:
    """Mask of a cell, no larger than its box, and x and y of its first pixel."""
    mask = target.masks[cell]
    if target.origins is not None:
        x, y = target.origins[cell].tolist()
        return mask, (x, y)
    x0, y0, x1, y1 = target.boxes[cell].tolist()
    left, top = max(0, int(x0) - 1), max(0, int(y0) - 1)
    return mask[top : int(y1) + 2, left : int(x1) + 2], (left, top)


def _framed(mask: Tensor, height: int, width: int) -> Tensor:
    rows, columns = mask.shape
    return functional.pad(mask, (1, width - columns - 1, 1, height - rows - 1))
