"""Weight files whose data are not all in them are refused."""

import h5py
import numpy as np
import pytest

from cellseg.errors import UserError
from cellseg.io import hdf5_checks


def _external(group, folder):
    secret = folder / "secret"
    secret.write_bytes(b"password")
    group.create_dataset("k", shape=(8,), dtype="u1", external=[(str(secret), 0, 8)])


def _external_link(group, folder):
    with h5py.File(folder / "other.h5", "w") as file:
        file["k"] = [1.0]
    group["k"] = h5py.ExternalLink(str(folder / "other.h5"), "k")


def _virtual(group, folder):
    with h5py.File(folder / "other.h5", "w") as file:
        file["k"] = np.arange(8)
    layout = h5py.VirtualLayout(shape=(8,), dtype=int)
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "k", shape=(8,))
    group.create_virtual_dataset("k", layout)


def _huge(group, folder):
    group.create_dataset("k", shape=(10**6, 10**6), dtype="f4", chunks=(1000, 1000))


def _soft_loop(group, folder):
    group["k"] = h5py.SoftLink("/a")


@pytest.mark.parametrize(
    ("fill", "reason"),
    [
        (_external, "lies in another file"),
        (_virtual, "lies in another file"),
        (_external_link, "is a link"),
        (_soft_loop, "is a link"),
        (_huge, "claims 4,000,000,000,000 bytes"),
    ],
)
def test_data_elsewhere(tmp_path, fill, reason):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        fill(file.create_group("a/b"), tmp_path)
    with pytest.raises(UserError, match=rf"w\.h5, '/a/b/k' {reason}"):
        hdf5_checks.refuse(tmp_path / "w.h5")


def test_data_of_its_own(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["a/b"] = np.arange(8)
        file["a/empty"] = np.zeros((0, 3))
        file["scalar"] = 1.0
        file.create_dataset("zeros", data=np.zeros((1000, 1000)), compression="gzip")
    hdf5_checks.refuse(tmp_path / "w.h5")


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(50)])
def test_no_hdf5(tmp_path, content):
    (tmp_path / "w.h5").write_bytes(content)
    with pytest.raises(UserError, match=r"w\.h5 is not a Keras weight file"):
        hdf5_checks.refuse(tmp_path / "w.h5")
