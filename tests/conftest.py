"""Fixtures shared by all tests."""

from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder of the Snakefile."""
    return CHECKOUT


@pytest.fixture(scope="session")
def livecell_mini() -> Path:
    """Thirteen real LIVECell images in the official layout; skips where they are not at hand."""
    folder = CHECKOUT.parent / "shared" / "data" / "livecell-mini"
    if not folder.is_dir():
        pytest.skip("the real images (shared/data/livecell-mini) are not beside the checkout")
    return folder
