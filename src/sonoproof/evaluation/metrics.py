"""The metrics, each of the named positive class, each a function of row weights.

A metric is either a function of weighted totals (confusion counts, summed losses) or of the weights of the two
classes along the ranking. Both take many sets of weights at once, so that the resamples of a bootstrap are a few
array operations. What is not defined is NaN, and `Metric.reason` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

__all__ = ["METRICS", "Metric", "Ranking", "ScoredRows", "Totals", "confusion", "divide"]

FloatArray = npt.NDArray[np.float64]

_REASONS = MappingProxyType(
    {
        "positive": "no positive row",
        "negative": "no negative row",
        "called positive": "no row was predicted positive",
        "called negative": "no row was predicted negative",
    }
)


@dataclass(frozen=True)
class ScoredRows:
    """Rows with a label and a score.

    Attributes:
        targets: True where the row is of the positive class, shape (N,).
        logits: Finite log-odds of the positive class, shape (N,).
        called: True where the row is predicted positive, shape (N,).
    """

    targets: npt.NDArray[np.bool_]
    logits: FloatArray
    called: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.targets.ndim != 1 or not self.targets.shape == self.logits.shape == self.called.shape:
            shapes = f"{self.targets.shape}, {self.logits.shape} and {self.called.shape}"
            raise ValueError(f"targets, logits and called must have one shape (N,), not {shapes}")
        if not np.isfinite(self.logits).all():
            raise ValueError("logits must be finite")

    @classmethod
    def from_logits(cls, targets: npt.ArrayLike, *, logits: npt.ArrayLike, threshold: float = 0.5) -> ScoredRows:
        """Rows whose logit is known; positive is called from the probability `threshold` on.

        Args:
            targets: 1 or True for the positive class, else 0, shape (N,).
            logits: Finite log-odds of the positive class, shape (N,).
            threshold: Probability between 0 and 1, itself called positive.

        Raises:
            ValueError: The shapes differ, a target is neither 0 nor 1, or a logit is not finite.
        """
        scores = np.asarray(logits, dtype=np.float64)
        return cls(_binary(targets), scores, expit(scores) >= threshold)

    @classmethod
    def from_probabilities(
        cls, targets: npt.ArrayLike, *, probabilities: npt.ArrayLike, threshold: float = 0.5
    ) -> ScoredRows:
        """Rows of which only the probability is known.

        Probabilities of 0 and 1 are moved inwards by the resolution of a double, as scikit-learn's ``log_loss``
        does, so that the loss stays finite.

        Raises:
            ValueError: The shapes differ, a target is neither 0 nor 1, or a probability is outside 0 to 1.
        """
        chances = np.asarray(probabilities, dtype=np.float64)
        if not ((chances >= 0) & (chances <= 1)).all():
            raise ValueError("probabilities must lie between 0 and 1")
        epsilon = np.finfo(np.float64).eps
        scores = logit(np.clip(chances, epsilon, 1 - epsilon))
        return cls(_binary(targets), scores, chances >= threshold)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.targets)

    @cached_property
    def probabilities(self) -> FloatArray:
        """Probability of the positive class, shape (N,)."""
        return np.asarray(expit(self.logits), dtype=np.float64)

    @cached_property
    def contributions(self) -> FloatArray:
        """What each row adds to the fields of `Totals`, shape (N, 6)."""
        y, c = self.targets, self.called
        loss = np.logaddexp(0.0, np.where(y, -self.logits, self.logits))
        squared = (self.probabilities - y) ** 2
        return np.column_stack([y & c, ~y & c, ~y & ~c, y & ~c, loss, squared]).astype(np.float64)

    @cached_property
    def ranking(self) -> Ranking:
        """The rows from the highest logit to the lowest."""
        return Ranking.of(self.logits, targets=self.targets)

    def which(self, what: str) -> npt.NDArray[np.bool_]:
        """The rows that are ``positive``, ``negative``, ``called positive``, ``called negative`` or ``all``."""
        if what == "all":
            return np.ones(self.n, dtype=np.bool_)
        mask = self.called if what.startswith("called") else self.targets
        return mask if what.endswith("positive") else ~mask


@dataclass(frozen=True)
class Totals:
    """Weighted totals of R sets of weights; every field has shape (R,)."""

    tp: FloatArray
    fp: FloatArray
    tn: FloatArray
    fn: FloatArray
    loss: FloatArray
    squared_error: FloatArray

    @classmethod
    def of(cls, contributions: FloatArray, *, weights: FloatArray) -> Totals:
        """Sum `contributions` (N, 6) under each row of `weights` (R, N)."""
        return cls(*(weights @ contributions).T)

    @property
    def positive(self) -> FloatArray:
        """Weight of the positive rows."""
        return self.tp + self.fn

    @property
    def negative(self) -> FloatArray:
        """Weight of the negative rows."""
        return self.tn + self.fp

    @property
    def n(self) -> FloatArray:
        """Weight of all rows."""
        return self.positive + self.negative


@dataclass(frozen=True)
class Ranking:
    """Where the positive rows stand among all rows, from the highest score to the lowest.

    Attributes:
        positives: Indices of the positive rows by falling score, shape (P,).
        negatives: Indices of the negative rows by falling score, shape (Q,).
        negatives_above: How many negative rows score higher than each positive row, shape (P,).
        negatives_through: The same, counting those that score equal, shape (P,).
        positives_through: How many positive rows score as high or higher, shape (P,).
    """

    positives: npt.NDArray[np.intp]
    negatives: npt.NDArray[np.intp]
    negatives_above: npt.NDArray[np.intp]
    negatives_through: npt.NDArray[np.intp]
    positives_through: npt.NDArray[np.intp]

    @classmethod
    def of(cls, scores: FloatArray, *, targets: npt.NDArray[np.bool_]) -> Ranking:
        """Rank `scores` (N,) of rows whose class is `targets` (N,)."""
        order = np.argsort(-scores, kind="stable")
        positives, negatives = order[targets[order]], order[~targets[order]]
        falling, others = -scores[positives], -scores[negatives]
        return cls(
            positives,
            negatives,
            negatives_above=np.searchsorted(others, falling, side="left"),
            negatives_through=np.searchsorted(others, falling, side="right"),
            positives_through=np.searchsorted(falling, falling, side="right"),
        )

    def weigh(self, positive: FloatArray, *, negative: FloatArray) -> RankedWeights:
        """Weights above each positive row.

        Args:
            positive: Weights of the rows `positives`, shape (R, P).
            negative: Weights of the rows `negatives`, shape (R, Q).
        """
        above = _running_total(negative)
        tied = not np.array_equal(self.negatives_above, self.negatives_through)
        through = np.take(above, self.negatives_through, axis=1)
        return RankedWeights(
            positive=positive,
            negative_total=above[:, -1],
            negatives_above=np.take(above, self.negatives_above, axis=1) if tied else through,
            negatives_through=through,
            positives_through=np.take(_running_total(positive), self.positives_through, axis=1),
        )


@dataclass(frozen=True)
class RankedWeights:
    """Weights along the `Ranking`, whose fields these are the weights of; shapes (R, P) and (R,)."""

    positive: FloatArray
    negative_total: FloatArray
    negatives_above: FloatArray
    negatives_through: FloatArray
    positives_through: FloatArray


@dataclass(frozen=True)
class Metric:
    """One metric of the positive class.

    Attributes:
        name: Its key in files.
        label: Its name for readers.
        higher_is_better: Whether more is better.
        needs: What the rows must hold for it to be defined.
        over: The rows it is a share of: ``positive``, ``called positive``, …, or ``all``.
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
            values = self.of_totals(Totals.of(rows.contributions, weights=table))
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


def _binary(targets: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    values = np.asarray(targets)
    if not np.isin(values, (0, 1)).all():
        raise ValueError("targets must be 0 (negative) or 1 (positive)")
    return values.astype(np.bool_)


def _recall(t: Totals) -> FloatArray:
    return divide(t.tp, t.positive)


def _specificity(t: Totals) -> FloatArray:
    return divide(t.tn, t.negative)


def _f1(t: Totals) -> FloatArray:
    return np.where(t.positive > 0, divide(2 * t.tp, 2 * t.tp + t.fp + t.fn), np.nan)


def _auc(w: RankedWeights) -> FloatArray:
    # Mann-Whitney: the share of pairs in which the positive row stands higher, a tie counting one half.
    lost = (_dot(w.positive, w.negatives_above) + _dot(w.positive, w.negatives_through)) / 2
    return 1 - divide(lost, w.positive.sum(axis=1) * w.negative_total)


def _average_precision(w: RankedWeights) -> FloatArray:
    precision = w.positives_through / np.maximum(w.positives_through + w.negatives_through, 1e-300)
    return divide(_dot(w.positive, precision), w.positive.sum(axis=1))


def _dot(left: FloatArray, right: FloatArray) -> FloatArray:
    """Sum of products along each row of two arrays of shape (R, P)."""
    return np.asarray(np.vecdot(left, right), dtype=np.float64)


def _running_total(weights: FloatArray) -> FloatArray:
    """Total of the first 0, 1, …, N columns of `weights` (R, N), shape (R, N + 1)."""
    totals = np.zeros((weights.shape[0], weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=totals[:, 1:])
    return totals


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
        needs=("called positive",),
        over="called positive",
        of_totals=lambda t: divide(t.tp, t.tp + t.fp),
    ),
    Metric("auc", "Area under the ROC curve", needs=_BOTH, of_ranking=_auc),
    Metric("specificity", "Specificity", needs=("negative",), over="negative", of_totals=_specificity),
    Metric(
        "npv",
        "Negative predictive value",
        needs=("called negative",),
        over="called negative",
        of_totals=lambda t: divide(t.tn, t.tn + t.fn),
    ),
    Metric("f1", "F1 score", needs=("positive",), of_totals=_f1),
    Metric(
        "balanced_accuracy",
        "Balanced accuracy",
        needs=_BOTH,
        of_totals=lambda t: (_recall(t) + _specificity(t)) / 2,
    ),
    Metric("average_precision", "Average precision", needs=("positive",), of_ranking=_average_precision),
    Metric("brier", "Brier score", higher_is_better=False, of_totals=lambda t: divide(t.squared_error, t.n)),
)

METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _CATALOGUE})
