"""Whether polygons are proposed where a network of family stardist predicts.

Its maps have a value for each `grid`-th row and column, and repeat it up to the next. A polygon
that is proposed in between has distances that were measured from another pixel.
"""

from collections.abc import Iterator, Mapping

from cellseg.errors import UserError
from cellseg.study import searches, segmentation_methods
from cellseg.study.runs import as_list, merged
from cellseg.targets import head_names

METHOD = "star-nms"


def check(study: Mapping) -> None:
    """Refuse a ``grid`` of star-nms that is not a multiple of that of the network.

    Parameters
    ----------
    study : complete configuration, with the models of all trials

    Raises
    ------
    UserError
        Names the keys of both, and what to set.
    """
    for experiment in study["experiments"].values():
        for block in experiment["conditions"]:
            for heads in as_list(block["heads"]):
                for model in as_list(block["model"]):
                    where = _of_network(study, model)
                    _check(study, where, model, heads, experiment["threshold_search"])
    for name, search in study["hyperparameter_searches"].items():
        for trial in searches.values_of(study, name):
            model = searches.trial_model(name, trial, search["rungs"][0])
            where = _of_network(study, search["model"])
            if _grid(study, model) != _grid(study, search["model"]):
                where = f"hyperparameter_searches.{name}.space (trial {trial})"
            _check(study, where, model, search["heads"], search["threshold_search"])


def _check(study: Mapping, where: str, model: str, heads: str, tuning: str | None) -> None:
    """Refuse a run of these heads; `where` is the key that decides the network's grid."""
    if heads == head_names.OUTSIDE or study["models"][model]["family"] != "stardist":
        return
    if segmentation_methods.settings_for(study, heads)["method"] != METHOD:
        return
    grid = _grid(study, model)
    for key, tried in _tried(study, heads, tuning):
        if tried % grid:
            raise UserError(
                f"{key}: {tried} is not a multiple of {grid}, to which {where} sets the grid of "
                f"the network (family stardist): it predicts nothing in between. Set {key} to "
                f"{grid} or a multiple of it, or {where} to {tried}."
            )


def _tried(study: Mapping, heads: str, tuning: str | None) -> Iterator[tuple[str, int]]:
    """Each grid that polygons are proposed on, with its key."""
    own = heads in study["segmentation_by_heads"]
    key = f"segmentation_by_heads.{heads}" if own else "segmentation"
    yield f"{key}.grid", segmentation_methods.settings_for(study, heads)["grid"]
    for grid in study["threshold_searches"][tuning].get("grid", ()) if tuning else ():
        yield f"threshold_searches.{tuning}.grid", grid


def _of_network(study: Mapping, model: str) -> str:
    """Key that decides the grid of a model's network."""
    key = "heads.star-distances.grid"
    own = study["models"][model].get("heads", {}).get("star-distances", {})
    return f"models.{model}.{key}" if "grid" in own else key


def _grid(study: Mapping, model: str) -> int:
    """Grid of the head of this model."""
    heads = merged(study["heads"], study["models"][model].get("heads", {}))
    return heads["star-distances"]["grid"]
