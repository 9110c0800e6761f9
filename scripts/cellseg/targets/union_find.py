"""Joined parts, such as the pieces of cells, each known by the first of its members."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def root(parent: np.ndarray, member: int) -> int:
    """The first member of the part that a member belongs to; paths to it are halved on the way.

    Parameters
    ----------
    parent : ndarray of shape (N,), integer; of each member an earlier one of its part, or itself
    """
    while parent[member] != member:
        parent[member] = parent[parent[member]]
        member = parent[member]
    return member


@njit(cache=True, nogil=True)
def join(parent: np.ndarray, first: int, second: int) -> None:
    """Make one part of those of two members."""
    first, second = root(parent, first), root(parent, second)
    parent[max(first, second)] = min(first, second)
