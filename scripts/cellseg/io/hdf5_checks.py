"""What an HDF5 file of weights may not do: point outside itself, or claim more than it holds.

HDF5 lets a dataset lie in any other file of the machine, so that reading weights would read that
file; and a few bytes may claim terabytes of zeros.
"""

import os

import h5py

from cellseg.errors import UserError

MOST_COMPRESSED = 1100
"""Times that deflate makes its input smaller at the most, and a little more."""


def refuse(path: str | os.PathLike) -> None:
    """Stop at a file that is no HDF5 or whose data do not all lie in it.

    Raises
    ------
    UserError
        It cannot be read, or has a link to or data in another file, or data that are not there.
    """
    try:
        with h5py.File(path, "r") as file:
            _refuse_within(file, path)
    except (OSError, RuntimeError, KeyError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path} is not a Keras weight file ({error}). Copy or make it again."
        ) from error


def _refuse_within(group: h5py.Group, path: str | os.PathLike) -> None:
    for name in group:
        where = f"{path}, '{group.name.rstrip('/')}/{name}'"
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise UserError(f"{where} is a link. Weights must lie in the file: copy them into it.")
        found = group[name]
        if isinstance(found, h5py.Group):
            _refuse_within(found, path)
        elif isinstance(found, h5py.Dataset):
            _refuse_dataset(found, where)


def _refuse_dataset(dataset: h5py.Dataset, where: str) -> None:
    if dataset.external or dataset.is_virtual:
        raise UserError(
            f"{where} lies in another file. Weights must lie in the file: copy them into it."
        )
    if dataset.size and dataset.nbytes > MOST_COMPRESSED * dataset.id.get_storage_size():
        raise UserError(
            f"{where} claims {dataset.nbytes:,} bytes, more than the file holds. It is damaged: "
            "copy or make it again."
        )
