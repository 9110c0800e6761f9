"""Keeps start-up messages of libraries from the user's terminal."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

BANNERS = (b"absl::InitializeLog()", b"oneDNN custom operations are on")


@contextmanager
def without_banners() -> Iterator[None]:
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
