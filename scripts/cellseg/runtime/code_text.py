"""Python code as text that says what it does, not how it is written down.

Comments, docstrings, formatting and import statements leave no trace; a name that an import binds
is replaced by what it refers to. The text is the same with every version of Python, unlike those
of `ast.dump` and `ast.unparse`.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cellseg.runtime import code_names
from cellseg.runtime.code_names import Dotted, Scope


@dataclass(frozen=True)
class Reference:
    """A name, with the attributes that follow it, to be replaced by what it refers to.

    Attributes
    ----------
    own : the first part is bound on the module's top level; else `names` are absolute
    """

    names: Dotted
    own: bool


Text = tuple["str | Reference", ...]


@dataclass(frozen=True)
class Code:
    """A module.

    Attributes
    ----------
    statements : those of the top level
    bound : what binds each name of the top level: a statement (its position) or an import
    ordered : positions of the statements whose order matters
    imported : dotted names of all imports, also of those within functions
    unused : those of them that no code refers to
    """

    statements: tuple[Text, ...]
    bound: dict[str, tuple[int | Dotted, ...]]
    ordered: tuple[int, ...]
    imported: frozenset[Dotted]
    unused: frozenset[Dotted]


@cache
def read(file: Path, package: Dotted) -> Code:
    """Read a module.

    Parameters
    ----------
    package : dotted name of the package that it is in, where its relative imports start
    """
    source = file.read_text(encoding="utf-8")
    tree = ast.parse(source, filename=str(file))
    bound: dict[str, list[int | Dotted]] = {}
    kept: list[ast.stmt] = []
    for node in tree.body:
        for name, binding in code_names.bound_by(node, package):
            bound.setdefault(name, []).append(len(kept) if binding is None else binding)
        for name in sorted(code_names.global_stores(node)) if "global " in source else ():
            bound.setdefault(name, []).append(len(kept))
        if not _silent(node):
            kept.append(node)
    top = Scope(
        ast.Module,
        {
            name: [None if isinstance(one, int) else one for one in found]
            for name, found in bound.items()
        },
    )
    statements = tuple(_Writer(package).statement(node, top) for node in kept)
    imported = frozenset(code_names.all_imports(tree, package))
    unique = {name: tuple(dict.fromkeys(found)) for name, found in bound.items()}
    return Code(
        statements, unique, tuple(_ordered(kept, statements, unique)), imported,
        frozenset(imported - _prefixes(statements) - {("typing", "TYPE_CHECKING")}),
    )  # fmt: skip


def _prefixes(statements: Iterable[Text]) -> set[Dotted]:
    references = {
        part.names for text in statements for part in text
        if isinstance(part, Reference) and not part.own
    }  # fmt: skip
    return {names[:length] for names in references for length in range(1, len(names) + 1)}


def _ordered(
    nodes: list[ast.stmt], statements: tuple[Text, ...], bound: dict[str, tuple]
) -> Iterator[int]:
    """Statements that do something, those that use the same variables, repeated definitions."""
    binds: list[set[str]] = [set() for _ in nodes]
    repeated = set()
    for name, found in bound.items():
        positions = [one for one in found if isinstance(one, int)]
        for position in positions:
            binds[position].add(name)
        repeated.update(positions if len(positions) > 1 else [])
    uses = [
        {part.names[0] for part in text if isinstance(part, Reference) and part.own} | names
        for text, names in zip(statements, binds, strict=True)
    ]
    does = {position for position, node in enumerate(nodes) if not _defines(node)}
    touched = set().union(*(uses[position] for position in does))
    for position, node in enumerate(nodes):
        assigns = isinstance(node, ast.Assign | ast.AnnAssign)
        if position in does | repeated or (assigns and uses[position] & touched):
            yield position


def _defines(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        flat = [
            one
            for target in node.targets
            for one in (target.elts if isinstance(target, ast.Tuple | ast.List) else [target])
        ]
        return all(isinstance(one, ast.Name) for one in flat)
    if isinstance(node, ast.AnnAssign):
        return isinstance(node.target, ast.Name)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _silent(node: ast.AST) -> bool:
    """Whether a statement does nothing, but for imports."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
            return all(_silent(inner) for inner in (*node.body, *node.orelse))
    return False


class _Writer:
    """Writes one statement."""

    def __init__(self, package: Dotted) -> None:
        self.package = package
        self.parts: list[str | Reference] = []

    def statement(self, node: ast.stmt, scope: Scope) -> Text:
        self._node(node, scope)
        joined: list[str | Reference] = []
        for part in self.parts:
            if joined and isinstance(part, str) and isinstance(joined[-1], str):
                joined[-1] += part
            else:
                joined.append(part)
        return tuple(joined)

    def _node(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.Constant):
            self.parts.append(f"{_constant(node.value)} ")
        elif isinstance(node, ast.Name | ast.Attribute) and (names := _chain(node)):
            self._name(names, isinstance(node.ctx, ast.Load) or len(names) > 1, scope)
        else:
            self.parts.append(f"{type(node).__name__}(")
            self._fields(node, scope)
            self.parts.append(")")

    def _fields(self, node: ast.AST, scope: Scope) -> None:
        inner = scope
        if isinstance(node, code_names.SCOPES):
            inner = code_names.within(node, scope, self.package)
        comprehension = isinstance(node, code_names.COMPREHENSIONS)
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(node, ast.JoinedStr) and name == "values":
                value = list(_merged(value))
            if isinstance(value, list):
                value = [one for one in value if not _silent(one)]
            if value is None or value == [] or name in ("ctx", "kind", "type_comment"):
                continue
            if isinstance(value, ast.JoinedStr) and not list(_merged(value.values)):
                continue  # an empty format specification
            self.parts.append(f"{name}=")
            if comprehension and name == "generators":
                self._generators(value, scope, inner)
                continue
            where = inner if comprehension or name == "body" else scope
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, ast.AST):
                    self._node(one, where)
                elif one is None:  # as in {**mapping}, other than {None: mapping}
                    self.parts.append("absent ")
                else:
                    self.parts.append(f"{_constant(one)} ")

    def _generators(self, generators: list, scope: Scope, inner: Scope) -> None:
        """Only the first iterable is evaluated outside."""
        for position, one in enumerate(generators):
            self.parts.append("for ")
            self._node(one.target, inner)
            self._node(one.iter, inner if position else scope)
            for test in one.ifs:
                self.parts.append("if ")
                self._node(test, inner)
            self.parts.append("async " if one.is_async else "")

    def _name(self, names: Dotted, reads: bool, scope: Scope) -> None:
        meaning = scope.find(names[0]) if reads else code_names.Meaning(plain=True)
        if meaning.plain:
            self.parts.append(f"name {'.'.join(names)} ")
        if meaning.own:
            self.parts.append(Reference(names, own=True))
        for target in meaning.imported:
            self.parts.append(Reference((*target, *names[1:]), own=False))


def _chain(node: ast.expr) -> Dotted:
    """Names of ``a.b.c``; empty where the first part is no name."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


def _merged(values: Iterable[ast.expr]) -> Iterator[ast.expr]:
    """Parts of an f-string; how its text is split into constants depends on the version."""
    text = ""
    for value in values:
        inner = list(_merged(value.values)) if isinstance(value, ast.JoinedStr) else [value]
        for one in inner:
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                text += one.value
                continue
            if text:
                yield ast.Constant(text)
            text = ""
            yield one
    if text:
        yield ast.Constant(text)


def _constant(value: object) -> str:
    """With its type: 1, 1.0 and True are equal, but not the same."""
    if isinstance(value, str):
        return ascii(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return hex(value)  # of any length
    return f"{type(value).__name__}:{value!r}"
