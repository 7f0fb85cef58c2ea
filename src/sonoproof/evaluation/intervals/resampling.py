"""Rows in groups, and the resampling of whole groups.

References:
    Rao, Wu (1988), Resampling inference with complex survey data, JASA 83:231, section 2 (n - 1 of n groups).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sonoproof.config import EvaluateConfig
from sonoproof.evaluation.metrics.metrics import Metric
from sonoproof.evaluation.scores.rows import ScoredRows, Totals
from sonoproof.types import BoolArray, FloatArray, IndexArray

# Resamples with which the variance of one stratum alone is estimated; it only sets the degrees of freedom.
STRATUM_RESAMPLES = 100
# Weights held at once, in numbers: half a million are 4 MB, which stay near the processor's cache.
_CHUNK = 500_000


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made by resampling whole groups.

    Attributes:
        confidence: Level of the intervals, between 0 and 1.
        resamples: Number of resamples.
        seed: Seed of the resampling.
        stratified: Whether the groups of each class are resampled separately, see `Grouping.from_names`.
    """

    confidence: float = 0.95
    resamples: int = 2000
    seed: int = 0
    stratified: bool = True

    @classmethod
    def from_config(cls, config: EvaluateConfig) -> Bootstrap:
        """What the settings of the stage ask for."""
        return cls(config.confidence, config.resamples, config.effective_seed, config.stratified)

    @property
    def tails(self) -> tuple[float, float]:
        """The two quantiles between which a share `confidence` lies."""
        tail = (1 - self.confidence) / 2
        return tail, 1 - tail


BOOTSTRAP = Bootstrap()
"""The defaults."""


@dataclass(frozen=True)
class Grouping:
    """The group of each row, and the stratum that each group is resampled in.

    Attributes:
        group_of_row: Index of the row's group, shape (N,).
        stratum_of_group: Index of the group's stratum, shape (G,).
    """

    group_of_row: IndexArray
    stratum_of_group: IndexArray

    @classmethod
    def from_names(cls, groups: npt.ArrayLike, *, targets: BoolArray, stratified: bool = True) -> Grouping:
        """Number the groups and put them into strata by class.

        The strata are the groups with and without a positive row; where every group has one, the groups with and
        without a negative row. So every resample has both classes, if the rows have. The intervals hold for the share
        of groups per class that the rows have, as the split gives it.

        Args:
            groups: Name of the group of each row, shape (N,).
            targets: True for the positive class, shape (N,).
            stratified: False puts all groups into one stratum, for rows whose share of positive groups is due to
                chance.
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
    def strata(self) -> list[IndexArray]:
        """Indices of the groups of each stratum."""
        return [np.flatnonzero(self.stratum_of_group == s) for s in np.unique(self.stratum_of_group)]

    @property
    def smallest_stratum(self) -> int:
        """Number of groups of the smallest stratum; 0 without rows."""
        return min((len(members) for members in self.strata), default=0)

    @property
    def independent(self) -> bool:
        """Whether every group has one row."""
        return self.n_groups == len(self.group_of_row)

    def sizes(self, rows: BoolArray) -> FloatArray:
        """Number of the masked `rows` (N,) in each group, shape (G,)."""
        return np.bincount(self.group_of_row[rows], minlength=self.n_groups).astype(np.float64)

    def draw(self, resamples: int, *, rngs: Sequence[np.random.Generator], only: int | None = None) -> FloatArray:
        """Weights of the groups in each resample.

        From a stratum of n groups n - 1 are drawn with replacement and weighted by n / (n - 1); a single group keeps
        its weight.

        Args:
            resamples: Number of resamples R.
            rngs: Source of randomness of each stratum, so that the draws do not depend on the chunks.
            only: Index of the only stratum to resample; None for all.

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
    """Scored rows with their grouping, prepared for many sets of group weights."""

    rows: ScoredRows
    grouping: Grouping

    @cached_property
    def contributions(self) -> FloatArray:
        """Contribution of each group to the totals, shape (G, 6)."""
        where, n = self.grouping.group_of_row, self.grouping.n_groups
        columns = self.rows.contributions.T
        return np.column_stack([np.bincount(where, weights=column, minlength=n) for column in columns])

    @cached_property
    def ranked_groups(self) -> tuple[IndexArray, IndexArray]:
        """Group of each positive, shape (P,), and of each negative row, shape (Q,), by falling score."""
        ranking, group = self.rows.ranking, self.grouping.group_of_row
        return group[ranking.positives], group[ranking.negatives]

    def evaluate(self, metrics: Sequence[Metric], *, weights: FloatArray) -> dict[str, FloatArray]:
        """Each metric, shape (R,), under each row of group `weights` (R, G)."""
        totals = Totals.from_contributions(self.contributions, weights=weights)
        values = {m.name: m.of_totals(totals) for m in metrics if m.of_totals is not None}
        of_ranking = {m.name: m.of_ranking for m in metrics if m.of_ranking is not None}
        if of_ranking:
            positive, negative = (np.take(weights, groups, axis=1) for groups in self.ranked_groups)
            ranked = self.rows.ranking.weigh(positive, negative=negative)
            values |= {name: function(ranked) for name, function in of_ranking.items()}
        return values


def resample(
    models: Sequence[GroupedRows],
    *,
    metrics: Sequence[Metric],
    resamples: int,
    rng: np.random.Generator,
    only: int | None = None,
) -> list[dict[str, FloatArray]]:
    """Metrics of resampled groups, in chunks that bound the memory.

    Args:
        models: Rows scored by one model or by several, all with one grouping; each resample is given to all of them.
        metrics: What to compute.
        resamples: Number of resamples R.
        rng: Source of randomness.
        only: The only stratum to resample, see `Grouping.draw`.

    Returns:
        For each model metric name to values, shape (R,); NaN where a resample leaves the metric undefined.
    """
    grouping = models[0].grouping
    rngs = rng.spawn(len(grouping.strata))
    chunks: list[list[dict[str, FloatArray]]] = [[] for _ in models]
    for size in chunk_sizes(resamples, width=len(grouping.group_of_row)):
        weights = grouping.draw(size, rngs=rngs, only=only)
        for model, parts in zip(models, chunks, strict=True):
            parts.append(model.evaluate(metrics, weights=weights))
    return [{m.name: np.concatenate([part[m.name] for part in parts]) for m in metrics} for parts in chunks]


def resample_each_stratum(
    models: Sequence[GroupedRows], *, metrics: Sequence[Metric], rng: np.random.Generator
) -> list[list[dict[str, FloatArray]]]:
    """The result of `resample` for each stratum, with only that one resampled."""
    strata = range(len(models[0].grouping.strata))
    return [resample(models, metrics=metrics, resamples=STRATUM_RESAMPLES, rng=rng, only=only) for only in strata]


def chunk_sizes(resamples: int, *, width: int) -> Iterator[int]:
    """Sizes of the chunks in which `resamples` sets of `width` weights are computed."""
    size = max(1, _CHUNK // max(width, 1))
    for start in range(0, resamples, size):
        yield min(size, resamples - start)
