"""Layouts of public data sets: a module each, with a function ``read(folder)``.

It gives the annotated images of the folder, :class:`~cellseg.data.layouts.listed.Found`, which
:mod:`cellseg.data.convert` deals to splits and writes as COCO files. Kinds of data sets name their
module, see :mod:`cellseg.data.kinds.converted`.
"""

import importlib
from pathlib import Path

from cellseg.data.layouts.listed import Found


def read(module: str, folder: Path) -> Found:
    """The annotated images of a folder, by the module of its layout."""
    return importlib.import_module(module).read(folder)
