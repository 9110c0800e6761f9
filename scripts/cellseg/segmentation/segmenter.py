"""From one image to its cells, by a trained run."""

import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellseg.inference import members, record
from cellseg.io import made_files, run_format
from cellseg.segmentation import by_cell_type, of_image
from cellseg.segmentation import record as segmentation_record
from cellseg.training import ensemble, provenance

if TYPE_CHECKING:
    from cellseg.training.family import Family


class Segmenter:
    """From image to cells, exactly as the workflow finds the cells of its test images.

    Parameters
    ----------
    run : of :func:`cellseg.apply.request.files_of_run`
    load_family : from the model's settings to the module of its family
    cell_type : whose thresholds to use; None takes those of all

    Raises
    ------
    UserError
        The run is an ensemble, does not say how it was predicted, or has no thresholds
        of the cell type.
    """

    def __init__(
        self,
        run: Mapping[str, Path],
        load_family: Callable[[Mapping], "Family"],
        threads: int,
        cell_type: str | None = None,
    ) -> None:
        settings = run_format.read(run["settings"], *provenance.SETTINGS)
        ensemble.refuse(settings, run["weights"], "segments images of unknown cell types")
        self.segmentation = segmentation_record.read(run["segmentation"])
        self.prediction = record.of(self.segmentation, run["segmentation"])
        self.settings = by_cell_type.of_type(self.segmentation, cell_type, run["segmentation"])
        self.folder = run["weights"].parent
        try:
            family = load_family(settings["model"])
            family.set_threads(threads)
            opened = ExitStack()  # networks may read their weights when they are first used
            weakref.finalize(self, opened.close)
            self.find = of_image.finder(
                settings, self.settings, self.prediction, family, self.folder,
                by=lambda *of_run: opened.enter_context(members.predictor(*of_run)),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # Whatever is in a file that somebody handed on.
            raise made_files.damaged(run["settings"], error) from error
        self.about = provenance.record(settings, family.versions(), family.device())

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cells of an image, and how sure the network is of each.

        Parameters
        ----------
        image : ndarray of shape (H, W), uint8

        Returns
        -------
        labels : ndarray of shape (H, W), int32; cells 1..n
        scores : ndarray of shape (n,), float64
        """
        return self.find(image)
