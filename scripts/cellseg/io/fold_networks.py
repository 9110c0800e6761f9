"""The networks of a run of all folds: their names within its weights and its export."""

from collections.abc import Mapping


def names(settings: Mapping) -> list[str]:
    """Names of the networks of a run of all folds, in their order; none of other runs.

    Parameters
    ----------
    settings : of the run, from :func:`cellseg.study.runs.run_settings`
    """
    folds = settings.get("subset", {}).get("folds")
    if folds is None or "fold" in folds:
        return []
    return [f"fold-{number}" for number in range(1, folds["count"] + 1)]
