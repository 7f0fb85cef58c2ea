"""Rows with a label and a score, made ready for many sets of weights at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

__all__ = ["RankedWeights", "Ranking", "ScoredRows", "Totals"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ScoredRows:
    """Rows with a label and a score.

    Attributes:
        targets: True where the row is of the positive class, shape (N,).
        logits: Finite log-odds of the positive class, shape (N,).
        called: True where the row is predicted positive, shape (N,).
        ranked_by: Finite scores that the rows are ranked by, where these are not the logits, shape (N,): those of the
            network itself where folds of rows were calibrated each in its own way.
    """

    targets: npt.NDArray[np.bool_]
    logits: FloatArray
    called: npt.NDArray[np.bool_]
    ranked_by: FloatArray | None = None

    def __post_init__(self) -> None:
        shapes = [self.targets.shape, self.logits.shape, self.called.shape, self.rank_scores.shape]
        if self.targets.ndim != 1 or len(set(shapes)) > 1:
            raise ValueError(f"targets, logits, called and ranked_by must have one shape (N,), not {shapes}")
        if not (np.isfinite(self.logits).all() and np.isfinite(self.rank_scores).all()):
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

    @property
    def rank_scores(self) -> FloatArray:
        """What the rows are ranked by, shape (N,)."""
        return self.logits if self.ranked_by is None else self.ranked_by

    @cached_property
    def ranking(self) -> Ranking:
        """The rows from the highest score to the lowest."""
        return Ranking.of(self.rank_scores, targets=self.targets)

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


def _binary(targets: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    values = np.asarray(targets)
    if not np.isin(values, (0, 1)).all():
        raise ValueError("targets must be 0 (negative) or 1 (positive)")
    return values.astype(np.bool_)


def _running_total(weights: FloatArray) -> FloatArray:
    """Total of the first 0, 1, …, N columns of `weights` (R, N), shape (R, N + 1)."""
    totals = np.zeros((weights.shape[0], weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=totals[:, 1:])
    return totals
