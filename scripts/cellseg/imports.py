"""Which modules of this library a script uses, so that the workflow can watch them.

Snakemake sees edits to a rule's script but not to what the script imports.
"""

import ast
from functools import cache
from pathlib import Path


@cache
def used_by(script: Path, library: Path) -> tuple[str, ...]:
    """A script and all modules of `library` that it imports, transitively, sorted.

    Parameters
    ----------
    script : a Python file
    library : folder of the package; imports of other packages are not followed

    Returns
    -------
    tuple of paths, relative like the arguments
    """
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting.extend(_imported(file, library))
    return tuple(sorted(str(file) for file in found))


@cache
def _imported(file: Path, library: Path) -> tuple[Path, ...]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:  # relative: written from the package's own folder
                parents = file.parent.relative_to(library.parent).parts
                base = parents[: len(parents) - node.level + 1]
                module = ".".join([*base, *([module] if module else [])])
            names.update({module, *(f"{module}.{alias.name}" for alias in node.names)})
    return tuple(path for name in sorted(names) for path in _files_of(name, library))


def _files_of(name: str, library: Path) -> list[Path]:
    parts = name.split(".")
    if parts[0] != library.name:
        return []
    files = []
    for length in range(1, len(parts) + 1):
        base = library.parent.joinpath(*parts[:length])
        files += [
            path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()
        ]
    return files
