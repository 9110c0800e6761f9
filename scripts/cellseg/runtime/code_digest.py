"""Digests of Python code that depend on what it does, not on where it is.

A statement's digest covers the names of what it refers to and, round by round, the digests of
their definitions (colour refinement after Weisfeiler and Lehman): two functions of the same name
differ once they, or what they use, do.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cellseg.runtime import code_text
from cellseg.runtime.code_text import Code, Dotted, Reference

ROUNDS = 4
"""References in a row that a digest covers."""

Place = tuple[Path, int]
"""File and position of a statement of its top level."""


@dataclass(frozen=True)
class Package:
    """A package whose code counts; imports of others count by their names.

    Attributes
    ----------
    unwatched : files in it, of which only the names count
    """

    folder: Path
    unwatched: tuple[str, ...] = ()

    def watches(self, file: Path) -> bool:
        """Whether the code in a file counts."""
        return self.within(file) not in self.unwatched

    def within(self, file: Path) -> str | None:
        """Name of a file within the package; None outside."""
        return file.relative_to(self.folder).as_posix() if self.folder in file.parents else None

    def files(self, names: Dotted) -> list[Path]:
        """Files that importing a name runs: the module and the packages above it."""
        prefixes = (names[:length] for length in range(1, len(names) + 1))
        return [file for prefix in prefixes for file in _files(self, prefix)]

    def module(self, names: Dotted) -> tuple[Path | None, Dotted]:
        """The file that a dotted name leads into, and the rest of the name."""
        for length in range(len(names), 0, -1):
            for file in _files(self, names[:length]):
                return file, names[length:]
        return None, names


@cache
def _files(package: Package, names: Dotted) -> tuple[Path, ...]:
    if names[0] != package.folder.name:
        return ()
    base = package.folder.parent.joinpath(*names)
    candidates = (base.with_name(f"{base.name}.py"), base / "__init__.py")
    return tuple(path for path in candidates if path.is_file())


@cache
def code(file: Path, package: Package) -> Code:
    """Code of a file in the package or next to it."""
    above = package.folder.parent
    return code_text.read(file, file.relative_to(above).parts[:-1] if above in file.parents else ())


@cache
def digests(file: Path, package: Package) -> tuple[bytes, ...]:
    """Digest of each statement of a file; those whose order matters share one."""
    read = code(file, package)
    ordered = [_digest(package, (file, position), ROUNDS) for position in read.ordered]
    others = set(range(len(read.statements))) - set(read.ordered)
    return (
        *(_digest(package, (file, position), ROUNDS) for position in sorted(others)),
        *([_hash(b"in this order", *ordered)] if ordered else []),
    )


@cache
def _digest(package: Package, place: Place, rounds: int) -> bytes:
    file, position = place
    pieces = []
    for part in code(file, package).statements[position]:
        if isinstance(part, str):
            pieces.append(part.encode())
            continue
        label, places, as_set = _meaning(package, file if part.own else None, part)
        pieces.append(label)
        if rounds:
            found: Iterable[bytes] = (_digest(package, one, rounds - 1) for one in places)
            pieces.extend(sorted(found) if as_set else found)
    return _hash(*pieces)


def _hash(*pieces: bytes) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(len(piece).to_bytes(8, "big"))
        digest.update(piece)
    return digest.digest()


@cache
def _meaning(
    package: Package, file: Path | None, reference: Reference
) -> tuple[bytes, tuple[Place, ...], bool]:
    """What a reference leads to: a label, definitions, and whether their order is of no interest.

    Parameters
    ----------
    file : where the name is bound; None for an absolute name
    """
    followed: set[tuple[Path, str]] = set()

    def absolute(names: Dotted) -> tuple[str, tuple[Place, ...], bool]:
        found, rest = package.module(names)
        if found is None:
            return f"external {'.'.join(names)}", (), False
        if not package.watches(found):
            return f"unwatched {'.'.join(rest)}", (), False
        if not rest:
            count = len(code(found, package).statements)
            return "module", tuple((found, position) for position in range(count)), True
        return within(found, rest)

    def within(found: Path, names: Dotted) -> tuple[str, tuple[Place, ...], bool]:
        bound = code(found, package).bound.get(names[0], ())
        circular = (found, names[0]) in followed
        followed.add((found, names[0]))
        positions = tuple(one for one in bound if isinstance(one, int))
        targets = [one for one in bound if not isinstance(one, int)] if not circular else []
        if len(targets) == 1 and not positions:
            return absolute((*targets[0], *names[1:]))
        label, places = f"library {'.'.join(names)}", [(found, one) for one in positions]
        for target in targets:
            also, more, _ = absolute((*target, *names[1:]))
            label, places = f"{label} or {also}", [*places, *more]
        return label, tuple(places), False

    label, places, as_set = (
        absolute(reference.names) if file is None else within(file, reference.names)
    )
    return label.encode(), places, as_set
