"""Modules of this library that an export brings along, so that it needs no installation of it."""

import ast
import shutil
from collections.abc import Iterable
from pathlib import Path

from cellseg.runtime.code_digest import Package
from cellseg.runtime.code_names import all_imports

LIBRARY = Path(__file__).resolve().parents[1]
LICENCE = LIBRARY.parents[1] / "LICENSE"
"""Of a checkout; a copy of its code alone may lack it."""


def copy(names: Iterable[str], folder: Path) -> None:
    """Copy modules, all that they import, and the licence, into a folder.

    Parameters
    ----------
    names : of modules, also of those that are imported by name while running
    folder : gets ``cellseg/``, and in it ``LICENSE``
    """
    for path in needed(names):
        target = folder / path.relative_to(LIBRARY.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    if LICENCE.is_file():
        shutil.copyfile(LICENCE, folder / LIBRARY.name / LICENCE.name)


def needed(names: Iterable[str]) -> list[Path]:
    """Files of modules and of all of the library that they import, sorted.

    Imports for type checkers alone do not count, those within functions do.
    """
    package = Package(LIBRARY)
    found: set[Path] = set()
    waiting = [path for name in names for path in package.files((*name.split("."),))]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            tree = _Running().visit(ast.parse(path.read_text(encoding="utf-8")))
            waiting.extend(file for name in all_imports(tree, ()) for file in package.files(name))
    return sorted(found)


class _Running(ast.NodeTransformer):
    """Removes what only type checkers read."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse
        return self.generic_visit(node)
