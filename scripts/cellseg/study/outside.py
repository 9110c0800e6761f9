"""Models of family ``labels``: predictions that another program made."""

import string
from collections.abc import Mapping
from pathlib import Path

from cellseg.errors import UserError
from cellseg.study import runs as studies
from cellseg.study.fusion_names import is_fused
from cellseg.study.runs import Run
from cellseg.targets import head_names

FAMILY = "labels"
FIGURES_OF_NETWORKS = (
    *("learning-curves", "data-size", "transfer"),
    *("f1-by-annotated-cells", "errors-by-annotated-cells", "errors-by-annotated-cells-removed"),
)
"""Figures that show what networks were trained on: none without a trained run."""
PLACEHOLDERS = ("dataset", "subset", "seed")


def is_outside(model: Mapping) -> bool:
    """Whether the settings of a model name predictions instead of a network."""
    return model["family"] == FAMILY


def check_network(where: str, name: str, model: Mapping) -> None:
    """Refuse a model without a network: predictions from outside, or runs that are fused.

    Parameters
    ----------
    where : key that names the model, for the error

    Raises
    ------
    UserError
        Names the key and what to do.
    """
    if is_outside(model) or is_fused(model):
        raise UserError(
            f"{where}: '{name}' is of family {model['family']}, which has no network. Choose "
            "another model."
        )


def names(study: Mapping) -> list[str]:
    """Names of the models of this family, as the configuration lists them."""
    return [name for name, model in study["models"].items() if is_outside(model)]


def files_of(study: Mapping, run: Run) -> dict[str, str | None]:
    """The ``path`` and ``scores`` of a run: those of its model, with its values filled in."""
    model = study["models"][run.model]
    values = {name: getattr(run, name) for name in PLACEHOLDERS}
    return {
        key: None if model[key] is None else model[key].format(**values)
        for key in ("path", "scores")
    }


def content(study: Mapping, run: Run, memory: Path) -> str | None:
    """Digits that change with the predictions of a run, whatever their dates.

    Parameters
    ----------
    memory : file that keeps what was found, see :func:`cellseg.data.local_images.stamp`

    Returns
    -------
    str, or None
        Of predictions that are not there, that of the last time if there was one.
    """
    from cellseg.data import local_images  # with NumPy, which no plan without such runs needs
    from cellseg.images import reading

    files = files_of(study, run)
    path, scores = Path(files["path"]), files["scores"]
    found = reading.find(path, reading.LABEL_SUFFIXES) if path.is_dir() else [path]
    listed = [*found, *([Path(scores)] if scores else [])]
    return local_images.stamp([one for one in listed if one.is_file()], memory)


def refuse_missing(study: Mapping, runs: list[Run]) -> None:
    """Refuse predictions that are not there before anything is trained.

    Raises
    ------
    UserError
        Names the model and its path.
    """
    for run in runs:
        for key, path in files_of(study, run).items() if run.is_external else ():
            if path is not None and not Path(path).exists():
                raise UserError(
                    f"models.{run.model}.{key}: {path} does not exist. Put the predictions there, "
                    "or correct the path (relative to the checkout)."
                )


def check(study: Mapping) -> None:
    """Refuse conditions that do not fit models of this family.

    Raises
    ------
    UserError
        Heads of such a model are not ``external``, or those of another one are; several runs would
        be of the same predictions; a path has an unknown placeholder.
    """
    for name in names(study):
        _check_placeholders(f"models.{name}", study["models"][name])
    for experiment in study["experiments"]:
        where = f"experiments.{experiment}.conditions"
        figures = study["experiments"][experiment]["figures"]
        undrawable = [name for name in figures if name in FIGURES_OF_NETWORKS]
        if undrawable and not studies.trained_runs(study, experiment):
            raise UserError(
                f"experiments.{experiment}.figures: {undrawable[0]} shows what networks were "
                f"trained on, and no run of the experiment has one. Leave it out."
            )
        paths: dict[tuple, Run] = {}
        for run in studies.runs_of(study, experiment):
            outside = is_outside(study["models"][run.model])
            if outside != run.is_external:
                raise UserError(
                    f"{where}: model '{run.model}' with heads '{run.heads}'. Heads "
                    f"'{head_names.OUTSIDE}' and models of family {FAMILY} belong together: give "
                    "them a line of their own."
                )
            if outside:
                path = files_of(study, run)["path"]
                # Of other folds, other images of the same predictions are scored.
                fold = run.subset if studies.scores_its_fold(study["subsets"][run.subset]) else None
                first = paths.setdefault((run.model, path, fold), run)
                if first != run:
                    raise UserError(
                        f"{where}: {first.folder} and {run.folder} would be the same predictions, "
                        f"{path}. Ask for one subset and seed, or write {{subset}} or {{seed}} "
                        f"into models.{run.model}.path."
                    )
    for search, entry in study["hyperparameter_searches"].items():
        model = study["models"].get(entry["model"])
        if model is not None and is_outside(model):
            raise UserError(
                f"hyperparameter_searches.{search}.model: '{entry['model']}' is of family "
                f"{FAMILY}, which has nothing to train. Choose another model."
            )


def _check_placeholders(where: str, model: Mapping) -> None:
    for key in ("path", "scores"):
        try:
            fields = [field for _, field, _, _ in string.Formatter().parse(model[key] or "")]
        except ValueError as error:
            raise UserError(f"{where}.{key}: {error}. Write {{{{ for a brace.") from error
        for field in fields:
            if field is not None and field not in PLACEHOLDERS:
                raise UserError(
                    f"{where}.{key}: there is no placeholder {{{field}}}. Possible: "
                    f"{', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}."
                )
        try:
            (model[key] or "").format(dataset="", subset="", seed=0)
        except (ValueError, LookupError) as error:  # of a format after a colon
            raise UserError(
                f"{where}.{key}: {model[key]} cannot be filled in ({error}). Write placeholders "
                "such as {seed} or {seed:03d}."
            ) from error
