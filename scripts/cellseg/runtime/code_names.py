"""Names in Python code: what each of them refers to, by Python's rules of scope."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

Dotted = tuple[str, ...]
"""Parts of a dotted name."""
Binding = Dotted | None
"""Dotted name that an import binds; None for a definition, an assignment or an argument."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
SCOPES = (*FUNCTIONS, ast.ClassDef, *COMPREHENSIONS)


@dataclass(frozen=True)
class Meaning:
    """What a name may refer to.

    Attributes
    ----------
    plain : a local variable, an argument, a builtin or something unknown
    own : a name of the module's top level
    imported : dotted names, several where branches import different ones
    """

    plain: bool = False
    own: bool = False
    imported: tuple[Dotted, ...] = ()


@dataclass
class Scope:
    """A module, class, function or comprehension, and the names that it binds.

    Attributes
    ----------
    outer : the scope around it; None for the module
    elsewhere : names that it declares global (True) or nonlocal (False)
    """

    kind: type
    bound: dict[str, list[Binding]]
    outer: "Scope | None" = None
    elsewhere: dict[str, bool] = field(default_factory=dict)

    def find(self, name: str) -> Meaning:
        """Look a name up as Python does, innermost scope first."""
        scope, in_class = self, Meaning()
        while scope.outer is not None:
            if scope.elsewhere.get(name):
                while scope.outer is not None:
                    scope = scope.outer
                break
            visible = scope is self or scope.kind is not ast.ClassDef
            if visible and name in scope.bound and name not in scope.elsewhere:
                bindings = scope.bound[name]
                targets = dict.fromkeys(target for target in bindings if target is not None)
                if scope.kind is not ast.ClassDef:
                    plain = None in bindings or in_class.plain
                    return Meaning(plain, False, (*in_class.imported, *targets))
                in_class = Meaning(True, False, tuple(targets))  # or the outer one, until then
            scope = scope.outer
        bindings = scope.bound.get(name)
        targets = tuple(dict.fromkeys(bindings or ()))
        if not bindings:
            return in_class if in_class.plain else Meaning(plain=True)
        if None in targets or len(targets) > 1:
            return Meaning(in_class.plain, True, in_class.imported)
        return Meaning(in_class.plain, False, (*in_class.imported, *targets))


def within(node: ast.AST, outer: Scope, package: Dotted) -> Scope:
    """The scope that a function, class or comprehension opens."""
    if isinstance(node, COMPREHENSIONS):
        nodes: list[ast.AST] = [generator.target for generator in node.generators]
    else:
        nodes = node.body if isinstance(node.body, list) else [node.body]
    scope = Scope(type(node), {}, outer)
    if isinstance(node, FUNCTIONS):
        scope.bound.update((arg.arg, [None]) for arg in _arguments(node.args))
    own = list(_own_nodes(nodes))
    for name, binding in _bindings(own, package):
        scope.bound.setdefault(name, []).append(binding)
    for inner in own:
        if isinstance(inner, ast.Global | ast.Nonlocal):
            scope.elsewhere.update((name, isinstance(inner, ast.Global)) for name in inner.names)
    return scope


def bound_by(statement: ast.stmt, package: Dotted) -> Iterator[tuple[str, Binding]]:
    """Names that a statement binds in its scope.

    Parameters
    ----------
    package : of the module, where relative imports start
    """
    return _bindings(_own_nodes([statement]), package)


def _bindings(own: Iterable[ast.AST], package: Dotted) -> Iterator[tuple[str, Binding]]:
    for node in own:
        match node:
            case ast.Import() | ast.ImportFrom():
                for alias, target in imports(node, package):
                    if isinstance(node, ast.Import) and not alias.asname:
                        yield target[0], target[:1]
                    else:
                        yield alias.asname or alias.name, target
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, None
            case ast.Name(ctx=ast.Store() | ast.Del()):
                yield node.id, None
            case ast.ExceptHandler() | ast.MatchAs() | ast.MatchStar() if node.name:
                yield node.name, None
            case ast.MatchMapping() if node.rest:
                yield node.rest, None


def imports(node: ast.Import | ast.ImportFrom, package: Dotted) -> Iterator[tuple]:
    """Each alias of an import and the dotted name that it imports."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            yield alias, tuple(alias.name.split("."))
        else:
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = tuple(node.module.split(".")) if node.module else ()
            yield alias, (*above, *module, alias.name)


def all_imports(tree: ast.Module, package: Dotted) -> Iterator[Dotted]:
    """Dotted names of all imports, also of those within functions."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (target for _, target in imports(node, package))
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, block, None)
            waiting.extend(inner if isinstance(inner, list) else ())


def global_stores(statement: ast.stmt) -> set[str]:
    """Names that functions in a statement declare global."""
    found = (node.names for node in ast.walk(statement) if isinstance(node, ast.Global))
    return {name for names in found for name in names}


def _own_nodes(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes in the same scope: not those in the bodies of functions, classes and such."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Constant):
            continue
        yield node
        if isinstance(node, ast.Name):
            continue
        if isinstance(node, COMPREHENSIONS):
            inside = (inner for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr))
            waiting.extend(inner.target for inner in inside)
        elif isinstance(node, ast.ClassDef):
            waiting.extend([*node.decorator_list, *node.bases, *node.keywords])
        elif isinstance(node, FUNCTIONS):
            waiting.extend(getattr(node, "decorator_list", ()))
            waiting.extend(node.args.defaults)
            waiting.extend(default for default in node.args.kw_defaults if default)
        else:
            for name in node._fields:
                value = getattr(node, name, None)
                if isinstance(value, list):
                    waiting.extend(one for one in value if isinstance(one, ast.AST))
                elif isinstance(value, ast.AST) and name not in ("ctx", "op"):
                    waiting.append(value)


def _arguments(args: ast.arguments) -> list[ast.arg]:
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    return [*named, *(arg for arg in (args.vararg, args.kwarg) if arg)]
