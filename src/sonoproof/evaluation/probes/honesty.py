"""Honest against naive: what a random split would have reported, beside what holds for new sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sonoproof.data.audit.findings import Finding, Level
from sonoproof.evaluation.intervals.intervals import Interval
from sonoproof.evaluation.intervals.resampling import GroupedRows, Grouping, resample
from sonoproof.evaluation.metrics.metrics import METRICS, ScoredRows
from sonoproof.evaluation.probes.cross_validation import linear, out_of_fold
from sonoproof.evaluation.probes.models import auc_interval

__all__ = ["SplitComparison", "compare_splits", "gap_finding"]

FloatArray = npt.NDArray[np.float64]

FOLDS: Final = 5


@dataclass(frozen=True)
class SplitComparison:
    """One classifier, cross-validated twice on the same rows.

    Attributes:
        naive: AUC with frames divided at random, its interval as if frames were independent: as it would have been
            reported.
        honest: AUC with groups kept whole, its interval by groups.
        difference: Naive less honest, its interval by groups.
        logits: Out-of-fold log-odds of the grouped cross-validation, (N,).
        rows: Number of rows.
        groups: Number of groups.
    """

    naive: Interval
    honest: Interval
    difference: Interval
    logits: FloatArray
    rows: int
    groups: int

    def as_json(self, *, features_are: str) -> dict[str, Any]:
        """The gap as the report reads it, with what the features are in words."""
        return {
            "metric": "auc",
            "classifier": f"a logistic regression on {features_are}",
            "naive": _limits(self.naive),
            "honest": _limits(self.honest),
            "difference": _limits(self.difference),
            "rows": self.rows,
            "groups": self.groups,
            "detail": "Cross-validated in five folds: once with frames divided at random, once with every source and "
            "group on one side.",
        }


def compare_splits(
    features: npt.NDArray[np.float32],
    *,
    targets: npt.NDArray[np.bool_],
    groups: npt.ArrayLike,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> SplitComparison:
    """Cross-validate the cheap classifier at random and by group.

    Args:
        features: Frozen features of the frames, (N, D) float32.
        targets: True for the positive class, (N,).
        groups: Name of the group of each row, (N,).
        confidence: Level of the intervals.
        resamples: Bootstrap resamples.
        seed: Seed of folds and bootstrap.

    Raises:
        ValueError: A class is in fewer than two groups.
    """
    names = np.asarray(groups).astype(str)
    alone = np.arange(len(targets)).astype(str)
    folds = min(FOLDS, *(len(np.unique(names[rows])) for rows in (targets, ~targets)))
    if folds < 2:
        raise ValueError("each class must be in at least two groups to be cross-validated")
    by_frame, by_group = (
        out_of_fold(features, targets=targets, groups=units, model=linear, folds=folds, seed=seed)
        for units in (alone, names)
    )
    naive, honest = (
        auc_interval(logits, targets=targets, groups=units, confidence=confidence, resamples=resamples, seed=seed)
        for logits, units in ((by_frame, alone), (by_group, names))
    )
    difference = _difference(
        by_frame, by_group, targets=targets, groups=names, confidence=confidence, resamples=resamples, seed=seed
    )
    return SplitComparison(naive, honest, difference, by_group, len(targets), len(np.unique(names)))


def gap_finding(comparison: SplitComparison, *, features_are: str) -> Finding:
    """The gap as a finding: for information, since the run's own split is the honest one.

    Args:
        comparison: The two cross-validations.
        features_are: What the classifier saw, in words that follow "on".
    """
    gap = comparison.difference
    clear = gap.low > 0
    detail = (
        f"Cross-validated on frames divided at random, a logistic regression on {features_are} has an AUC of "
        f"{_in_words(comparison.naive)}; with every source and group on one side, {_in_words(comparison.honest)}. "
        f"The difference is {_in_words(gap)}. "
        + (
            "It is what a random split would have credited to the model for knowing the sources."
            if clear
            else "A random split would not have misled much here."
        )
    )
    numbers: Mapping[str, Any] = {
        key: value for key, value in comparison.as_json(features_are=features_are).items() if key != "detail"
    }
    title = "What a random split would have reported"
    return Finding("honest-against-naive", Level.INFO, title, detail, numbers)


def _difference(
    first: FloatArray,
    second: FloatArray,
    *,
    targets: npt.NDArray[np.bool_],
    groups: npt.NDArray[np.str_],
    confidence: float,
    resamples: int,
    seed: int,
) -> Interval:
    """Difference of two AUCs of the same rows, both under the same resamples of the groups (percentile limits)."""
    grouping = Grouping.of(groups, targets=targets)
    auc = METRICS["auc"]
    values, drawn = [], []
    for logits in (first, second):
        rows = ScoredRows.from_logits(targets, logits=logits)
        values.append(float(auc(rows)))
        rng = np.random.default_rng(seed)
        drawn.append(resample(GroupedRows(rows, grouping), metrics=[auc], resamples=resamples, rng=rng)["auc"])
    spread = drawn[0] - drawn[1]
    low, high = np.nanquantile(spread, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(values[0] - values[1], float(low), float(high))


def _limits(interval: Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def _in_words(interval: Interval) -> str:
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"
