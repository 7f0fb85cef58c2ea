"""Rows with a label and a score, made ready for many sets of weights at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from sonoproof.types import BoolArray, FloatArray, IndexArray


@dataclass(frozen=True)
class ScoredRows:
    """Rows with a label and a score.

    Attributes:
        targets: True where the row is of the positive class, shape (N,).
        logits: Finite log-odds of the positive class, shape (N,).
        predicted_positive: True where the row is predicted positive, shape (N,).
        ranked_by: Finite scores that the rows are ranked by, shape (N,), if not by the logits: the network's own, where
            each fold of rows was calibrated in its own way.
    """

    targets: BoolArray
    logits: FloatArray
    predicted_positive: BoolArray
    ranked_by: FloatArray | None = None

    def __post_init__(self) -> None:
        arrays = (self.targets, self.logits, self.predicted_positive, self.rank_scores)
        shapes = [array.shape for array in arrays]
        if self.targets.ndim != 1 or len(set(shapes)) > 1:
            raise ValueError(f"targets, logits, predictions and ranks must have one shape (N,), not {shapes}")
        if not (np.isfinite(self.logits).all() and np.isfinite(self.rank_scores).all()):
            raise ValueError("logits must be finite")

    @classmethod
    def from_logits(cls, targets: npt.ArrayLike, *, logits: npt.ArrayLike, threshold: float = 0.5) -> ScoredRows:
        """Rows that are predicted positive at or above the probability `threshold`.

        Args:
            targets: 1 or True for the positive class, else 0, shape (N,).
            logits: Finite log-odds of the positive class, shape (N,).
            threshold: Between 0 and 1.

        Raises:
            ValueError: The shapes differ, a target is neither 0 nor 1, or a logit is not finite.
        """
        scores = np.asarray(logits, dtype=np.float64)
        return cls(_binary(targets), scores, expit(scores) >= threshold)

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
        y, c = self.targets, self.predicted_positive
        loss = np.logaddexp(0.0, np.where(y, -self.logits, self.logits))
        squared = (self.probabilities - y) ** 2
        return np.column_stack([y & c, ~y & c, ~y & ~c, y & ~c, loss, squared]).astype(np.float64)

    @property
    def rank_scores(self) -> FloatArray:
        """What the rows are ranked by, shape (N,)."""
        return self.logits if self.ranked_by is None else self.ranked_by

    @cached_property
    def ranking(self) -> Ranking:
        """The rows from the highest score to the lowest."""
        return Ranking.from_scores(self.rank_scores, targets=self.targets)

    def which(self, what: str) -> BoolArray:
        """The rows that are ``positive``, ``negative``, ``predicted positive``, ``predicted negative`` or ``all``."""
        if what == "all":
            return np.ones(self.n, dtype=np.bool_)
        mask = self.predicted_positive if what.startswith("predicted") else self.targets
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
    def from_contributions(cls, contributions: FloatArray, *, weights: FloatArray) -> Totals:
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
    """The places of the positive rows among all rows, from the highest score to the lowest.

    Attributes:
        positives: Indices of the positive rows by falling score, shape (P,).
        negatives: Indices of the negative rows by falling score, shape (Q,).
        negatives_above: How many negative rows score higher than each positive row, shape (P,).
        negatives_through: The same, counting those that score equal, shape (P,).
        positives_through: How many positive rows score as high or higher, shape (P,).
    """

    positives: IndexArray
    negatives: IndexArray
    negatives_above: IndexArray
    negatives_through: IndexArray
    positives_through: IndexArray

    @classmethod
    def from_scores(cls, scores: FloatArray, *, targets: BoolArray) -> Ranking:
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
    """Weights along a `Ranking`, in fields of the same names; shapes (R, P) and (R,)."""

    positive: FloatArray
    negative_total: FloatArray
    negatives_above: FloatArray
    negatives_through: FloatArray
    positives_through: FloatArray


def _binary(targets: npt.ArrayLike) -> BoolArray:
    values = np.asarray(targets)
    if not np.isin(values, (0, 1)).all():
        raise ValueError("targets must be 0 (negative) or 1 (positive)")
    return values.astype(np.bool_)


def _running_total(weights: FloatArray) -> FloatArray:
    """Total of the first 0, 1, …, N columns of `weights` (R, N), shape (R, N + 1)."""
    totals = np.zeros((weights.shape[0], weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=totals[:, 1:])
    return totals
