"""Files of several splits as one: keys of images are unique over all splits of a data set."""

import os
from collections.abc import Sequence

import pandas as pd

from cellseg.data import annotation_tables
from cellseg.io import atomic, made_files


def write_images(paths: Sequence[str | os.PathLike], output: str | os.PathLike) -> None:
    """Write the images tables of some splits one below the other.

    Parameters
    ----------
    paths : of :mod:`cellseg.data.annotation_tables`
    output : to write, with the same columns
    """
    # As objects: a column that one split has no value of must not change the others' type.
    tables = [made_files.read_parquet(path).astype(object) for path in paths]
    annotation_tables.write_images(output, pd.concat(tables, ignore_index=True))


def write_stack(paths: Sequence[str | os.PathLike], output: str | os.PathLike) -> None:
    """Write the arrays of some npz files into one.

    Parameters
    ----------
    paths : of npz files that have no name of an array in common
    output : npz to write
    """
    stacks = [atomic.open_stack(path) for path in paths]
    atomic.write_stack(output, ((name, one[name]) for one in stacks for name in one.files))
