"""The jobs of a run up to its scores, and the files that show each."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cellseg.io import run_files
from cellseg.io.run_files import Job
from cellseg.jobs.active import slurm_comment
from cellseg.study.runs import Run, tuning_in
from cellseg.targets import head_names

SCORE = replace(run_files.SCORE, outputs=(run_files.METRICS,))
"""A run is scored by its main table: older ones lack the others, which Snakemake makes."""


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
        return self.rule.startswith("predict") or self.rule == run_files.FUSE_VALIDATION.rule


def steps_of(run: Run, variants: Iterable[str], fused: bool = False) -> list[Step]:
    """Jobs of a run, in their order, for the given tuning folders.

    The training comes first; a run whose cells another program found has none, nor has one that is
    `fused` of others, and one of all folds puts together what theirs trained.
    """
    wildcards = [run.dataset, run.model, run.heads, run.subset, str(run.seed)]

    def step(job: Job, variant: str, *more: str) -> Step:
        return Step(
            rule=job.rule,
            variant=variant,
            outputs=tuple(variant + output for output in job.outputs),
            log=variant + job.log,
            benchmark=variant + job.benchmark,
            comment=slurm_comment(job.rule, [*wildcards, *more]),
        )

    if run.is_external:
        scored = step(replace(run_files.SCORE_FROM_OUTSIDE, outputs=SCORE.outputs), "", "")
        return [step(run_files.TAKE_LABELS, ""), replace(scored, rule=SCORE.rule)]
    is_instances = run.heads == head_names.INSTANCES
    predict = run_files.PREDICT_INSTANCES if is_instances else run_files.PREDICT
    segment = run_files.PAINT if is_instances else run_files.SEGMENT
    first = run_files.JOIN_FOLDS if run.is_joined else run_files.TRAIN
    steps, validate = [step(first, ""), step(predict, "")], run_files.PREDICT_VALIDATION
    if fused:
        steps, validate = [step(run_files.FUSE, "")], run_files.FUSE_VALIDATION
    for variant in variants:
        tuning = tuning_in(variant)
        if tuning is not None:
            steps.append(step(validate, variant, tuning))
            steps.append(step(run_files.TUNE, variant, tuning))
        steps.append(step(segment, variant, variant))
        steps.append(step(SCORE, variant, variant))
    return steps
