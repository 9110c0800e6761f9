"""Fixtures shared by all tests."""

import gc
import os
import threading
from pathlib import Path

import pytest

from cellseg.runtime import compiled_kernels
from livecell_server import Server, mini_livecell

# Both families run in one process here; deepcell needs this before TensorFlow is first imported.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
# What XLA compiles here runs for seconds, and compiling it well takes longer.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)

SLOW = ("test_slurm", "test_chain", "test_reruns", "test_poster", "test_deepcell_own_tests",
        "test_families", "test_detector_chain", "test_settings", "test_rules",
        "test_parity_panopticnet", "test_terminal", "test_starter_runs")  # fmt: skip
"""Begun first, so that no process is left alone with one of them at the end."""

CHECKOUT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # once, before other processes compile
        compiled_kernels.forget_stale(CHECKOUT / "scripts/cellseg")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in SLOW)


@pytest.fixture(scope="module", autouse=True)
def few_objects_to_look_through():
    """What is there before a module is never looked through for garbage again.

    TensorFlow, torch and 7,000 tests are millions of objects, and Snakemake makes so many more for
    each plan that Python looks through all of them several times.
    """
    gc.collect()
    gc.freeze()


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
