"""Scores of a predicted label image against the true one.

Everything is computed from one sparse table of the pixels that pairs of cells share; no array of
all pairs is ever made.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cellseg.scoring.names import ACCURACIES, COLUMNS, SCORES, THRESHOLDS
from cellseg.scoring.overlaps import Overlaps, overlaps, treatments


def match(
    true: np.ndarray, pred: np.ndarray, thresholds: Sequence[float] = THRESHOLDS
) -> list[dict[str, float]]:
    """Match cells at each threshold of the IoU, as stardist's ``matching`` does.

    A pair matches when its IoU is at least the threshold; as many disjoint pairs as possible are
    taken. A true positive is a matched pair, a false positive a predicted cell and a false
    negative a true cell left over.

    Parameters
    ----------
    true, pred : ndarray of shape (H, W), integer
    thresholds : sequence of float, each in 0.5..1

    Returns
    -------
    list of dict, one a threshold
        threshold, tp, fp, fn, precision, recall, f1 and accuracy = tp / (tp + fp + fn), the
        Kaggle metric and Cellpose's and stardist's "AP". 0 where only one of the images has cells,
        NaN where neither has.

    Raises
    ------
    ValueError
        The shapes differ, or a threshold is below 0.5, where a match is not unique.
    """
    return _match(overlaps(true, pred), thresholds)


def _match(table: Overlaps, thresholds: Sequence[float]) -> list[dict[str, float]]:
    if min(thresholds, default=1) < 0.5:
        raise ValueError("matching needs thresholds of the IoU of at least 0.5")
    iou = table.iou
    # Above 0.5 no cell occurs in two pairs.
    matches = [
        int(np.count_nonzero(iou >= threshold)) if threshold > 0.5 else _n_at_one_half(table, iou)
        for threshold in thresholds
    ]
    return [
        {"threshold": threshold, **_ratios(table, tp)}
        for threshold, tp in zip(thresholds, matches, strict=True)
    ]


def _n_at_one_half(table: Overlaps, iou: np.ndarray) -> int:
    """Largest number of disjoint pairs among those of an IoU of at least 0.5.

    At exactly 0.5 a cell may occur twice: two cells, each one half of a third. The graph of pairs
    then is a forest of pairs and triples, each good for one match, and a forest has as many trees
    as nodes less edges.
    """
    pairs = iou >= 0.5
    n_true, n_pred = len(np.unique(table.true[pairs])), len(np.unique(table.pred[pairs]))
    return n_true + n_pred - int(np.count_nonzero(pairs))


def _ratios(table: Overlaps, tp: int) -> dict[str, float]:
    n_true, n_pred = len(table.true_area), len(table.pred_area)
    fp, fn = n_pred - tp, n_true - tp
    return {
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "precision": _ratio(tp, n_pred, n_true),
        "recall": _ratio(tp, n_true, n_pred),
        "f1": _ratio(2 * tp, n_true + n_pred),
        "accuracy": _ratio(tp, tp + fp + fn),
    }


def _ratio(part: float, whole: float, other: float = 0) -> float:
    """Part of the whole: 0 of nothing is 0, unless there was nothing at all to find (NaN)."""
    if whole:
        return part / whole
    return 0.0 if other else float("nan")


def error_counts(
    true: np.ndarray,
    pred: np.ndarray,
    link_iou: float = 0.6,
    edge_iou: float = 0.1,
    catastrophe_is_correct: bool = True,
) -> dict[str, float]:
    """Sort the cells into correct, missed, gained, merged, split and catastrophic.

    The method of deepcell (Moen et al., bioRxiv 803205; the Caltech thesis, table 1), equal in
    every number to ``deepcell_toolbox.metrics.ObjectMetrics``:

    1. A true and a predicted cell with an IoU above `link_iou` are linked: a correct detection.
       deepcell finds the links by linear assignment; above 0.5 they are unique and need none.
    2. The cells left over are nodes of a graph, with an edge where the IoU is at least `edge_iou`
       **or** more than half of the smaller cell lies within the larger. The second is deepcell's
       "modified IoU": it lifts a small piece of a large cell, whose IoU is tiny, to `edge_iou`.
    3. Each connected part of the graph is one event, named by its cells. A cell on its own, or
       one true and one predicted: missed and gained. One true cell in several: a split. Several
       in one: a merge. Several in several: a catastrophe. (The thesis goes by the cell with the
       most edges, which tells a few of the last apart differently; deepcell does as here.)

    Parameters
    ----------
    true, pred : ndarray of shape (H, W), integer
    link_iou : float, at least 0.5
    edge_iou : float
    catastrophe_is_correct : bool
        deepcell also counts each catastrophe, whatever its number of cells, as one correct
        detection, and its precision, recall and F1 with it: surely a slip. True does the same;
        False counts links only.

    Returns
    -------
    dict
        precision, recall and f1 of the correct detections (0 where only one image has cells, NaN
        where neither has, for which deepcell says 0); missed and gained count cells; merge, split
        and catastrophe count events; correct.

    Raises
    ------
    ValueError
        The shapes differ, or `link_iou` is below 0.5.
    """
    return _error_counts(overlaps(true, pred), link_iou, edge_iou, catastrophe_is_correct)


def _error_counts(
    table: Overlaps, link_iou: float, edge_iou: float, catastrophe_is_correct: bool
) -> dict[str, float]:
    if link_iou < 0.5:
        raise ValueError("links need an IoU of at least 0.5 to be unique")
    n_true, n_pred = len(table.true_area), len(table.pred_area)
    n_cells = n_true + n_pred
    iou = table.iou
    links = iou > link_iou
    # True cells are nodes 0..n_true - 1, predicted ones follow.
    start, end = table.true, table.pred + n_true
    is_open = np.ones(n_cells, bool)
    is_open[start[links]] = is_open[end[links]] = False
    edges = ((iou >= edge_iou) | (table.containment > 0.5)) & is_open[start] & is_open[end]
    graph = coo_array((edges[edges], (start[edges], end[edges])), shape=(n_cells, n_cells))
    n_events, event = 0, np.zeros(0, int)
    if n_cells:
        n_events, event = connected_components(graph, directed=False)

    is_true = np.arange(n_cells) < n_true
    true_cells = np.bincount(np.compress(is_open & is_true, event), minlength=n_events)
    pred_cells = np.bincount(np.compress(is_open & ~is_true, event), minlength=n_events)
    alone = (true_cells < 2) & (pred_cells < 2)
    catastrophe = int(np.count_nonzero((true_cells > 1) & (pred_cells > 1)))
    correct = int(np.count_nonzero(links)) + (catastrophe if catastrophe_is_correct else 0)
    ratios = _ratios(table, correct)
    return {
        "precision": ratios["precision"],
        "recall": ratios["recall"],
        "f1": ratios["f1"],
        "missed": int(true_cells[alone].sum()),
        "gained": int(pred_cells[alone].sum()),
        "merge": int(np.count_nonzero((true_cells > 1) & (pred_cells == 1))),
        "split": int(np.count_nonzero((true_cells == 1) & (pred_cells > 1))),
        "catastrophe": catastrophe,
        "correct": correct,
    }


def pixel_scores(true: np.ndarray, pred: np.ndarray) -> dict[str, float]:
    """Compare foreground with foreground, pixel by pixel (deepcell's ``PixelMetrics``).

    For many images together see :mod:`cellseg.scoring.pooled_pixels`.

    Returns
    -------
    dict
        pixel_iou J, the Jaccard index, and pixel_f1 = 2 J / (1 + J), the Dice index. NaN where
        neither image has foreground.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    return _pixel_scores(overlaps(true, pred))


def _pixel_scores(table: Overlaps) -> dict[str, float]:
    both = int(table.shared.sum())
    total = int(table.true_area.sum() + table.pred_area.sum())
    return {"pixel_iou": _ratio(both, total - both), "pixel_f1": _ratio(2 * both, total)}


def score_image(
    true: np.ndarray, pred: np.ndarray, min_size: int = 15
) -> list[dict[str, float | str]]:
    """Score one image, with and without small objects.

    Parameters
    ----------
    true, pred : ndarray of shape (H, W), integer
    min_size : int
        Pixels. Under "kept" all cells count. Under "removed" the true *and* the predicted cells
        smaller than this are taken away first, from the pixel scores as well.

    Returns
    -------
    list of two dict
        small_objects ("kept", "removed"), then :data:`COLUMNS`. Scores of an image without any
        true cell are NaN whatever was predicted, so that means of all networks are over the same
        images; what was predicted there is counted (gained, n_pred).

    Raises
    ------
    ValueError
        The shapes differ.
    """
    return score_tables(treatments(true, pred, min_size))


def score_tables(tables: Mapping[str, Overlaps]) -> list[dict[str, float | str]]:
    """Score one image by each treatment of small objects, see :func:`score_image`."""
    return [{"small_objects": name, **score_table(table)} for name, table in tables.items()]


def score_table(table: Overlaps) -> dict[str, float]:
    """All :data:`COLUMNS` of one image, from the pixels that its cells share.

    Without a true cell, scores are NaN, see :func:`score_image`; the functions above say 0 where
    something was predicted, as deepcell and stardist do.
    """
    matches = _match(table, THRESHOLDS)
    accuracy = {result["threshold"]: result["accuracy"] for result in matches}
    values = {
        **_pixel_scores(table),
        **{
            f"{name}_{round(100 * result['threshold'])}": result[name]
            for result in matches
            for name in ("precision", "recall", "f1")
        },
        **_error_counts(table, link_iou=0.6, edge_iou=0.1, catastrophe_is_correct=True),
        "msa": float(np.mean(list(accuracy.values()))),
        "sa50": accuracy[0.5],
        "sa75": accuracy[0.75],
        "n_true": len(table.true_area),
        "n_pred": len(table.pred_area),
    }
    if not values["n_true"]:
        values |= dict.fromkeys((*SCORES, *ACCURACIES), float("nan"))
    return {name: values[name] for name in COLUMNS}
