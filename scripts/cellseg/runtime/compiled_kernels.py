"""Forgets compiled kernels whose code has changed elsewhere.

numba compiles a kernel again if its own file changes. It keeps one whose helpers or constants are
in another module that changed, and so would compute as before an update. Not seen here: kernels
compiled for a read-only checkout, which numba keeps in the user's cache folder.
"""

import contextlib
import json
import re
from pathlib import Path

from cellseg.errors import UserError
from cellseg.runtime import fingerprint_store

NAME = "compiled_kernels.json"
"""Next to compiled modules: of which code the compiled kernels are."""
COMPILED = "*.nb[ic]"
USES_NUMBA = re.compile(r"^\s*(?:from|import) numba\b", re.M)


def forget_stale(library: Path) -> None:
    """Remove all compiled kernels if any of them, or what they import, changed since the last call.

    Parameters
    ----------
    library : folder of the package
    """
    modules = tuple(sorted(_name(path, library) for path in _kernels(library)))
    present = fingerprint_store.fingerprint(library / "__init__.py", library, modules)
    path = library / "__pycache__" / NAME
    if _known(path) == present:
        return
    # Another process removes them too, or the checkout is read-only.
    with contextlib.suppress(OSError, UserError):
        for file in library.rglob(COMPILED):
            file.unlink(missing_ok=True)
        from cellseg.io import atomic  # it loads NumPy, which other starts do without

        atomic.write_json(path, {"kernels": present}, synced=False)


def _kernels(library: Path) -> list[Path]:
    paths = library.rglob("*.py")
    return [path for path in paths if USES_NUMBA.search(path.read_text(encoding="utf-8"))]


def _name(path: Path, library: Path) -> str:
    parts = path.relative_to(library.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _known(path: Path) -> str | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))["kernels"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
