"""Does a measure of the frames tell the classes apart? Asked of groups, not of frames that resemble each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import mannwhitneyu

from sonoproof.types import BoolArray

ALPHA: Final = 0.001
MIN_EFFECT: Final = 0.15
MAX_TESTS: Final = 16
"""Measures that an audit tests at most; each is held to `ALPHA` divided by this (Bonferroni)."""


@dataclass(frozen=True)
class Association:
    """How far the groups of two classes differ in a measure.

    Attributes:
        auc: Chance that a group of the positive class has the higher measure, ties counted half; NaN if unknown.
        p: Two-sided p-value of Mann and Whitney's test; NaN if unknown.
        groups: Groups compared.
    """

    auc: float
    p: float
    groups: int

    @property
    def is_clear(self) -> bool:
        """Whether the difference is neither chance nor too small to matter."""
        return self.p < ALPHA / MAX_TESTS and abs(self.auc - 0.5) >= MIN_EFFECT


def associate(values: npt.ArrayLike, *, positive: BoolArray, groups: npt.ArrayLike) -> Association:
    """Compare the group means of a measure between groups of mostly positive and mostly negative rows.

    Args:
        values: The measure of each row, (N,); NaN is left out.
        positive: Which rows are of the positive class, (N,).
        groups: Name of the group of each row, (N,).

    References:
        Mann, Whitney (1947), On a test of whether one of two random variables is stochastically larger than the
        other, Ann. Math. Stat. 18:50.
    """
    table = pd.DataFrame({"value": np.asarray(values, np.float64), "positive": positive, "group": np.asarray(groups)})
    means = table.dropna(subset="value").groupby("group")[["value", "positive"]].mean()
    of_positives = means.loc[means["positive"] > 0.5, "value"].to_numpy()
    of_negatives = means.loc[means["positive"] < 0.5, "value"].to_numpy()
    if not len(of_positives) or not len(of_negatives):
        return Association(np.nan, np.nan, len(means))
    if np.ptp(means["value"].to_numpy()) == 0:
        return Association(0.5, 1.0, len(means))
    tested = mannwhitneyu(of_positives, of_negatives, method="asymptotic")
    auc = float(tested.statistic) / (len(of_positives) * len(of_negatives))
    return Association(auc, float(tested.pvalue), len(means))
