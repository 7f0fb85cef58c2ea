"""The points of the curves that the report draws: ROC, precision against recall, reliability."""

from __future__ import annotations

from typing import Any

import numpy as np

from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.sampling import evenly_spread
from sonoproof.types import FloatArray, IndexArray

RELIABILITY_BINS = 10
_MAX_POINTS = 500


def curves(rows: ScoredRows) -> dict[str, Any]:
    """All curves as plain numbers for JSON."""
    return {
        "roc": roc_points(rows),
        "precision_recall": precision_recall_points(rows),
        "reliability": reliability_bins(rows),
    }


def roc_points(rows: ScoredRows) -> dict[str, list[float]]:
    """Corners of the ROC curve from (0, 0) to (1, 1); empty where a class is missing.

    Returns:
        ``false_positive_rate``, ``true_positive_rate`` and the ``threshold`` (a probability; rows at or above it are
        predicted positive) at each point. The first point, where no row is, has the threshold NaN. All thresholds are
        NaN where each fold of rows was calibrated in its own way: then no single threshold gives a point.
    """
    thresholds, tp, fp = _counts_by_threshold(rows)
    if rows.targets.all() or not rows.targets.any():
        return {"false_positive_rate": [], "true_positive_rate": [], "threshold": []}
    keep = _thin(_corners(tp, fp))
    return {
        "false_positive_rate": (fp[keep] / fp[-1]).tolist(),
        "true_positive_rate": (tp[keep] / tp[-1]).tolist(),
        "threshold": thresholds[keep].tolist(),
    }


def precision_recall_points(rows: ScoredRows) -> dict[str, Any]:
    """Precision against recall as the threshold falls; empty where no row is positive.

    Returns:
        ``recall``, ``precision``, ``threshold`` and the share of positive rows, which is the precision of chance.
    """
    thresholds, tp, fp = _counts_by_threshold(rows)
    if not rows.targets.any():
        return {"recall": [], "precision": [], "threshold": [], "share_positive": None}
    keep = _thin(np.arange(1, len(tp)))
    return {
        "recall": (tp[keep] / tp[-1]).tolist(),
        "precision": (tp[keep] / (tp[keep] + fp[keep])).tolist(),
        "threshold": thresholds[keep].tolist(),
        "share_positive": float(rows.targets.mean()),
    }


def reliability_bins(rows: ScoredRows) -> dict[str, list[Any]]:
    """Mean probability and share of positive rows in equally wide bins of the probability.

    A bin includes its lower edge, the last one both edges. Empty bins have no mean and no share (None).

    Returns:
        ``edges`` (one more than bins), ``n``, ``mean_probability`` and ``share_positive`` (one per bin).
    """
    index, bins = bin_index(rows.probabilities), RELIABILITY_BINS
    n = np.bincount(index, minlength=bins)
    chance = np.bincount(index, weights=rows.probabilities, minlength=bins)
    positive = np.bincount(index, weights=rows.targets.astype(float), minlength=bins)
    return {
        "edges": np.linspace(0, 1, bins + 1).tolist(),
        "n": n.tolist(),
        "mean_probability": [float(c / k) if k else None for c, k in zip(chance, n, strict=True)],
        "share_positive": [float(p / k) if k else None for p, k in zip(positive, n, strict=True)],
    }


def bin_index(probabilities: FloatArray) -> IndexArray:
    """Index of the equally wide bin of each probability, shape (N,)."""
    return np.minimum((probabilities * RELIABILITY_BINS).astype(np.intp), RELIABILITY_BINS - 1)


def _counts_by_threshold(rows: ScoredRows) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Thresholds, true and false positives as rows are predicted positive: none, then run after run of equal scores."""
    order = np.argsort(-rows.rank_scores, kind="stable")
    scores, targets = rows.rank_scores[order], rows.targets[order]
    last = np.flatnonzero(np.append(np.diff(scores) != 0, True)) if rows.n else np.array([], dtype=np.intp)
    tp = np.append(0.0, np.cumsum(targets)[last])
    falling = rows.probabilities[order][last]
    thresholds = np.append(np.nan, falling if (np.diff(falling) <= 0).all() else np.full(len(falling), np.nan))
    return thresholds, tp, np.append(0.0, last + 1.0) - tp


def _corners(tp: FloatArray, fp: FloatArray) -> IndexArray:
    """Indices of the points at which the curve turns, with both ends."""
    step_tp, step_fp = np.diff(tp), np.diff(fp)
    turns = step_tp[1:] * step_fp[:-1] != step_fp[1:] * step_tp[:-1]
    return np.flatnonzero(np.concatenate([[True], turns, [True]]))


def _thin(indices: IndexArray) -> IndexArray:
    """At most `_MAX_POINTS` of `indices`, evenly spread, with both ends: a figure needs no more."""
    return indices[evenly_spread(len(indices), _MAX_POINTS)]
