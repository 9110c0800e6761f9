"""Weights that are fetched: the checksums that Keras and torch publish."""

import hashlib

import pytest

from cellseg.data import pretrained_weights
from cellseg.errors import UserError

WEIGHTS = b"weights"
MD5 = hashlib.md5(WEIGHTS).hexdigest()
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.mark.parametrize("name", ["net.h5", "net-v2.pth", f"net-{SHA256[:8]}.pth",
                                  f"net-{SHA256}.pt"])  # fmt: skip
@pytest.mark.parametrize("md5", [None, MD5])
def test_what_has_its_checksums_is_kept(server, tmp_path, name, md5):
    server.files[name] = WEIGHTS
    pretrained_weights.fetch(f"{server.url}/{name}", tmp_path / "net.h5", md5)
    assert (tmp_path / "net.h5").read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("name", "md5", "why"),
    [
        ("net.h5", "0" * 32, f"the MD5 of what came is {MD5}, expected 0000.*correct `md5`"),
        ("net-00000000.pth", None, f"the SHA-256 of what came is {SHA256}.*begin with 00000000"),
        ("net-00000000.pth", MD5, "correct `url` of this entry of `pretrained`"),
    ],
)
def test_what_is_another_file_is_refused(server, tmp_path, name, md5, why):
    server.files[name] = WEIGHTS
    with pytest.raises(UserError, match=why):
        pretrained_weights.fetch(f"{server.url}/{name}", tmp_path / "net.h5", md5)
    assert not (tmp_path / "net.h5").exists()
    assert (tmp_path / "net.h5.bad").read_bytes() == WEIGHTS
