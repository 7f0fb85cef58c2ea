"""From which probability a row is called positive: chosen by a stated policy, never where it is reported."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from sonoproof.evaluation.calibration import Calibration, Method, fit_calibration
from sonoproof.evaluation.folds import group_folds
from sonoproof.evaluation.intervals import Interval
from sonoproof.evaluation.resampling import GroupedRows, Grouping
from sonoproof.evaluation.rows import ScoredRows
from sonoproof.evaluation.threshold import Policy, choose_threshold, resampled_thresholds

__all__ = [
    "CrossFittedDecisions",
    "OperatingPoint",
    "choose_operating_point",
    "cross_fitted_decisions",
]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and where it comes from.

    Attributes:
        threshold: Probability from which a row is called positive, with the interval of its choice.
        policy: How it was chosen.
        chosen_on: Which rows it was chosen on, in words.
        n: Number of those rows.
        n_units: Number of their groups.
    """

    threshold: Interval
    policy: Policy
    chosen_on: str
    n: int
    n_units: int


@dataclass(frozen=True)
class CrossFittedDecisions:
    """Decisions on rows, none of which had a part in choosing its own calibration or threshold.

    Attributes:
        rows: Targets, calibrated logits and calls.
        fold: Fold of each row, shape (N,).
        calibrations: The calibration applied to each fold.
        thresholds: The threshold applied to each fold.
    """

    rows: ScoredRows
    fold: npt.NDArray[np.intp]
    calibrations: tuple[Calibration, ...]
    thresholds: tuple[float, ...]


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
        resamples: Bootstrap resamples.
        seed: Seed of the resampling.

    Raises:
        ConfigError: The policy needs a class that the rows lack.
    """
    threshold = choose_threshold(rows, policy=policy)
    grouping = Grouping.of(groups, targets=rows.targets)
    interval = Interval(threshold, threshold, threshold)
    if policy.name != "fixed":
        interval = _interval(
            threshold,
            resampled_thresholds(GroupedRows(rows, grouping), policy=policy, resamples=resamples, seed=seed),
            confidence=confidence,
            smallest=min(len(members) for members in grouping.strata),
        )
    return OperatingPoint(interval, policy, chosen_on, rows.n, grouping.n_groups)


def cross_fitted_decisions(
    logits: npt.ArrayLike,
    *,
    targets: npt.ArrayLike,
    groups: npt.ArrayLike,
    policy: Policy,
    method: Method = "none",
    folds: int = 5,
    seed: int = 0,
) -> CrossFittedDecisions:
    """Calibrate and call each fold of groups with what was chosen on the other folds.

    Args:
        logits: Log-odds of the positive class, shape (N,).
        targets: 1 for the positive class, else 0, shape (N,).
        groups: Name of the group of each row, shape (N,).
        policy: How the threshold is chosen.
        method: How the logits are calibrated before that.
        folds: Number of folds.
        seed: Seed of the division into folds.

    Raises:
        ConfigError: There are too few groups, or the other folds lack a class.
    """
    scores, y, names = np.asarray(logits, dtype=np.float64), np.asarray(targets).astype(bool), np.asarray(groups)
    fold = group_folds(names, folds=folds, seed=seed)
    calibrated, called = np.empty_like(scores), np.empty(len(scores), dtype=np.bool_)
    calibrations, thresholds = [], []
    for index in range(folds):
        inside, outside = fold == index, fold != index
        fitted = fit_calibration(scores[outside], targets=y[outside], groups=names[outside], method=method)
        others = ScoredRows.from_logits(y[outside], logits=fitted.apply(scores[outside]))
        threshold = choose_threshold(others, policy=policy)
        calibrated[inside] = fitted.apply(scores[inside])
        called[inside] = expit(calibrated[inside]) >= threshold
        calibrations.append(fitted)
        thresholds.append(threshold)
    return CrossFittedDecisions(ScoredRows(y, calibrated, called), fold, tuple(calibrations), tuple(thresholds))


def _interval(threshold: float, resampled: FloatArray, *, confidence: float, smallest: int) -> Interval:
    if smallest < 2:
        nan = float("nan")
        return Interval(threshold, nan, nan, "no limits: fewer than two groups of a class")
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, (tail, 1 - tail))
    return Interval(threshold, float(low), float(high))
