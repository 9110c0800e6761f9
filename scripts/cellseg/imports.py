"""Fingerprint of the code that a script runs, so that the workflow can watch it.

Snakemake sees neither edits to the modules that a script imports nor whether an edit matters: it
goes by the script's date. The fingerprint covers both script and modules, and leaves out comments,
docstrings and layout, so that explaining code better does not train a network again.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path


@cache
def fingerprint(script: Path, library: Path, modules: tuple[str, ...] = ()) -> str:
    """Twelve hexadecimal digits that change when the code does.

    Parameters
    ----------
    script : a Python file
    library : folder of the package; the modules of it that the script imports, also by way of
        others, count, and imports of other packages do not
    modules : names of further modules, for those that are imported by name while running
    """
    digest = hashlib.sha256()
    for path in used_by(script, library, modules):
        digest.update(path.relative_to(library.parent).as_posix().encode())
        digest.update(_code(path).encode())
    return digest.hexdigest()[:12]


def used_by(script: Path, library: Path, modules: tuple[str, ...] = ()) -> list[Path]:
    """The script and all modules of `library` that it imports, transitively, sorted."""
    found: set[Path] = set()
    waiting = [script, *(path for name in modules for path in _files_of(name, library))]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting.extend(_imported(file, library))
    return sorted(found)


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), filename=str(file))


@cache
def _code(file: Path) -> str:
    """Source without comments, docstrings and layout."""
    tree = _tree(file)
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


@cache
def _imported(file: Path, library: Path) -> tuple[Path, ...]:
    names = set()
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return tuple(path for name in sorted(names) for path in _files_of(name, library))


def _files_of(name: str, library: Path) -> list[Path]:
    """Files that importing `name` runs: the module and the packages above it."""
    parts = name.split(".")
    if parts[0] != library.name:
        return []
    bases = [library.parent.joinpath(*parts[:length]) for length in range(1, len(parts) + 1)]
    candidates = [
        path for base in bases for path in (base.with_suffix(".py"), base / "__init__.py")
    ]
    return [path for path in candidates if path.is_file()]
