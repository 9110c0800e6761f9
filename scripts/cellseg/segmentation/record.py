"""How the cells of a run were found: ``segmentation.json``, next to its labels."""

from pathlib import Path

from cellseg.io import made_files, run_format
from cellseg.study import segmentation_methods


def read(path: str | Path) -> dict:
    """The record of a segmentation.

    Parameters
    ----------
    path : of the run's ``segmentation.json``

    Returns
    -------
    dict
        Under ``segmentation`` the settings, with the name of the method as ``method``.

    Raises
    ------
    UserError
        The file is of another version, cannot be read, lacks the settings, or names no method
        that exists.
    """
    content = run_format.read(path, "segmentation")
    try:
        segmentation_methods.named(content["segmentation"]["method"], str(path))
    except (KeyError, TypeError) as error:
        raise made_files.damaged(path, error) from error
    return content


def method(content: dict) -> segmentation_methods.Method:
    """The method of a record."""
    return segmentation_methods.METHODS[content["segmentation"]["method"]]
