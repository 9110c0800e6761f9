"""How Keras is imported: without packages that are not used, which stay importable."""

import subprocess
import sys
from pathlib import Path

import pytest

from cellseg.models import keras_imports

SCRIPTS = Path(__file__).parents[2] / "scripts"


def test_training_imports_no_package_that_is_not_used():
    code = (
        "import sys; import cellseg.models.keras3.backend; "
        "print([name for name in ('sklearn', 'matplotlib', 'jax') if name in sys.modules]); "
        "import matplotlib.pyplot; print(matplotlib.pyplot.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["[]", "matplotlib.pyplot"]


def test_packages_are_hidden_only_during_the_import(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", "imported before")
    monkeypatch.delitem(sys.modules, "sklearn", raising=False)
    with keras_imports.importing_keras():
        assert sys.modules["jax"] == "imported before"
        with pytest.raises(ImportError):
            import sklearn  # noqa: F401
    assert sys.modules["jax"] == "imported before"
    assert "sklearn" not in sys.modules


def test_a_backend_is_not_hidden(monkeypatch):
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    with keras_imports.importing_keras("jax"):
        assert "jax" not in sys.modules


def test_a_failed_import_hides_nothing(monkeypatch):
    monkeypatch.delitem(sys.modules, "sklearn", raising=False)
    with pytest.raises(ImportError), keras_imports.importing_keras():
        raise ImportError
    assert "sklearn" not in sys.modules
