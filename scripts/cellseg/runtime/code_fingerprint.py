"""Fingerprint of the code that a script runs, so that the workflow can watch it.

Snakemake sees neither edits to the modules that a script imports nor whether an edit matters: it
goes by the script's date. The fingerprint covers both script and modules, and leaves out comments,
docstrings and empty lines, so that explaining code better does not train a network again.
"""

import ast
import hashlib
import io
import tokenize
from functools import cache
from pathlib import Path

UNWATCHED = (
    *("data/checks.py", "errors.py", "io/disk_full.py", "models/__init__.py"),
    *("runtime/command.py", "runtime/gpu_lease.py", "runtime/job_output.py"),
    *("runtime/script.py", "runtime/signals.py", "scoring/found_nothing.py"),
    "study/segmentation_methods.py",
)
"""No result depends on them: a family or method added to its registry reruns no other one."""
UNFOLLOWED = ("scoring/found_nothing.py",)
"""Nor on what these import: a training that looks whether cells are found watches no scores."""


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
        if path.is_relative_to(library) and path.relative_to(library).as_posix() in UNWATCHED:
            continue
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
            within = file.is_relative_to(library) and file.relative_to(library).as_posix()
            waiting.extend([] if within in UNFOLLOWED else _imported(file, library))
    return sorted(found)


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


@cache
def _code(file: Path) -> str:
    """Lines of the source without comments, docstrings and empty lines.

    Taken from the text, not from the syntax tree, whose text differs between Python versions: a
    new interpreter would rerun everything.
    """
    lines = file.read_text(encoding="utf-8").splitlines()
    for node in ast.walk(_tree(file)):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            lines[first.lineno - 1 : first.end_lineno] = [""] * (
                first.end_lineno - first.lineno + 1
            )
    for token in tokenize.generate_tokens(io.StringIO(file.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "\n".join(line.rstrip() for line in lines if line.strip())


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
