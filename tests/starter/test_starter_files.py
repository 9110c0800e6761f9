"""Where the starter network is, and what is said of it."""

import pytest

from cellseg import starter
from cellseg.errors import UserError


def test_its_path_moves_with_the_checkout(monkeypatch, tmp_path):
    """An absolute path would make Snakemake train again what was moved."""
    monkeypatch.chdir(starter.FILE.parents[3])
    assert not starter.path().is_absolute() and starter.path().is_file()
    assert starter.resolved("starter") == starter.path()
    monkeypatch.chdir(tmp_path)
    assert starter.path() == starter.FILE and starter.FILE.is_absolute()
    assert str(starter.resolved("given/export.zip")) == "given/export.zip"


def test_it_says_that_no_real_image_made_it():
    said = starter.about()
    assert "simulated phase-contrast images alone, never on a real one" in said
    assert "MIT" in said and f"{starter.card()['pixel_size']:g} µm" in said


def test_a_copy_without_the_file_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(starter, "FILE", tmp_path / "starter.zip")
    with pytest.raises(UserError, match=r"no starter network .*make starter"):
        starter.path()
