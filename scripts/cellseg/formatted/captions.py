"""What is said beneath a table: what was scored and how, what is marked, what is published."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellseg import published
from cellseg.comparisons import IMAGES, NO_TEST, SIGNIFICANT
from cellseg.figures import conditions
from cellseg.main_scores import STEP, Score, definitions, listed, remarks

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Experiment:
    """What the configuration says of an experiment and the tables do not.

    ``kind`` and ``policy`` are the data set's, ``every`` and ``small_objects_threshold`` (pixels)
    those of the scoring.
    """

    name: str
    title: str
    kind: str
    policy: str
    every: int
    small_objects_threshold: int


def title(experiment: Experiment, treatment: str) -> str:
    """Heading of a table, such as ``Which backbone? Small objects kept``."""
    mark = "" if experiment.title.endswith(("?", ".", "!")) else "."
    return f"{experiment.title}{mark} Small objects {treatment}"


def notes(
    *,
    images: "pd.DataFrame",
    runs: "pd.DataFrame",
    training: "pd.DataFrame",
    compared: "pd.DataFrame",
    scores: Sequence[Score],
    marked: bool,
    beneath: int,
    experiment: Experiment,
    treatment: str,
) -> list[str]:
    """Paragraphs of the caption.

    Parameters
    ----------
    images, runs, compared : of the table's treatment of small objects
    training : the table ``training`` of the experiment
    scores : columns of the table
    marked : whether a value of the table is
    beneath : number of published rows
    """
    return [
        _measured(images, runs, experiment, treatment),
        _definitions(scores, training),
        _tests(compared, scores, marked),
        _published(beneath, runs, experiment, treatment),
    ]


def _measured(
    images: "pd.DataFrame", runs: "pd.DataFrame", experiment: Experiment, treatment: str
) -> str:
    axes = [*conditions.AXES, *(["tuning"] if "tuning" in runs else [])]
    shared = [
        axis
        for axis in axes
        if axis not in (conditions.varying(runs) or ["model"])
        and not (axis == "tuning" and (runs[axis] == "-").all())
    ]
    once = images.drop_duplicates("image")
    seeds, several = conditions.seeds(runs)
    small = (
        "Small objects are kept."
        if treatment == "kept"
        else "True and predicted objects smaller than "
        f"{experiment.small_objects_threshold} pixels were removed before scoring."
    )
    part = f" (one of every {experiment.every} of a cell type)" if experiment.every > 1 else ""
    return (
        f"Experiment {experiment.name}. {conditions.constants(runs, shared)}"
        f"Scored on the {once['data_split'].iloc[0]} split of "
        f"{', '.join(sorted(once['dataset'].unique()))}: "
        f"{conditions.counted(len(once), 'image')}{part} with "
        f"{conditions.counted(int(once['n_true'].sum()), 'true cell')}. {small} Values are "
        + (
            f"means over {seeds} ± half of the 95 % t interval of that mean."
            if several
            else f"of {seeds}, and have no interval."
        )
    )


def _definitions(scores: Sequence[Score], training: "pd.DataFrame") -> str:
    device = _device(training)
    meanings = definitions(
        scores, lambda score: f"{score.name}{device}" if score is STEP else score.name
    )
    lower = [score.name for score in scores if not score.higher_is_better]
    said = remarks(scores, lambda score: score.name)
    return f"{meanings}. Lower is better: {listed(lower)}. {said}"


def _device(training: "pd.DataFrame") -> str:
    devices = sorted(training["device"].dropna().unique()) if "device" in training else []
    return f" on {', '.join(devices)}" if devices else ""


def _tests(compared: "pd.DataFrame", scores: Sequence[Score], marked: bool) -> str:
    """Which test decided what is marked, at which level, for how many comparisons."""
    if compared.empty:
        return "There is one condition, and nothing to compare it with."
    used = compared[compared["test"] != NO_TEST]
    if used.empty:
        return "No difference was tested, and nothing is marked."
    number = int(used["n_comparisons"].max())
    tests = "; ".join(
        f"{test} over {pairs} ({_range(rows['n_pairs'])} pairs: {listed(_names(rows, scores))})"
        for (test, pairs), rows in used.groupby(["test", "pairs"], sort=False)
    )
    said = [
        "Bold: the best of a column"
        if marked
        else "Nothing is marked: no best of a column differs from the second best by more than "
        "chance. A best would be bold",
        f", where its difference from the second best has p < {SIGNIFICANT} after Holm's "
        f"correction for the {conditions.counted(number, 'comparison')} of the column (columns are "
        f"not corrected for each other). Tests: {tests}. Each pair is in comparisons.csv.",
    ]
    if marked:
        said.append(
            " What is paired shares its noise, so that a difference may be significant where the "
            "intervals of two conditions overlap."
        )
    if (used["pairs"] == IMAGES).any():
        said.append(
            " Over images, each averaged over the seeds of a condition, the test is of these "
            "trained networks alone: it knows nothing of the noise between trainings, and takes "
            "images of one well for independent."
        )
    untested = _names(compared[compared["test"] == NO_TEST], scores)
    if untested:
        said.append(
            f" Not tested: {listed(untested)}, which single images do not have and which need "
            "more seeds."
        )
    return "".join(said)


def _published(beneath: int, runs: "pd.DataFrame", experiment: Experiment, treatment: str) -> str:
    if beneath:
        policy = (
            " The published test list names some images twice; here each counts once."
            if experiment.policy == "deduplicated"
            else ""
        )
        return (
            "Beneath the rule: published figures of the same score on the same split of the same "
            f"data set, in fractions. What ranks the cells in ap differs between systems.{policy}"
        )
    why = published.obstacle(
        kind=experiment.kind, every=experiment.every, small_objects=treatment
    ) or (f"none is known of these scores on the {runs['data_split'].iloc[0]} split")
    return f"No published figure is comparable: {why}."


def _names(rows: "pd.DataFrame", scores: Sequence[Score]) -> list[str]:
    found = set(rows["score"])
    return [score.name for score in scores if score.name in found]


def _range(numbers: "pd.Series") -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return f"{high:,}" if low == high else f"{low:,} to {high:,}"
