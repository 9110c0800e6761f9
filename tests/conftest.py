"""Fixtures shared by all tests."""

import os
import threading
from pathlib import Path

import pytest

from cellseg.runtime import compiled_kernels
from livecell_server import Server, mini_livecell

# Both families run in one process here; deepcell needs this before TensorFlow is first imported.
os.environ["TF_USE_LEGACY_KERAS"] = "1"

SLOW = ("test_slurm", "test_chain", "test_reruns", "test_poster", "test_deepcell_own_tests",
        "test_families")  # fmt: skip
"""Begun first, so that no process is left alone with one of them at the end."""

CHECKOUT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # once, before other processes compile
        compiled_kernels.forget_stale(CHECKOUT / "scripts/cellseg")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in SLOW)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder of the Snakefile."""
    return CHECKOUT


@pytest.fixture(scope="session")
def livecell_mini() -> Path:
    """Thirteen real LIVECell images in the official layout; skips where they are not at hand."""
    folder = CHECKOUT.parent / "shared" / "data" / "livecell-mini"
    if not folder.is_dir():
        pytest.skip("the real images (shared/data/livecell-mini) are not next to the checkout")
    return folder


@pytest.fixture
def server(monkeypatch):
    """The server, running; proxies of this machine are not asked."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def published(server):
    """The server, with a mini LIVECell on it."""
    server.files.update(mini_livecell())
    return server
