"""What a full disk looks like, and the error that the user gets."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cellseg.errors import UserError

_REMEDIES = {
    os.strerror(errno.ENOSPC): "Free space on this disk",
    os.strerror(errno.EDQUOT): "Free space, or ask for a larger quota",
    os.strerror(errno.EFBIG): "Free space, or raise the limit of file sizes (`ulimit -f`)",
}
_REASON = re.compile("|".join(map(re.escape, _REMEDIES)))


def reason(error: BaseException) -> str | None:
    """Why nothing more can be written, if that is what an error says, or one it came from.

    Writers pass the news on in many ways. Some keep its number, some (TensorFlow) its text alone.
    Others (Matplotlib's PDF, zip archives) meet another error while they close the file, and the
    number is with the error before.

    Returns
    -------
    str such as ``No space left on device``, or None
    """
    for cause in _chain(error):
        number = getattr(cause, "errno", None)
        text = os.strerror(number) if isinstance(number, int) else ""
        found = _REASON.search(text) or _REASON.search(str(cause))
        if found:
            return found[0]
    return None


def message(path: str | os.PathLike, why: str) -> str:
    """The error for a file that does not fit, and what to do."""
    return f"{path} cannot be written: {why}{_free(Path(path))}. {_REMEDIES[why]}, and run again."


@contextmanager
def explained(path: str | os.PathLike) -> Iterator[None]:
    """Turn what a full disk raises while `path` is written into a UserError that names it.

    A UserError from within passes unchanged, also if closing the file failed after it.
    """
    try:
        yield
    except Exception as error:
        why = reason(error)
        if why is None:
            raise
        said = next((cause for cause in _chain(error) if isinstance(cause, UserError)), None)
        raise (said or UserError(message(path, why))) from None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it was raised from or while handling; the latest first."""
    seen: list[BaseException] = []
    while error is not None and not any(error is earlier for earlier in seen):
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def free(path: str | os.PathLike) -> tuple[int, Path]:
    """Bytes that are free where `path` is or will be, and the existing folder that was asked.

    Raises
    ------
    OSError
        No folder above it answers.
    """
    path = Path(path).absolute()
    for folder in path.parents if path.is_file() else (path, *path.parents):
        with suppress(OSError):
            return shutil.disk_usage(folder).free, folder
    raise FileNotFoundError(path)


def _free(path: Path) -> str:
    """How much is free where `path` was to be, for the message; nothing if that is not known."""
    with suppress(OSError):
        size, folder = free(path)
        return f" ({size / 1e9:.2f} GB are free at {folder})"
    return ""
