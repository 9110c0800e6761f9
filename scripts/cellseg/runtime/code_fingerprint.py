"""Fingerprint of the code that a script runs, so that the workflow can watch it.

Snakemake sees neither edits to the modules that a script imports nor whether an edit matters: it
goes by the script's date. The fingerprint covers what script and modules do. It leaves out
comments, docstrings, formatting, import statements, and the names and places of modules, so that
explaining or arranging code better does not train a network again. Templates of pages count by
their text.
"""

import hashlib
from functools import cache
from pathlib import Path

from cellseg.runtime import code_digest
from cellseg.runtime.code_digest import Package

UNWATCHED = (
    *("data/checks.py", "errors.py", "io/disk_full.py", "io/run_files.py", "models/__init__.py"),
    *("runtime/command.py", "runtime/gpu_lease.py", "runtime/job_output.py"),
    *("runtime/script.py", "runtime/signals.py", "scoring/found_nothing.py"),
    "study/segmentation_methods.py",
)
"""No result depends on them: a family or method added to its registry reruns no other one."""
UNFOLLOWED = ("scoring/found_nothing.py",)
"""Nor on what these import: a training that looks whether cells are found watches no scores."""

TEMPLATES = (".html.jinja", ".tex.jinja")
"""Endings of templates, which have the name of the module that fills them in."""


@cache
def fingerprint(script: Path, library: Path, modules: tuple[str, ...] = ()) -> str:
    """Twelve hexadecimal digits that change when the code does.

    The same code gives the same digits, however it is spread over modules.

    Parameters
    ----------
    script : a Python file
    library : folder of the package; the modules of it that the script imports, also by way of
        others, count, and imports of other packages count by name only
    modules : names of further modules, for those that are imported by name while running
    """
    package = Package(library, UNWATCHED)
    found: list[bytes] = []
    unused: set[str] = set()
    for file in filter(package.watches, used_by(script, library, modules)):
        found.extend(code_digest.digests(file, package))
        found.extend(hashlib.sha256(path.read_bytes()).digest() for path in templates_of(file))
        others = (
            names for names in code_digest.code(file, package).unused if names[0] != library.name
        )
        unused.update(".".join(names) for names in others)
    digest = hashlib.sha256(b"".join(sorted(found)))
    digest.update("\n".join(sorted(unused)).encode())
    return digest.hexdigest()[:12]


def used_by(script: Path, library: Path, modules: tuple[str, ...] = ()) -> list[Path]:
    """The script and all modules of `library` that it imports, transitively, sorted."""
    package = Package(library, UNWATCHED)
    found: set[Path] = set()
    waiting = [script, *(path for name in modules for path in package.files((*name.split("."),)))]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting.extend(_imported(file, package))
    return sorted(found)


@cache
def templates_of(module: Path) -> tuple[Path, ...]:
    """Files that a module fills in (:mod:`cellseg.io.templates`): their whole text counts."""
    candidates = (module.with_suffix(one) for one in TEMPLATES)
    return tuple(path for path in candidates if path.is_file())


@cache
def _imported(file: Path, package: Package) -> tuple[Path, ...]:
    if package.within(file) in UNFOLLOWED:
        return ()
    imported = code_digest.code(file, package).imported
    return tuple({path for names in imported for path in package.files(names)})
