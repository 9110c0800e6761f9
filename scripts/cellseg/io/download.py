"""Fetching files over HTTP: resumed when broken off, checked, and never half there."""

import hashlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cellseg.errors import UserError
from cellseg.io import disk_full

CHUNK = 1 << 16  # bytes; what a broken connection can lose
TIMEOUT = (15, 60)  # seconds to connect, and without a byte
LONGEST_WAIT = 60  # seconds between two attempts


class NotFetched(UserError):
    """A file could not be fetched: no internet, or the server does not have it."""


def fetch_file(
    url: str,
    path: str | os.PathLike,
    sha256: str | None = None,
    retries: int = 4,
    check: Callable[[Path], None] | None = None,
    first_wait: float = 2.0,
) -> dict:
    """Fetch one file, or accept the existing one.

    An interrupted transfer resumes where it stopped (HTTP ``Range``), also in a later call,
    from ``<path>.part``. When the file on the server has changed meanwhile, or the server cannot
    continue, it starts over.

    Parameters
    ----------
    url : address of the file
    path : where it goes
    sha256 : expected hash; without one, any content is accepted
    retries : attempts after a failed one. An attempt that came further than all before does not
        count.
    check : called with the path of the file when no hash is known; raises UserError when
        the content is broken
    first_wait : seconds before the second attempt; doubled each time

    Returns
    -------
    dict
        ``{"url": str, "size": int (bytes), "sha256": str}``

    Raises
    ------
    NotFetched
        The file cannot be had. The message says how to put it there by hand.
    UserError
        The hash differs or `check` refuses the content; the file is kept as ``<path>.bad``.
    """
    path = Path(path)
    if path.is_file():
        print(f"{path} is there, checking it", flush=True)
        digest = _verified(path, path, sha256, check)
    else:
        part = path.with_name(f"{path.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        _persist(url, part, path, retries, first_wait)
        _validator_file(part).unlink(missing_ok=True)
        digest = _verified(part, path, sha256, check)
        os.replace(part, path)
    return {"url": url, "size": path.stat().st_size, "sha256": digest}


def sha256_of(path: str | os.PathLike) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def put_aside(path: Path, name: Path) -> Path:
    """Rename a bad file to ``<name>.bad`` so that it can be looked at but is used no more."""
    bad = name.with_name(f"{name.name}.bad")
    os.replace(path, bad)
    return bad


def _verified(
    content: Path, path: Path, sha256: str | None, check: Callable[[Path], None] | None
) -> str:
    """Check what is, or will be, at `path`, put it aside if it is bad; return its SHA-256."""
    got = sha256_of(content)
    if sha256 is not None and got != sha256.lower():
        bad = put_aside(content, path)
        raise UserError(
            f"{path} is not the expected file:\n  expected SHA-256 {sha256}\n"
            f"  got      SHA-256 {got}\nIt is kept as {bad.name}. Rerun to fetch it again. If "
            "the published file has changed, correct its hash in the config, or delete its "
            "entry from the manifest."
        )
    if sha256 is None and check is not None:
        try:
            check(content)
        except UserError as error:
            bad = put_aside(content, path)
            reason = str(error).replace(str(content), str(path))
            raise UserError(
                f"{reason} It is kept as {bad.name}; rerun to fetch it again."
            ) from error
    return got


def _persist(url: str, part: Path, path: Path, retries: int, first_wait: float) -> None:
    """Transfer until complete; give up after `retries` attempts in a row that came no further."""
    import requests

    failures = 0
    furthest = part.stat().st_size if part.exists() else 0
    while True:
        try:
            _transfer(url, part)
            return
        except requests.RequestException as error:
            # Not more than before this attempt: a server may send the first bytes for ever.
            reached = part.stat().st_size if part.exists() else 0
            failures = 1 if reached > furthest else failures + 1
            furthest = max(furthest, reached)
            response = getattr(error, "response", None)
            lasting = isinstance(error, ValueError) or (
                response is not None
                and response.status_code in range(400, 500)
                and response.status_code not in (408, 416, 429)
            )
            if lasting or failures > retries:
                raise NotFetched(
                    f"{url} cannot be fetched ({_reason(error)}). Without internet here, fetch it "
                    f"elsewhere and put it at {path}; then rerun."
                ) from error
            wait = min(first_wait * 2 ** (failures - 1), LONGEST_WAIT)
            print(f"{path.name}: {_reason(error)}; again in {wait:.0f} s", flush=True)
            time.sleep(wait)
        except OSError as error:
            why = disk_full.reason(error)
            if why is None:
                raise UserError(f"{part} cannot be written ({error}).") from error
            raise UserError(
                f"{disk_full.message(part, why)} What came so far stays, and is not fetched again."
            ) from error


def _transfer(url: str, part: Path) -> None:
    """Fetch what `part` lacks; raises a requests exception when it is not complete afterwards."""
    import requests

    validator = (
        _validator_file(part).read_text(encoding="utf-8") if _validator_file(part).exists() else ""
    )
    have = part.stat().st_size if part.exists() and validator else 0
    headers = {"Accept-Encoding": "identity"}  # sizes must be those of the file itself
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        content_range = response.headers.get("Content-Range", "")
        if response.status_code == 416 and content_range == f"bytes */{have}":
            return  # complete, only the renaming was missed
        if response.status_code == 416:
            part.unlink()  # the part is longer than the file: start over
        response.raise_for_status()
        if response.status_code != 206:
            have, length = 0, response.headers.get("Content-Length")
        elif content_range.startswith(f"bytes {have}-"):
            length = content_range.rpartition("/")[2]
        else:
            part.unlink()
            raise requests.ConnectionError("the server continued at a wrong place")
        total = int(length) if length and length.isdigit() else None
        _validator_file(part).write_text(_validator(response.headers), encoding="utf-8")
        progress = _Progress(part.name.removesuffix(".part"), have, total)
        with part.open("ab" if have else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                have += file.write(chunk)
                progress.show(have)
        progress.end()
    if total is not None and have != total:
        raise requests.ConnectionError(f"broken off after {have} of {total} bytes")


def _validator_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _validator(headers) -> str:
    """What identifies this version of the file (RFC 9110, 13.1.5: no weak tags)."""
    tag = headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server says {response.status_code} {response.reason}"
    if str(error).startswith(("broken off", "the server")):
        return str(error)
    names = {
        "ConnectTimeout": "no answer",
        "ReadTimeout": "no bytes for a while",
        "ChunkedEncodingError": "the connection broke off",
    }
    return names.get(type(error).__name__, "no connection")


class _Progress:
    """A bar on a terminal; elsewhere, such as in a log, a line every tenth."""

    def __init__(self, name: str, have: int, total: int | None) -> None:
        self.name, self.total = name, total
        self.step = total / 10 if total else 100e6
        self.on_terminal = sys.stderr.isatty()
        self.next = (have // self.step + 1) * self.step
        self.shown = 0.0  # seconds, when the bar was last drawn
        if have:
            print(f"{name}: resumes after {have / 1e6:.1f} MB", file=sys.stderr, flush=True)

    def show(self, have: int) -> None:
        now = time.monotonic()
        if self.on_terminal and now - self.shown > 0.2:
            self.shown = now
            print(f"\r{self._line(have)}", end="", file=sys.stderr, flush=True)
        elif not self.on_terminal and have >= self.next:
            self.next = (have // self.step + 1) * self.step
            print(self._line(have), file=sys.stderr, flush=True)

    def end(self) -> None:
        if self.on_terminal:
            print(file=sys.stderr, flush=True)

    def _line(self, have: int) -> str:
        if not self.total:
            return f"{self.name}: {have / 1e6:.1f} MB"
        bar = "#" * round(30 * have / self.total)
        share = f"{have / self.total:4.0%} of {self.total / 1e6:.1f} MB"
        return f"{self.name}: [{bar:30}] {share}" if self.on_terminal else f"{self.name}: {share}"
