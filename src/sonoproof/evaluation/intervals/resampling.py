"""Rows in groups, and the resampling of whole groups.

References:
    Rao, Wu (1988), Resampling inference with complex survey data, JASA 83:231, section 2 (n - 1 of n groups).
    Kish (1965), Survey Sampling, section 8.2 (effective number of units).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sonoproof.evaluation.metrics.metrics import Metric
from sonoproof.evaluation.scores.rows import ScoredRows, Totals

__all__ = ["GroupedRows", "Grouping", "chunk_sizes", "kish", "resample"]

FloatArray = npt.NDArray[np.float64]

# Weights held at once, in numbers: half a million are 4 MB, which stay near the processor's cache.
_CHUNK = 500_000


@dataclass(frozen=True)
class Grouping:
    """Which group each row is of, and from which stratum the group is drawn.

    Attributes:
        group_of_row: Index of the row's group, shape (N,).
        stratum_of_group: Index of the group's stratum, shape (G,).
    """

    group_of_row: npt.NDArray[np.intp]
    stratum_of_group: npt.NDArray[np.intp]

    @classmethod
    def of(cls, groups: npt.ArrayLike, *, targets: npt.NDArray[np.bool_], stratified: bool = True) -> Grouping:
        """Number the groups and lay them into strata by class.

        The strata are the groups with and without a positive row; where every group has one, the groups with and
        without a negative row. So no resample is without a class that the rows have. The intervals hold for the
        share of groups per class that the rows have, as the split gives it.

        Args:
            groups: Name of the group of each row, shape (N,).
            targets: True for the positive class, shape (N,).
            stratified: False puts all groups into one stratum, for rows whose share of positive groups came about
                by chance.
        """
        _, group_of_row = np.unique(np.asarray(groups), return_inverse=True)
        n_groups = int(group_of_row.max()) + 1 if len(group_of_row) else 0
        strata = np.zeros(n_groups, dtype=np.intp)
        for rows in (targets, ~targets):
            holds = np.bincount(group_of_row[rows], minlength=n_groups) > 0
            if stratified and 0 < holds.sum() < n_groups:
                strata = holds.astype(np.intp)
                break
        return cls(group_of_row.astype(np.intp), strata)

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(self.stratum_of_group)

    @cached_property
    def strata(self) -> list[npt.NDArray[np.intp]]:
        """Indices of the groups of each stratum."""
        return [np.flatnonzero(self.stratum_of_group == s) for s in np.unique(self.stratum_of_group)]

    @property
    def independent(self) -> bool:
        """Whether every group has one row."""
        return self.n_groups == len(self.group_of_row)

    def sizes(self, rows: npt.NDArray[np.bool_]) -> FloatArray:
        """How many of the masked `rows` (N,) each group has, shape (G,)."""
        return np.bincount(self.group_of_row[rows], minlength=self.n_groups).astype(np.float64)

    def draw(self, resamples: int, *, rngs: Sequence[np.random.Generator], only: int | None = None) -> FloatArray:
        """Weights of the groups in each resample.

        A stratum of n groups is drawn n - 1 times with replacement and weighed by n / (n - 1); one of a single
        group is held.

        Args:
            resamples: Number of resamples R.
            rngs: Source of randomness of each stratum, so that draws do not depend on how they are chunked.
            only: Index of the one stratum that is resampled while the others are held; None for all.

        Returns:
            Shape (R, G).
        """
        weights = np.ones((resamples, self.n_groups))
        for index, (members, rng) in enumerate(zip(self.strata, rngs, strict=True)):
            n = len(members)
            if n > 1 and only in (None, index):
                drawn = rng.integers(0, n, size=(resamples, n - 1), dtype=np.int32)
                cells = drawn + n * np.arange(resamples)[:, None]
                counts = np.bincount(cells.ravel(), minlength=resamples * n).reshape(resamples, n)
                weights[:, members] = counts * (n / (n - 1))
        return weights


@dataclass(frozen=True)
class GroupedRows:
    """Scored rows with their grouping, made ready for many sets of group weights."""

    rows: ScoredRows
    grouping: Grouping

    @cached_property
    def contributions(self) -> FloatArray:
        """What each group adds to the totals, shape (G, 6)."""
        where, n = self.grouping.group_of_row, self.grouping.n_groups
        columns = self.rows.contributions.T
        return np.column_stack([np.bincount(where, weights=column, minlength=n) for column in columns])

    @cached_property
    def ranked_groups(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Group of each positive, shape (P,), and of each negative row, shape (Q,), by falling score."""
        ranking, group = self.rows.ranking, self.grouping.group_of_row
        return group[ranking.positives], group[ranking.negatives]

    def evaluate(self, metrics: Sequence[Metric], *, weights: FloatArray) -> dict[str, FloatArray]:
        """Each metric, shape (R,), under each row of group `weights` (R, G)."""
        totals = Totals.of(self.contributions, weights=weights)
        values = {m.name: m.of_totals(totals) for m in metrics if m.of_totals is not None}
        of_ranking = {m.name: m.of_ranking for m in metrics if m.of_ranking is not None}
        if of_ranking:
            positive, negative = (np.take(weights, groups, axis=1) for groups in self.ranked_groups)
            ranked = self.rows.ranking.weigh(positive, negative=negative)
            values |= {name: function(ranked) for name, function in of_ranking.items()}
        return values


def resample(
    grouped: GroupedRows,
    *,
    metrics: Sequence[Metric],
    resamples: int,
    rng: np.random.Generator,
    only: int | None = None,
) -> dict[str, FloatArray]:
    """Metrics of resampled groups, in chunks that bound the memory.

    Args:
        grouped: The rows.
        metrics: What to compute.
        resamples: Number of resamples R.
        rng: Source of randomness.
        only: The one stratum resampled, see `Grouping.draw`.

    Returns:
        Metric name to values, shape (R,); NaN where a resample leaves the metric undefined.
    """
    rngs = rng.spawn(len(grouped.grouping.strata))
    parts = [
        grouped.evaluate(metrics, weights=grouped.grouping.draw(size, rngs=rngs, only=only))
        for size in chunk_sizes(resamples, width=grouped.rows.n)
    ]
    return {metric.name: np.concatenate([part[metric.name] for part in parts]) for metric in metrics}


def chunk_sizes(resamples: int, *, width: int) -> Iterator[int]:
    """Sizes of the chunks in which `resamples` sets of `width` weights are handled."""
    size = max(1, _CHUNK // max(width, 1))
    for start in range(0, resamples, size):
        yield min(size, resamples - start)


def kish(sizes: FloatArray) -> float:
    """Effective number of groups of unequal `sizes`: (sum s)^2 / sum s^2; 0 where all are empty."""
    squares = float((sizes**2).sum())
    return float(sizes.sum()) ** 2 / squares if squares else 0.0
