"""From one image to its cells, by a trained run."""

import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellseg.inference import fused_run, members, record
from cellseg.io import made_files, run_files, run_format
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
        The run, or one that it is fused of, is an ensemble; it does not say how it was predicted,
        or has no thresholds of the cell type.
    """

    def __init__(
        self,
        run: Mapping[str, Path],
        load_family: Callable[[Mapping], "Family"],
        threads: int,
        cell_type: str | None = None,
    ) -> None:
        keys = provenance.SETTINGS if "weights" in run else fused_run.OF_RUN
        settings = run_format.read(run["settings"], *keys)
        self.segmentation = segmentation_record.read(run["segmentation"])
        self.prediction = record.of(self.segmentation, run["segmentation"])
        self.settings = by_cell_type.of_type(self.segmentation, cell_type, run["segmentation"])
        self.folder = run.get("weights", run["settings"]).parent
        try:
            fused_of = [one.folder for one in fused_run.members(settings, self.folder)]
            networks = {one: fused_run.read(one) for one in fused_of} or {self.folder: settings}
            for folder, of_one in networks.items():
                what = "segments images of unknown cell types"
                ensemble.refuse(of_one, folder / run_files.WEIGHTS, what)
            families = [load_family(one["model"]) for one in networks.values()]
            for family in families:
                family.set_threads(threads)
            opened = ExitStack()  # networks may read their weights when they are first used
            weakref.finalize(self, opened.close)

            def by(*of_run: object) -> Callable:
                return opened.enter_context(members.predictor(*of_run))

            self.find = of_image.finder(
                settings, self.settings, self.prediction, families[0], self.folder,
                by=fused_run.by_members(load_family, by) if fused_of else by,
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # Whatever is in a file that somebody handed on.
            raise made_files.damaged(run["settings"], error) from error
        versions = {name: version for one in families for name, version in one.versions().items()}
        self.about = provenance.record(settings, versions, families[0].device())

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
