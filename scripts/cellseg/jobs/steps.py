"""The jobs of a run up to its scores, and the files that tell of each."""

from collections.abc import Iterable
from dataclasses import dataclass

from cellseg.jobs.active import slurm_comment
from cellseg.study.runs import Run, tuning_in


@dataclass(frozen=True)
class Step:
    """One job of a run: its rule, tuning folder ("" for none) and files, relative to the run."""

    rule: str
    variant: str
    outputs: tuple[str, ...]
    log: str
    benchmark: str
    comment: str

    @property
    def temporary(self) -> bool:
        """Whether its outputs may be removed once they are used."""
        return self.rule.startswith("predict")


def steps_of(run: Run, variants: Iterable[str]) -> list[Step]:
    """Jobs of a run, in their order, for the given tuning folders; the training comes first."""
    wildcards = [run.dataset, run.model, run.heads, run.subset, str(run.seed)]

    def step(rule: str, variant: str, outputs: list[str], name: str, *more: str) -> Step:
        return Step(
            rule=rule,
            variant=variant,
            outputs=tuple(variant + output for output in outputs),
            log=f"{variant}logs/{name}.log",
            benchmark=f"{variant}benchmarks/{name}.tsv",
            comment=slurm_comment(rule, [*wildcards, *more]),
        )

    trained = ["weights.h5", "history.csv", "settings.json", "provenance.json"]
    steps = [
        step("train", "", trained, "train"),
        step("predict", "", ["predictions.zip"], "predict"),
    ]
    for variant in variants:
        tuning = tuning_in(variant)
        if tuning is not None:
            maps = ["validation-predictions.zip"]
            steps.append(step("predict_validation", variant, maps, "predict", tuning))
            steps.append(step("tune", variant, ["chosen.json", "tried.csv"], "tune", tuning))
        segmented = ["labels.npz", "cells.parquet", "segmentation.json"]
        steps.append(step("segment", variant, segmented, "segment", variant))
        steps.append(step("score", variant, ["metrics.csv"], "score", variant))
    return steps
