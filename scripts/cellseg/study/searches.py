"""Hyperparameter searches of a study: their trials, as ordinary models and ordinary runs."""

import re
from collections.abc import Callable, Iterable, Mapping

from cellseg.errors import UserError
from cellseg.study import search_space
from cellseg.study.runs import Run, as_list, merged
from cellseg.training import length

COLUMNS = (
    *("search", "rung", "epochs", "trial"),
    *("measure", "score", "diverged", "place", "promoted", "best", "model", "runs"),
)
"""Columns of a search's table besides those of its parameters, which follow the trial."""
ANOTHER_LOSS = ("training.softmax_loss_scale", "training.tiling")
"""Settings that change what a loss is made of or measured on: it does not compare their values.
Those of target maps (``heads``) do as well."""
LENGTH = tuple(f"training.{name}" for name in length.NAMES)
"""Settings that the rungs of a search decide."""


def trial_model(search: str, trial: int, epochs: int) -> str:
    """Name of the model that a trial trains in one rung, such as ``rates-007-epochs-6``."""
    return f"{search}-{trial:03d}-epochs-{epochs}"


def trial_models(study: Mapping, search: str) -> str:
    """Regular expression of the models of a search: read faster than all names would be."""
    trials = "|".join(f"{trial:03d}" for trial in values_of(study, search))
    epochs = "|".join(map(str, study["hyperparameter_searches"][search]["rungs"]))
    return f"{re.escape(search)}-(?:{trials})-epochs-(?:{epochs})"


def values_of(study: Mapping, search: str) -> dict[int, dict[str, object]]:
    """Values of each parameter by trial, numbered from 1.

    Raises
    ------
    UserError
        The space does not hold so many trials.
    """
    entry = study["hyperparameter_searches"][search]
    try:
        drawn = search_space.draw(entry["space"], entry["trials"], entry["sampling_seed"])
    except UserError as error:
        raise UserError(f"hyperparameter_searches.{search}: {error}") from None
    return dict(enumerate(drawn, start=1))


def runs_of(study: Mapping, search: str, trial: int, epochs: int) -> list[Run]:
    """Runs of a trial in one rung: one a seed."""
    entry = study["hyperparameter_searches"][search]
    dataset = entry.get("dataset", study["dataset"])
    model = trial_model(search, trial, epochs)
    return [
        Run(dataset, model, entry["heads"], entry["subset"], seed)
        for seed in as_list(entry["seed"])
    ]


def check(study: Mapping, search: str) -> None:
    """Refuse rungs and spaces that make no search.

    Raises
    ------
    UserError
        Names the place in the configuration.
    """
    entry, where = study["hyperparameter_searches"][search], f"hyperparameter_searches.{search}"
    if entry["rungs"] != sorted(set(entry["rungs"])):
        raise UserError(f"{where}.rungs: each rung has more epochs than the one before.")
    for name, choice in entry["space"].items():
        place = f"{where}.space.{name}"
        if name in COLUMNS:
            raise UserError(f"{place}: that is a column of the search's table. Use another name.")
        if isinstance(choice, Mapping) and "sets" not in choice:
            [(low, high)] = choice.values()
            if low >= high:
                raise UserError(f"{place}: the range ends at {high}, which is not above {low}.")
        for key in _keys(name, choice):
            if key in LENGTH:
                raise UserError(
                    f"{place}: the epochs of a trial are those of its rung (`rungs`). For epochs "
                    "of equal length set `training.steps_per_epoch`."
                )
            of_targets = key.partition(".")[0] == "heads"
            if (key in ANOTHER_LOSS or of_targets) and entry["threshold_search"] is None:
                raise UserError(
                    f"{place}: validation losses do not compare values of {key}, on which the "
                    f"loss itself depends. Name a threshold search under {where}.threshold_search: "
                    "its score does."
                )


def with_trials(
    study: Mapping, models: Mapping, complete: Callable[[Mapping, str], Mapping]
) -> dict:
    """The study with a model for each trial and rung of its searches.

    Parameters
    ----------
    study : complete but for these
    models : entries of the configuration, without defaults
    complete : checks a model's entry and fills in its defaults; given the place for its errors

    Raises
    ------
    UserError
        Of `complete`, or a model has the name of a trial.
    """
    added = {}
    for search, entry in study["hyperparameter_searches"].items():
        for trial, values in values_of(study, search).items():
            changed = merged(models[entry["model"]], search_space.changes(entry["space"], values))
            model = complete(changed, f"hyperparameter_searches.{search}.space (trial {trial})")
            for epochs in entry["rungs"]:
                name = trial_model(search, trial, epochs)
                if name in study["models"]:
                    raise UserError(
                        f"models.{name}: a trial of the search {search} has this name. Rename one."
                    )
                own = {name: value for name, value in model["training"].items() if name != "steps"}
                training = {**own, "epochs": epochs}
                added[name] = {**model, "training": training}
    return {**study, "models": {**study["models"], **added}}


def _keys(name: str, choice: object) -> Iterable[str]:
    """Dotted keys of a model's entry that a parameter sets."""
    if isinstance(choice, Mapping) and "sets" in choice:
        return [key for settings in choice["sets"].values() for key in _dotted(settings)]
    inner = [value for value in choice if isinstance(value, Mapping)]
    return [name, *(f"{name}.{key}" for settings in inner for key in _dotted(settings))]


def _dotted(settings: Mapping) -> Iterable[str]:
    for key, value in settings.items():
        yield key
        if isinstance(value, Mapping):
            yield from (f"{key}.{inner}" for inner in _dotted(value))
