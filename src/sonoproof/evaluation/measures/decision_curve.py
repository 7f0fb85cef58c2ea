"""Decision curves: the net benefit of treating by the model, against treating all or none.

References:
    Vickers, Elkin (2006), Decision curve analysis, Med. Decis. Making 26:565 (net benefit).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sonoproof.evaluation.intervals.resampling import BOOTSTRAP, Bootstrap, Grouping, chunk_sizes
from sonoproof.evaluation.metrics.metrics import divide
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.types import FloatArray


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit, in true positives per case, at each threshold; all of shape (T,).

    Attributes:
        thresholds: Probability at or above which a case is treated; its odds weigh a false against a true positive.
        model: Net benefit of treating by the model.
        low: Lower pointwise limit; NaN where a class has fewer than two groups.
        high: Upper pointwise limit.
        treat_all: Net benefit of treating every case; that of treating none is zero.
        prevalence: Share of positive cases for which all this holds.
    """

    thresholds: FloatArray
    model: FloatArray
    low: FloatArray
    high: FloatArray
    treat_all: FloatArray
    prevalence: float


def decision_curve(
    rows: ScoredRows,
    *,
    groups: npt.ArrayLike,
    thresholds: npt.ArrayLike | None = None,
    bootstrap: Bootstrap = BOOTSTRAP,
) -> DecisionCurve:
    """Net benefit of the model over a range of thresholds.

    Args:
        rows: Rows of both classes with calibrated probabilities.
        groups: Name of the group of each row, shape (N,).
        thresholds: Between 0 and 1, both excluded, shape (T,); None takes 0.01 to 0.99.
        bootstrap: How groups are resampled, by class in any case, and the level of the pointwise percentile limits.

    Raises:
        ValueError: A class is missing.
    """
    if rows.n == 0 or rows.targets.all() or not rows.targets.any():
        raise ValueError("a decision curve needs rows of both classes")
    cuts = np.arange(1, 100) / 100 if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    grouping = Grouping.from_names(groups, targets=rows.targets)
    treated = _treated_by_group(rows, grouping=grouping, thresholds=cuts)
    share = float(rows.targets.mean())
    odds = cuts / (1 - cuts)
    rngs = np.random.default_rng(bootstrap.seed).spawn(len(grouping.strata))
    resampled = np.concatenate(
        [
            _net_benefit(grouping.draw(size, rngs=rngs), treated=treated, odds=odds)
            for size in chunk_sizes(bootstrap.resamples, width=max(grouping.n_groups, len(cuts)))
        ]
    )
    if grouping.smallest_stratum < 2:
        resampled = np.full_like(resampled, np.nan)
    low, high = np.quantile(resampled, bootstrap.tails, axis=0)
    model = _net_benefit(np.ones((1, grouping.n_groups)), treated=treated, odds=odds)[0]
    return DecisionCurve(cuts, model, low, high, share - (1 - share) * odds, share)


def _treated_by_group(rows: ScoredRows, *, grouping: Grouping, thresholds: FloatArray) -> FloatArray:
    """True positives, false positives of each group and threshold, then class sizes: (G, 2 T + 2)."""
    order = np.argsort(thresholds)
    # A row is treated at every threshold up to its probability.
    reached = np.searchsorted(thresholds[order], rows.probabilities, side="right")
    columns = []
    for mask in (rows.targets, ~rows.targets):
        cell = grouping.group_of_row[mask] * (len(thresholds) + 1) + reached[mask]
        counts = np.bincount(cell, minlength=grouping.n_groups * (len(thresholds) + 1))
        table = counts.reshape(grouping.n_groups, -1)
        at_least = table[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
        columns.append(at_least[:, np.argsort(order)])
    sizes = [grouping.sizes(mask)[:, None] for mask in (rows.targets, ~rows.targets)]
    return np.concatenate([*columns, *sizes], axis=1).astype(np.float64)


def _net_benefit(weights: FloatArray, *, treated: FloatArray, odds: FloatArray) -> FloatArray:
    """Net benefit (R, T) under group `weights` (R, G)."""
    totals, n_cuts = weights @ treated, len(odds)
    positive, negative = totals[:, -2:-1], totals[:, -1:]
    sensitivity = divide(totals[:, :n_cuts], positive)
    false_rate = divide(totals[:, n_cuts : 2 * n_cuts], negative)
    share = positive / (positive + negative)
    return np.asarray(share * sensitivity - (1 - share) * false_rate * odds, dtype=np.float64)
