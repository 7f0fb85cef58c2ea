"""The threshold, chosen by a stated policy and never on the rows that it is reported on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sonoproof.evaluation.choosing.threshold import Policy, choose_threshold, resampled_thresholds
from sonoproof.evaluation.intervals.resampling import BOOTSTRAP, Bootstrap, GroupedRows, Grouping
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.training.verdict import OperatingPoint


def choose_operating_point(
    rows: ScoredRows,
    *,
    groups: npt.ArrayLike,
    policy: Policy,
    chosen_on: str,
    bootstrap: Bootstrap = BOOTSTRAP,
) -> OperatingPoint:
    """Choose the threshold on these rows, with the interval of the choice by resampling groups.

    Args:
        rows: Rows that the threshold will not be reported on.
        groups: Name of the group of each row, shape (N,).
        policy: How to choose.
        chosen_on: Which rows these are, in words, for the record.
        bootstrap: How groups are resampled, by class in any case, and the level of the threshold's percentile interval;
            without resamples there is none.

    Raises:
        ConfigError: The policy needs a class that the rows lack.
    """
    threshold = choose_threshold(rows, policy=policy)
    if policy.name == "fixed":
        return OperatingPoint(threshold)
    grouping = Grouping.from_names(groups, targets=rows.targets)
    low, high = None, None
    # Without two groups of each class there is nothing to resample: no limits.
    if bootstrap.resamples and grouping.smallest_stratum > 1:
        resampled = resampled_thresholds(GroupedRows(rows, grouping), policy=policy, bootstrap=bootstrap)
        low, high = (float(limit) for limit in np.quantile(resampled, bootstrap.tails))
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
