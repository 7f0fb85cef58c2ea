"""Naive against honest: what a random split would have reported, beside what holds for new sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sonoproof.data.audit.findings import Finding, Level
from sonoproof.evaluation.intervals.intervals import Interval
from sonoproof.evaluation.intervals.resampling import BOOTSTRAP, Bootstrap, GroupedRows, Grouping, resample
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.probes.cross_validation import linear, out_of_fold
from sonoproof.evaluation.probes.models import auc_interval
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.groups import groups_of_rarer_class
from sonoproof.types import BoolArray, Float32Array, FloatArray

FOLDS: Final = 5


@dataclass(frozen=True)
class SplitComparison:
    """One classifier, cross-validated twice on the same rows.

    Attributes:
        naive: AUC with frames divided at random, its interval as if frames were independent: as it would have been
            reported.
        honest: AUC with groups kept whole, its interval by groups.
        difference: Naive minus honest, its interval by groups.
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

    def to_dict(self, *, features_are: str) -> dict[str, Any]:
        """The gap as the report reads it.

        Args:
            features_are: What the classifier saw, in words that follow "on".
        """
        return {
            "metric": "auc",
            "classifier": f"a logistic regression on {features_are}",
            "naive": self.naive.to_dict(),
            "honest": self.honest.to_dict(),
            "difference": self.difference.to_dict(),
            "rows": self.rows,
            "groups": self.groups,
            "detail": "Cross-validated in five folds: once with frames divided at random, once with every source and "
            "group in a single fold.",
        }


def compare_splits(
    features: Float32Array, *, targets: BoolArray, groups: npt.ArrayLike, bootstrap: Bootstrap = BOOTSTRAP
) -> SplitComparison:
    """Cross-validate the cheap classifier at random and by group.

    Args:
        features: Frozen features of the frames, (N, D) float32.
        targets: True for the positive class, (N,).
        groups: Name of the group of each row, (N,).
        bootstrap: Level and resamples of the intervals; its seed is also that of the folds.

    Raises:
        ValueError: A class is in fewer than two groups.
    """
    names = np.asarray(groups).astype(str)
    alone = np.arange(len(targets)).astype(str)
    folds = min(FOLDS, groups_of_rarer_class(names, targets=targets))
    if folds < 2:
        raise ValueError("each class must be in at least two groups to be cross-validated")
    by_frame, by_group = (
        out_of_fold(features, targets=targets, groups=units, model=linear, folds=folds, seed=bootstrap.seed)
        for units in (alone, names)
    )
    naive, honest = (
        auc_interval(logits, targets=targets, groups=units, bootstrap=bootstrap)
        for logits, units in ((by_frame, alone), (by_group, names))
    )
    difference = _difference(by_frame, by_group, targets=targets, groups=names, bootstrap=bootstrap)
    return SplitComparison(naive, honest, difference, by_group, len(targets), len(np.unique(names)))


def gap_finding(comparison: SplitComparison, *, features_are: str) -> Finding:
    """The gap as an informational finding, since the run's own split is the honest one.

    Args:
        comparison: The two cross-validations.
        features_are: What the classifier saw, in words that follow "on".
    """
    gap = comparison.difference
    meaning = (
        "A random split would have credited the model with this much for recognising the sources."
        if gap.low > 0
        else "A random split would not have misled much here."
    )
    detail = (
        f"Cross-validated on frames divided at random, a logistic regression on {features_are} has an AUC of "
        f"{_in_words(comparison.naive)}; with every source and group in a single fold, "
        f"{_in_words(comparison.honest)}. The difference is {_in_words(gap)}. {meaning}"
    )
    numbers = comparison.to_dict(features_are=features_are)
    del numbers["detail"]
    return Finding("honest-against-naive", Level.INFO, "What a random split would have reported", detail, numbers)


def _difference(
    first: FloatArray, second: FloatArray, *, targets: BoolArray, groups: npt.NDArray[np.str_], bootstrap: Bootstrap
) -> Interval:
    """Difference of two AUCs of the same rows, both under the same resamples of the groups (percentile limits)."""
    grouping, auc = Grouping.from_names(groups, targets=targets), METRICS["auc"]
    models = [GroupedRows(ScoredRows.from_logits(targets, logits=logits), grouping) for logits in (first, second)]
    rng = np.random.default_rng(bootstrap.seed)
    one, other = (values["auc"] for values in resample(models, metrics=[auc], resamples=bootstrap.resamples, rng=rng))
    low, high = np.nanquantile(one - other, bootstrap.tails)
    return Interval(float(auc(models[0].rows)) - float(auc(models[1].rows)), float(low), float(high))


def _in_words(interval: Interval) -> str:
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"
