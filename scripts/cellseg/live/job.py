"""A job of the workflow as it is shown: what is done, to what."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cellseg.runtime import job_output

DOING = {
    "apply": ("find cells", "found cells"),
    "collect": ("collect the tables of", "collected the tables of"),
    "contact_sheet": ("draw contact-sheet of", "drew contact-sheet of"),
    "convert": ("read the masks of", "read the masks of"),
    "data_report": ("describe", "described"),
    "download": ("download", "downloaded"),
    "export": ("export", "exported"),
    "extend": ("make synthetic images of", "made synthetic images of"),
    "extension_report": ("compare synthetic images of", "compared synthetic images of"),
    "fetch_weights": ("download weights", "downloaded weights"),
    "figure": ("draw", "drew"),
    "format_tables": ("format the tables of", "formatted the tables of"),
    "fuse": ("fuse detections of", "fused detections of"),
    "fuse_validation": ("fuse validation images of", "fused validation images of"),
    "join_folds": ("put together the folds of", "put together the folds of"),
    "learning_curve": ("draw losses of", "drew losses of"),
    "overlay": ("draw overlay of", "drew overlay of"),
    "overlay_from_outside": ("draw overlay of", "drew overlay of"),
    "export_of_fusion": ("export", "exported"),
    "overlay_of_fusion": ("draw overlay of", "drew overlay of"),
    "overview": ("write the front page of", "wrote the front page of"),
    "papers": ("draw published scores of", "drew published scores of"),
    "paint": ("paint cells of", "painted cells of"),
    "parse": ("read annotations of", "read annotations of"),
    "parse_extension": ("read synthetic images of", "read synthetic images of"),
    "pool": ("put together the splits of", "put together the splits of"),
    "pool_folds": ("pool the folds of", "pooled the folds of"),
    "predict": ("predict", "predicted"),
    "predict_instances": ("predict", "predicted"),
    "predict_shown": ("predict images to show of", "predicted images to show of"),
    "predict_validation": ("predict validation images of", "predicted validation images of"),
    "pseudo_label": ("find cells to learn for", "found cells to learn for"),
    "rasterize": ("draw labels of", "drew labels of"),
    "rasterize_extension": ("draw labels of", "drew labels of"),
    "score": ("score", "scored"),
    "score_from_outside": ("score", "scored"),
    "search_figure": ("draw search", "drew search"),
    "segment": ("segment", "segmented"),
    "simulate": ("simulate", "simulated"),
    "submission": ("write the submission of", "wrote the submission of"),
    "submission_from_outside": ("write the submission of", "wrote the submission of"),
    "take_labels": ("take cells of", "took cells of"),
    "tile": ("cut tiles of", "cut tiles of"),
    "tile_extension": ("cut tiles of", "cut tiles of"),
    "tile_pseudo_labels": ("cut tiles of", "cut tiles of"),
    "train": ("train", "trained"),
    "tune": ("tune thresholds of", "tuned thresholds of"),
    "use_local": ("list images of", "listed images of"),
}
"""What a rule does and did, in front of its wildcards. Other rules go by their name."""

SINGLE = ("dataset", "subset")
"""Wildcards that are left out where all jobs have the same value."""


@dataclass(frozen=True)
class Job:
    """A job of the workflow.

    Attributes
    ----------
    rule, wildcards : as in the workflow
    outputs, logs : paths; a job without outputs only names what is wanted
    benchmark : path of the file in which it is measured, or None
    """

    rule: str
    wildcards: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    benchmark: str | None = None

    @property
    def key(self) -> tuple:
        """Rule and wildcards, which name a job."""
        return self.rule, tuple(sorted(self.wildcards.items()))


class Names:
    """Names of jobs, short: what all jobs of a call have in common is left out.

    Parameters
    ----------
    jobs : all of a call
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        seen: dict[str, set[str]] = {}
        for job in jobs:
            for name, value in job.wildcards.items():
                seen.setdefault(name, set()).add(value)
        self._common = {name for name in SINGLE if len(seen.get(name, ())) == 1}

    def doing(self, job: Job) -> str:
        """Such as ``train featurenet/inner-distance+pixelwise/seed-0``."""
        return f"{DOING.get(job.rule, (job.rule,))[0]} {self._of(job)}".strip()

    def done(self, job: Job) -> str:
        """Such as ``trained featurenet/inner-distance+pixelwise/seed-0``."""
        return f"{DOING.get(job.rule, (job.rule,))[-1]} {self._of(job)}".strip()

    def _of(self, job: Job) -> str:
        said = {name: value for name, value in job.wildcards.items() if name not in self._common}
        return job_output.label("", said or job.wildcards)
