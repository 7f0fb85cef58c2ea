"""The metrics, each of the named positive class, each a function of row weights.

A metric is a function either of weighted totals (confusion counts, summed losses) or of the weights of the two classes
along the ranking. Both take many sets of weights at once, so that the resamples of a bootstrap are a few array
operations. What is not defined is NaN, and `Metric.reason` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from sonoproof.evaluation.scores.rows import RankedWeights, ScoredRows, Totals
from sonoproof.types import FloatArray

_REASONS = MappingProxyType(
    {
        "positive": "no positive row",
        "negative": "no negative row",
        "predicted positive": "no row was predicted positive",
        "predicted negative": "no row was predicted negative",
    }
)


@dataclass(frozen=True)
class Metric:
    """One metric of the positive class.

    Attributes:
        name: Its key in files.
        label: Its name for readers.
        higher_is_better: Whether more is better.
        needs: Kinds of rows that there must be for it to be defined.
        over: The rows it is a share of: ``positive``, ``predicted positive``, …, or ``all``.
        of_totals: The metric from totals, shape (R,); None for a metric of the ranking.
        of_ranking: The metric from the weights along the ranking, shape (R,); None for one of totals.
        bounded: Whether it lies between 0 and 1.
    """

    name: str
    label: str
    higher_is_better: bool = True
    needs: tuple[str, ...] = ()
    over: str = "all"
    of_totals: Callable[[Totals], FloatArray] | None = None
    of_ranking: Callable[[RankedWeights], FloatArray] | None = None
    bounded: bool = True

    def __call__(self, rows: ScoredRows, *, weights: npt.ArrayLike | None = None) -> FloatArray:
        """The metric under each set of weights.

        Args:
            rows: The rows.
            weights: Non-negative weights, shape (R, N) or (N,); None weighs every row once.

        Returns:
            Shape (R,), or () for weights of shape (N,) or None; NaN where not defined.
        """
        given = np.ones(rows.n) if weights is None else np.asarray(weights, dtype=np.float64)
        table = np.atleast_2d(given)
        if self.of_totals is not None:
            values = self.of_totals(Totals.from_contributions(rows.contributions, weights=table))
        else:
            assert self.of_ranking is not None
            ranking = rows.ranking
            positive, negative = table[:, ranking.positives], table[:, ranking.negatives]
            values = self.of_ranking(ranking.weigh(positive, negative=negative))
        return values.reshape(given.shape[:-1])

    def reason(self, rows: ScoredRows) -> str | None:
        """Why the metric is undefined on these rows, or None where it is defined."""
        if rows.n == 0:
            return "no row"
        return next((_REASONS[need] for need in self.needs if not rows.which(need).any()), None)


def divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Quotient, NaN where the denominator is not positive."""
    quotient = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient


def confusion(rows: ScoredRows) -> dict[str, int]:
    """The four counts ``tp``, ``fp``, ``tn``, ``fn``."""
    tp, fp, tn, fn = rows.contributions[:, :4].sum(axis=0)
    return {"tp": int(tp), "fp": int(fp), "tn": int(tn), "fn": int(fn)}


def _recall(t: Totals) -> FloatArray:
    return divide(t.tp, t.positive)


def _specificity(t: Totals) -> FloatArray:
    return divide(t.tn, t.negative)


def _f1(t: Totals) -> FloatArray:
    return np.where(t.positive > 0, divide(2 * t.tp, 2 * t.tp + t.fp + t.fn), np.nan)


def _auc(w: RankedWeights) -> FloatArray:
    # Mann-Whitney: the share of pairs in which the positive row ranks higher, a tie counting one half.
    lost = (_dot(w.positive, w.negatives_above) + _dot(w.positive, w.negatives_through)) / 2
    return 1 - divide(lost, w.positive.sum(axis=1) * w.negative_total)


def _average_precision(w: RankedWeights) -> FloatArray:
    precision = w.positives_through / np.maximum(w.positives_through + w.negatives_through, 1e-300)
    return divide(_dot(w.positive, precision), w.positive.sum(axis=1))


def _dot(left: FloatArray, right: FloatArray) -> FloatArray:
    """Sum of products along each row of two arrays of shape (R, P)."""
    return np.asarray(np.vecdot(left, right), dtype=np.float64)


_BOTH = ("positive", "negative")

_CATALOGUE = (
    Metric(
        "loss",
        "Loss (binary cross-entropy)",
        higher_is_better=False,
        of_totals=lambda t: divide(t.loss, t.n),
        bounded=False,
    ),
    Metric("recall", "Recall (sensitivity)", needs=("positive",), over="positive", of_totals=_recall),
    Metric("accuracy", "Accuracy", of_totals=lambda t: divide(t.tp + t.tn, t.n)),
    Metric(
        "precision",
        "Precision (positive predictive value)",
        needs=("predicted positive",),
        over="predicted positive",
        of_totals=lambda t: divide(t.tp, t.tp + t.fp),
    ),
    Metric("auc", "Area under the ROC curve", needs=_BOTH, of_ranking=_auc),
    Metric("specificity", "Specificity", needs=("negative",), over="negative", of_totals=_specificity),
    Metric(
        "npv",
        "Negative predictive value",
        needs=("predicted negative",),
        over="predicted negative",
        of_totals=lambda t: divide(t.tn, t.tn + t.fn),
    ),
    Metric("f1", "F1 score", needs=("positive",), of_totals=_f1),
    Metric(
        "balanced_accuracy", "Balanced accuracy", needs=_BOTH, of_totals=lambda t: (_recall(t) + _specificity(t)) / 2
    ),
    Metric("average_precision", "Average precision", needs=("positive",), of_ranking=_average_precision),
    Metric("brier", "Brier score", higher_is_better=False, of_totals=lambda t: divide(t.squared_error, t.n)),
)

METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _CATALOGUE})
