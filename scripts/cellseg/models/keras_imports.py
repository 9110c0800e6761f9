"""How Keras and TensorFlow are imported: quietly, and without packages that nothing here uses."""

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

BANNERS = (b"absl::InitializeLog()", b"oneDNN custom operations are on")

UNUSED = ("sklearn", "matplotlib", "jax")
"""Packages that Keras or TensorFlow import if they can, for parts that nothing here uses."""


@contextmanager
def importing_keras(backend: str = "tensorflow") -> Iterator[None]:
    """Import Keras or TensorFlow within this: quietly, and in two thirds of the time."""
    with _without_banners(), _without([package for package in UNUSED if package != backend]):
        yield


@contextmanager
def _without(packages: Iterable[str]) -> Iterator[None]:
    """Let `packages` seem to be missing, unless they are imported already."""
    hidden = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]


@contextmanager
def _without_banners() -> Iterator[None]:
    """Keep TensorFlow's start-up banners, which obey no log level, from the user's terminal."""
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            caught.seek(0)
            for line in caught:
                if not any(banner in line for banner in BANNERS):
                    os.write(2, line)
