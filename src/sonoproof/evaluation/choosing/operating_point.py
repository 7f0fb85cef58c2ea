"""From which probability a row is called positive: chosen by a stated policy, never where it is reported."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sonoproof.evaluation.choosing.threshold import Policy, choose_threshold, resampled_thresholds
from sonoproof.evaluation.intervals.resampling import GroupedRows, Grouping
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.training.verdict import OperatingPoint

__all__ = ["choose_operating_point"]


def choose_operating_point(
    rows: ScoredRows,
    *,
    groups: npt.ArrayLike,
    policy: Policy,
    chosen_on: str,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> OperatingPoint:
    """Choose the threshold on these rows, with the interval of the choice by resampling groups.

    Args:
        rows: Rows that the threshold will not be reported on.
        groups: Name of the group of each row, shape (N,).
        policy: How to choose.
        chosen_on: Which rows these are, in words, for the record.
        confidence: Level of the percentile interval of the threshold.
        resamples: Bootstrap resamples; 0 for no interval.
        seed: Seed of the resampling.

    Raises:
        ConfigError: The policy needs a class that the rows lack.
    """
    threshold = choose_threshold(rows, policy=policy)
    if policy.name == "fixed":
        return OperatingPoint(threshold)
    grouping = Grouping.of(groups, targets=rows.targets)
    low, high = None, None
    # Without two groups of each class there is nothing to resample: no limits.
    if resamples and min(len(members) for members in grouping.strata) > 1:
        grouped, tail = GroupedRows(rows, grouping), (1 - confidence) / 2
        drawn = resampled_thresholds(grouped, policy=policy, resamples=resamples, seed=seed)
        low, high = (float(limit) for limit in np.quantile(drawn, (tail, 1 - tail)))
    return OperatingPoint(
        threshold,
        policy=policy.name,
        target=policy.target if policy.name in ("sensitivity", "specificity") else None,
        low=low,
        high=high,
        chosen_on=chosen_on,
        n=rows.n,
        n_groups=grouping.n_groups,
    )
