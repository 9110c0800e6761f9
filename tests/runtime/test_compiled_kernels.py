"""Compiled kernels go when code that they were compiled with has changed."""

import os
import subprocess
import sys

import pytest

from cellseg.runtime import (
    code_digest,
    code_fingerprint,
    code_text,
    compiled_kernels,
    fingerprint_store,
)

KERNEL = """
from numba import njit
from package import sizes

@njit(cache=True)
def doubled():
    return 2 * sizes.SIZE
"""


@pytest.fixture
def library(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "sizes.py").write_text("SIZE = 1\n")
    (package / "other.py").write_text("VALUE = 1\n")
    (package / "kernel.py").write_text(KERNEL)
    return package


def forget_stale(library):
    """As in a new process."""
    for module in (code_fingerprint, code_digest, code_text, fingerprint_store):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
    compiled_kernels.forget_stale(library)


def computed(library):
    code = "from package import kernel; print(kernel.doubled())"
    environment = {**os.environ, "PYTHONPATH": str(library.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def compiled(library):
    return sorted(library.rglob("*.nb?"))


def test_a_changed_constant_of_another_module_is_computed_with(library):
    forget_stale(library)
    assert computed(library) == 2 and len(compiled(library)) == 2
    (library / "sizes.py").write_text("SIZE = 10\n")
    forget_stale(library)
    assert compiled(library) == []
    assert computed(library) == 20


def test_other_edits_keep_them(library):
    forget_stale(library)
    folder = library / "__pycache__"
    folder.mkdir(exist_ok=True)
    (folder / "kernel.doubled.nbi").touch()
    (library / "sizes.py").write_text("# explained\nSIZE = 1\n")
    (library / "other.py").write_text("VALUE = 2\n")
    forget_stale(library)
    assert len(compiled(library)) == 1
    (folder / compiled_kernels.NAME).write_text("[]")  # damaged: nothing is known of them
    forget_stale(library)
    assert compiled(library) == []
