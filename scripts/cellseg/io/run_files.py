"""Names of the files of a run within its folder, for rules and library: the only list of them.

What belongs to a tuning is in the folder ``tuning-NAME`` of the run. Names decide no result: no
fingerprint of code covers this module (:mod:`cellseg.runtime.code_fingerprint`), and a file with
another name is made because the output of its rule is missing.
"""

from dataclasses import dataclass

WEIGHTS = "weights.h5"
HISTORY = "history.csv"
SETTINGS = "settings.json"
PROVENANCE = "provenance.json"

PROGRESS = "progress.json"
RESUME = "resume"
TENSORBOARD = "tensorboard"
"""These three are no outputs of a rule: Snakemake removes those of a job that failed."""

PREDICTIONS = "predictions.zip"
INSTANCES = "instances.zip"
VALIDATION_PREDICTIONS = "validation-predictions.zip"
CHOSEN = "chosen.json"
TRIED = "tried.csv"

LABELS = "labels.npz"
CELLS = "cells.parquet"
SEGMENTATION = "segmentation.json"

METRICS = "metrics.csv"
COCO = "coco.csv"
SIZES = "sizes.csv"

OVERLAY_PREDICTIONS = "overlay-predictions.zip"
OVERLAY_PNG = "overlay.png"
OVERLAY_PREVIEW = "overlay.jpg"
OVERLAY_PDF = "overlay.pdf"
OVERLAY_CAPTION = "overlay.rst"
CURVE_PNG = "learning_curve.png"
CURVE_PDF = "learning_curve.pdf"
CURVE_CAPTION = "learning_curve.rst"
EXPORTED = "export.zip"
SUBMISSION = "submission.csv"
SAFETENSORS = "weights.safetensors"
"""Within an export of a network of torch, in the place of weights.h5."""
ORIGIN = "origin.json"
"""Within an export: the run, the kind of its data set and the size of a pixel."""


@dataclass(frozen=True)
class Job:
    """What the job of a rule leaves in the folder of a run, or in that of a tuning within it.

    Attributes
    ----------
    rule : name of the rule
    name : of its log and its benchmark
    outputs : names of its outputs, in the order of the rule
    measured : whether it has a benchmark
    """

    rule: str
    name: str
    outputs: tuple[str, ...]
    measured: bool = True

    @property
    def log(self) -> str:
        return f"logs/{self.name}.log"

    @property
    def benchmark(self) -> str:
        return f"benchmarks/{self.name}.tsv"


TRAIN = Job("train", "train", (WEIGHTS, HISTORY, SETTINGS, PROVENANCE))
JOIN_FOLDS = Job("join_folds", "join_folds", (WEIGHTS, SETTINGS, PROVENANCE), measured=False)
PREDICT = Job("predict", "predict", (PREDICTIONS,))
PREDICT_INSTANCES = Job("predict_instances", "predict", (INSTANCES,))
PREDICT_VALIDATION = Job("predict_validation", "predict", (VALIDATION_PREDICTIONS,))
FUSE = Job("fuse", "fuse", (INSTANCES, SETTINGS, PROVENANCE))
FUSE_VALIDATION = Job("fuse_validation", "fuse", (VALIDATION_PREDICTIONS,))
TUNE = Job("tune", "tune", (CHOSEN, TRIED))
TAKE_LABELS = Job(
    "take_labels", "take_labels", (LABELS, CELLS, SEGMENTATION, PROVENANCE), measured=False
)
SEGMENT = Job("segment", "segment", (LABELS, CELLS, SEGMENTATION))
PAINT = Job("paint", "segment", SEGMENT.outputs)
SCORE = Job("score", "score", (METRICS, COCO, SIZES))
SCORE_FROM_OUTSIDE = Job("score_from_outside", "score", SCORE.outputs)
PREDICT_SHOWN = Job("predict_shown", "predict_shown", (OVERLAY_PREDICTIONS,), measured=False)
OVERLAY = Job(
    "overlay",
    "overlay",
    (OVERLAY_PNG, OVERLAY_PREVIEW, OVERLAY_PDF, OVERLAY_CAPTION),
    measured=False,
)
OVERLAY_FROM_OUTSIDE = Job("overlay_from_outside", "overlay", OVERLAY.outputs, measured=False)
OVERLAY_OF_FUSION = Job("overlay_of_fusion", "overlay", OVERLAY.outputs, measured=False)
LEARNING_CURVE = Job(
    "learning_curve", "learning_curve", (CURVE_PNG, CURVE_PDF, CURVE_CAPTION), measured=False
)
EXPORT = Job("export", "export", (EXPORTED,), measured=False)
EXPORT_OF_FUSION = Job("export_of_fusion", "export", EXPORT.outputs, measured=False)
SUBMIT = Job("submission", "submission", (SUBMISSION,), measured=False)
SUBMIT_FROM_OUTSIDE = Job("submission_from_outside", "submission", SUBMIT.outputs, measured=False)

OF_OUTSIDE = (TAKE_LABELS, SCORE_FROM_OUTSIDE, OVERLAY_FROM_OUTSIDE, SUBMIT_FROM_OUTSIDE)
"""Of the rules for runs whose cells another program found."""
JOBS = (
    *(TRAIN, JOIN_FOLDS, PREDICT, PREDICT_INSTANCES, PREDICT_VALIDATION, TUNE),
    *(SEGMENT, PAINT, SCORE, FUSE, FUSE_VALIDATION, OVERLAY_OF_FUSION),
    *(PREDICT_SHOWN, OVERLAY, LEARNING_CURVE, EXPORT, EXPORT_OF_FUSION, SUBMIT),
    *OF_OUTSIDE,
)
"""Of all rules whose outputs are files of a run."""
