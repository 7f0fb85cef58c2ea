"""Intervals and tests that hold where rows are independent: DeLong for the AUC, Clopper-Pearson for shares.

Frames of one source are not independent: `independent_intervals` gives intervals only where every group has one row,
and else the reason.

References:
    DeLong, DeLong, Clarke-Pearson (1988), Comparing the areas under two or more correlated receiver operating
    characteristic curves, Biometrics 44:837, equations 3 to 5.
    Sun, Xu (2014), Fast implementation of DeLong's algorithm, IEEE Signal Process. Lett. 21:1389 (by midranks).
    Clopper, Pearson (1934), The use of confidence or fiducial limits, Biometrika 26:404.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from sonoproof.evaluation.intervals.intervals import Interval
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.types import BoolArray, FloatArray


@dataclass(frozen=True)
class PairedTest:
    """Difference of two estimates on the same rows.

    Attributes:
        difference: First less second.
        low: Lower limit of the difference.
        high: Upper limit of the difference.
        p: Two-sided p-value of no difference.
        reason: Why limits and p are missing (NaN); empty if they are not.
    """

    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    reason: str = ""


def auc_covariance(scores: npt.ArrayLike, *, targets: BoolArray) -> tuple[FloatArray, FloatArray]:
    """AUC of each score and their covariance matrix.

    Args:
        scores: Scores of K models on the same independent rows, shape (K, N).
        targets: True for the positive class, shape (N,), with at least two rows of each class.

    Returns:
        The AUCs, shape (K,), and their covariance, shape (K, K).
    """
    table = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    among_all = stats.rankdata(table, axis=1)
    ranks_of_positives = among_all[:, targets] - stats.rankdata(table[:, targets], axis=1)
    ranks_of_negatives = among_all[:, ~targets] - stats.rankdata(table[:, ~targets], axis=1)
    n_positive, n_negative = int(targets.sum()), int((~targets).sum())
    of_positives = ranks_of_positives / n_negative
    of_negatives = 1 - ranks_of_negatives / n_positive
    covariance = np.cov(of_positives) / n_positive + np.cov(of_negatives) / n_negative
    return of_positives.mean(axis=1), np.atleast_2d(covariance)


def delong_interval(rows: ScoredRows, *, confidence: float = 0.95) -> Interval:
    """AUC of independent rows with DeLong's interval, cut off at 0 and 1."""
    value = float(METRICS["auc"](rows))
    reason = _why_no_variance(rows)
    if reason:
        return Interval(value, reason=reason)
    if value in (0.0, 1.0):
        return Interval(value, reason=f"no limits: the AUC is {value:g}, and its variance by DeLong is zero")
    _, covariance = auc_covariance(rows.rank_scores, targets=rows.targets)
    reach = float(stats.norm.ppf((1 + confidence) / 2) * np.sqrt(covariance[0, 0]))
    return Interval(value, max(value - reach, 0.0), min(value + reach, 1.0))


def delong_test(first: ScoredRows, *, second: ScoredRows, confidence: float = 0.95) -> PairedTest:
    """DeLong's test of two AUCs on the same independent rows.

    Raises:
        ValueError: The rows differ.
    """
    if not np.array_equal(first.targets, second.targets):
        raise ValueError("the two scores are not of the same rows: their targets differ")
    difference = float(METRICS["auc"](first) - METRICS["auc"](second))
    reason = _why_no_variance(first)
    if reason:
        return PairedTest(difference, reason=reason)
    _, covariance = auc_covariance(np.stack([first.rank_scores, second.rank_scores]), targets=first.targets)
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if not variance > 0:
        return PairedTest(difference, reason="no test: the difference has no variance")
    error = float(np.sqrt(variance))
    reach = float(stats.norm.ppf((1 + confidence) / 2)) * error
    p = 2 * float(stats.norm.sf(abs(difference) / error))
    return PairedTest(difference, difference - reach, difference + reach, p)


def independent_intervals(
    rows: ScoredRows, *, groups: npt.ArrayLike, confidence: float = 0.95
) -> dict[str, Interval] | str:
    """DeLong's interval of the AUC and exact ones of the shares, or why they do not hold.

    Args:
        rows: The rows.
        groups: Name of the group of each row, shape (N,).
        confidence: Level, between 0 and 1.

    Returns:
        Metric name to interval; or the reason, where a group has several rows.
    """
    n_groups = len(np.unique(np.asarray(groups)))
    if n_groups < rows.n:
        return f"{rows.n} rows come from {n_groups} groups: they are not independent"
    tp, fp, tn, fn = (int(count) for count in rows.contributions[:, :4].sum(axis=0))
    shares = {
        "recall": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "precision": (tp, tp + fp),
        "npv": (tn, tn + fn),
        "accuracy": (tp + tn, rows.n),
    }
    exact = {name: clopper_pearson(k, n=n, confidence=confidence) for name, (k, n) in shares.items() if n}
    return {"auc": delong_interval(rows, confidence=confidence), **exact}


def clopper_pearson(successes: int, *, n: int, confidence: float = 0.95) -> Interval:
    """A share of `n` independent rows with its exact interval."""
    limits = stats.binomtest(successes, n).proportion_ci(confidence, method="exact")
    return Interval(successes / n, float(limits.low), float(limits.high))


def _why_no_variance(rows: ScoredRows) -> str:
    for name, count in (("positive", int(rows.targets.sum())), ("negative", int((~rows.targets).sum()))):
        if count < 2:
            return f"no limits: {'no' if count == 0 else 'only one'} {name} row"
    return ""
