"""The packages of the library: which may import which, and what importing one costs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cellseg

LIBRARY = Path(cellseg.__file__).parent
ORDER = re.findall(r"^    (\w+)  ", cellseg.__doc__, flags=re.MULTILINE)
"""Names of the packages, and of modules next to them, from the top down."""
MODULES = sorted(path for path in LIBRARY.rglob("*.py") if path != LIBRARY / "__init__.py")


def _part(path: Path) -> str:
    """The package that a module belongs to, or the name of a module next to the packages."""
    return path.relative_to(LIBRARY).with_suffix("").parts[0]


def _imports(path: Path) -> list[tuple[str, int]]:
    """Dotted names of the library that a module imports, also within functions, with the line."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} imports relatively"
            found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
    return [(name, line) for name, line in found if name.split(".")[0] == "cellseg"]


def test_the_docstring_lists_every_package():
    assert sorted(ORDER) == sorted({_part(path) for path in MODULES})


@pytest.mark.parametrize("package", ORDER)
def test_no_package_imports_one_above_it(package):
    """So there is no circle between packages either."""
    below = ORDER[ORDER.index(package) :]
    wrong = [
        f"{path.relative_to(LIBRARY)}:{line} imports {name}"
        for path in MODULES
        if _part(path) == package
        for name, line in _imports(path)
        if name.split(".")[1] not in below
    ]
    assert not wrong


def test_few_modules_lie_next_to_the_packages():
    assert [path.name for path in MODULES if path.parent == LIBRARY] == ["errors.py"]


def test_importing_a_package_imports_nothing_heavy():
    packages = sorted(
        ".".join(("cellseg", *path.parent.relative_to(LIBRARY).parts))
        for path in LIBRARY.rglob("*/__init__.py")
    )
    code = (
        f"import sys; sys.path.insert(0, {str(LIBRARY.parent)!r})\n"
        f"import {', '.join(packages)}\n"
        "known = {'numpy', 'pandas', 'scipy', 'cv2', 'numba', 'keras', 'tensorflow', 'yaml'}\n"
        "print(sorted(known & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_the_rules_are_read_without_numpy(checkout):
    """A job on a cluster reads them all, and would wait for it."""
    rules = (checkout / "workflow/rules/common.smk").read_text()
    start, end = rules.index("from cellseg import"), rules.index("job_environment.prepare")
    code = (
        f"import sys; sys.path.insert(0, {str(LIBRARY.parent)!r})\n{rules[start:end]}\n"
        "print(sorted({'numpy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_tests_lie_in_folders_of_packages():
    """Or in `workflow` and `parity`, for what goes through several of them."""
    tests = Path(__file__).parent
    folders = {path.parent.name for path in tests.glob("*/test_*.py")}
    assert folders - {"workflow", "parity"} <= set(ORDER)
