"""What the library has in one place only: the splits, the plural, and the writer of CSV files."""

import ast
import re
from pathlib import Path

import pytest

import cellseg
from cellseg.data.splits import SPLITS, TRAINING_SPLITS
from cellseg.io.wording import number_of, plural

LIBRARY = Path(cellseg.__file__).parent
FILES = sorted([*LIBRARY.rglob("*.py"), *LIBRARY.parent.glob("*.py")])


def _constants(node: ast.AST) -> tuple:
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else []
    return tuple(getattr(part, "value", None) for part in parts)


def _is_splits(node: ast.AST) -> bool:
    return _constants(node) in (SPLITS, TRAINING_SPLITS)


def _is_plural(node: ast.AST) -> bool:
    if not isinstance(node, ast.IfExp):
        return False
    ends = {getattr(node.body, "value", None), getattr(node.orelse, "value", None)}
    return ends == {"", "s"} or any(f"{end}s" in ends for end in ends if isinstance(end, str))


def _writes_csv(node: ast.AST) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else ""
    of_csv = name in ("writer", "DictWriter") and getattr(node.value, "id", "") == "csv"
    return name == "to_csv" or of_csv


@pytest.mark.parametrize(
    ("is_one", "place"),
    [
        (_is_splits, "cellseg/data/splits.py"), (_is_plural, "cellseg/io/wording.py"),
        (_writes_csv, "cellseg/io/csv_file.py"),
    ],
)  # fmt: skip
def test_it_is_in_one_place(is_one, place):
    found = {
        path.relative_to(LIBRARY.parent).as_posix()
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if is_one(node)
    }
    assert found == {place}


def test_numbers_have_their_nouns():
    assert number_of(1, "cell") == "1 cell"
    assert [number_of(n, "cell") for n in (0, 2, 1032)] == ["0 cells", "2 cells", "1,032 cells"]
    assert plural(1, "run") == "run" and plural(2, "run") == "runs"


def test_no_function_of_the_rules_is_defined_twice():
    """The second of a name would replace the first in all rules, without a word."""
    rules = sorted((LIBRARY.parents[1] / "workflow/rules").glob("*.smk"))
    names = [name for path in rules for name in re.findall(r"^def (\w+)", path.read_text(), re.M)]
    assert len(rules) > 5 and [name for name in set(names) if names.count(name) > 1] == []
