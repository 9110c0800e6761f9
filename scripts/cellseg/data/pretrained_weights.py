"""Weights that others trained, as files."""

import hashlib
import re
from pathlib import Path

from cellseg.errors import UserError
from cellseg.io import download

_SHA256_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.pth?$")
"""At the end of an address: the beginning of the file's SHA-256, as ``torch.hub`` has it."""


def fetch(url: str, path: str, md5: str | None) -> None:
    """Fetch a weight file and compare it with the checksums that Keras and torch publish.

    Parameters
    ----------
    url, path : from where to where
    md5 : hexadecimal; None accepts any content that has the SHA-256 in the address, if there is one

    Raises
    ------
    UserError
        The file cannot be had, or is not the published one; it is then kept as ``<path>.bad``.
    """

    def check(file: Path) -> None:
        if md5 is not None and (found := _digest(file, "md5")) != md5:
            raise UserError(
                f"{url}: the MD5 of what came is {found}, expected {md5}. Fetch it again, or "
                "correct `md5` of this entry of `pretrained` in the config."
            )
        named = _SHA256_IN_NAME.search(url)
        if named and not (found := _digest(file, "sha256")).startswith(named[1]):
            raise UserError(
                f"{url}: the SHA-256 of what came is {found}, which does not begin with {named[1]} "
                "as its name says. Fetch it again, or correct `url` of this entry of `pretrained` "
                "in the config."
            )

    download.fetch_file(url, path, check=check)


def _digest(file: Path, kind: str) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, kind).hexdigest()
