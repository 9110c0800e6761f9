"""How synthetic images compare with the real ones: two tables and a picture."""

import os
from collections.abc import Mapping

import numpy as np
import pandas as pd

from cellseg.errors import UserError
from cellseg.figures import extension_pca, style
from cellseg.io import csv_file
from cellseg.report import figure_caption
from cellseg.synthesis import comparison, features

FEWEST = 3
"""Real images: two lie on one line, and have no second component."""


def write(
    real: tuple[str | os.PathLike, str | os.PathLike],
    synthetic: tuple[str | os.PathLike, str | os.PathLike],
    outputs: Mapping[str, str | os.PathLike],
    title: str,
    processes: int,
    figure_text: bool = True,
) -> None:
    """Write the tables and the picture.

    Parameters
    ----------
    real, synthetic : image table and label images of each
    outputs : paths of ``features`` and ``distances`` (CSV), ``png``, ``pdf`` and ``caption``
    title : of the picture
    processes : worker processes
    figure_text : whether the picture has its title and note

    Raises
    ------
    UserError
        Fewer than :data:`FEWEST` real images have cells, or no synthetic one has.
    """
    first, second = (features.table(*pair, processes) for pair in (real, synthetic))
    for (images, _), found, fewest in ((real, first, FEWEST), (synthetic, second, 1)):
        if len(found) < fewest:
            raise UserError(
                f"{images}: {len(found)} of its images have cells, and their principal components "
                f"need {fewest} at least. Extend a split with more images."
            )
    a, b = comparison.standardised(first, second)
    axes, shares = comparison.principal_components(a)
    table = pd.concat(
        [first.assign(kind="real"), second.assign(kind="synthetic")], ignore_index=True
    )
    table[["component_1", "component_2"]] = np.concatenate([a, b]) @ axes.T
    distances = comparison.distances(first, second)
    for name, content in (("features", table), ("distances", distances)):
        csv_file.write(outputs[name], content, digits=6)
    loadings = pd.DataFrame(axes.T, index=list(features.FEATURES), columns=[1, 2])
    with style.with_text(figure_text):
        figure = extension_pca.extension_pca(table, loadings, shares, distances, title)
    figure_caption.write(figure, outputs["caption"])
    style.save(figure, [outputs["png"], outputs["pdf"]])
    print(distances.to_string(index=False))
