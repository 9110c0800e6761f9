"""Fingerprints of code that an earlier start computed: reading all modules takes seconds.

They are kept next to compiled code, in ``__pycache__`` of the library, under a digest of the whole
library. So a copy of a checkout may take them along, and no edit is missed, whatever its date.
"""

import contextlib
import hashlib
import json
import re
import sys
from functools import cache
from pathlib import Path

from cellseg.errors import UserError
from cellseg.runtime import code_fingerprint

NAME = "code_fingerprints.json"
DIGITS = re.compile("[0-9a-f]{12}")


def fingerprint(script: Path, library: Path, modules: tuple[str, ...] = ()) -> str:
    """As :func:`cellseg.runtime.code_fingerprint.fingerprint`; computed only if not stored.

    A store that is damaged or cannot be written is left aside.
    """
    key = hashlib.sha256("\n".join(modules).encode() + b"\0" + script.read_bytes()).hexdigest()
    known = _known(library)
    if key not in known:
        known[key] = code_fingerprint.fingerprint(script, library, modules)
        # A read-only checkout or a full disk: it is computed at each start.
        with contextlib.suppress(OSError, UserError):
            _write(library, known)
    return known[key]


@cache
def _known(library: Path) -> dict[str, str]:
    """Stored fingerprints of the library as it is; this process adds its own."""
    try:
        stored = json.loads(_path(library).read_text(encoding="utf-8"))
        found = stored["fingerprints"] if stored["library"] == _digest(library) else {}
        return {key: digits for key, digits in found.items() if DIGITS.fullmatch(digits)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write(library: Path, known: dict[str, str]) -> None:
    from cellseg.io import atomic  # it loads NumPy, which other starts do without

    content = {"library": _digest(library), "fingerprints": known}
    atomic.write_json(_path(library), content, synced=False)


def _path(library: Path) -> Path:
    return library / "__pycache__" / NAME


@cache
def _digest(library: Path) -> str:
    """Of all modules and templates: names, content, and the Python that reads them."""
    digest = hashlib.sha256(repr(sys.version_info[:2]).encode())
    for path in sorted(library.rglob("*")):
        if path.name.endswith((".py", *code_fingerprint.TEMPLATES)):
            text = path.read_bytes()
            digest.update(f"{path.relative_to(library).as_posix()}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()
