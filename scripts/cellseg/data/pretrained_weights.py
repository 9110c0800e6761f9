"""Weights that others trained, as files."""

import hashlib
from pathlib import Path

from cellseg.errors import UserError
from cellseg.io import download


def fetch(url: str, path: str, md5: str | None) -> None:
    """Fetch a weight file and compare it with the checksum that Keras publishes.

    Parameters
    ----------
    url, path : from where to where
    md5 : hexadecimal; None accepts any content

    Raises
    ------
    UserError
        The file cannot be had, or is not the published one; it is then kept as ``<path>.bad``.
    """

    def check(file: Path) -> None:
        if md5 is None:
            return
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "md5").hexdigest()
        if found != md5:
            raise UserError(
                f"{url}: the MD5 of what came is {found}, expected {md5}. Fetch it again, or "
                "correct `md5` of this entry of `pretrained` in the config."
            )

    download.fetch_file(url, path, check=check)
