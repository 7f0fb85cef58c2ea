"""Calibration: fitted apart from where it is reported, and never changing the order of the scores.

References:
    Guo, Pleiss, Sun, Weinberger (2017), On calibration of modern neural networks, ICML, section 4.2 (temperature).
    Platt (1999), Probabilistic outputs for support vector machines, section 2.2 (smoothed targets).
    Zadrozny, Elkan (2002), Transforming classifier scores into accurate probability estimates, KDD (isotonic).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.optimize import brentq, isotonic_regression
from scipy.special import expit, logit

from sonoproof.errors import ConfigError
from sonoproof.evaluation.intervals.intervals import Interval
from sonoproof.evaluation.intervals.logistic import cluster_covariance, fit_logistic
from sonoproof.evaluation.intervals.resampling import kish
from sonoproof.training.verdict import Calibration, Method

__all__ = ["ISOTONIC_GROUPS", "SLOPES", "Calibration", "Method", "fit_calibration", "temperature_interval"]

FloatArray = npt.NDArray[np.float64]

ISOTONIC_GROUPS = 100
# A slope within these keeps the order of the scores, and stays finite where a score separates the classes.
SLOPES = (0.05, 20.0)
_INTERCEPTS = (-20.0, 20.0)


def fit_calibration(
    logits: npt.ArrayLike, *, targets: npt.ArrayLike, groups: npt.ArrayLike, method: Method
) -> Calibration:
    """Fit a calibration on rows that it will not be reported on.

    Args:
        logits: Finite log-odds of the positive class, shape (N,).
        targets: 1 for the positive class, else 0, shape (N,).
        groups: Name of the group of each row, shape (N,).
        method: ``none``, ``temperature``, ``platt``, or ``isotonic`` from `ISOTONIC_GROUPS` groups on.

    Raises:
        ConfigError: A class is missing, there are too few groups, or the method is unknown.
    """
    scores, y = np.asarray(logits, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    if method == "none":
        return Calibration()
    if not 0 < y.sum() < len(y):
        raise ConfigError("calibration needs rows of both classes; calibrate on more rows, or with method 'none'")
    if method == "temperature":
        return Calibration(method, _best_slope(scores, targets=y))
    if method == "platt":
        slope, intercept = fit_logistic(
            np.column_stack([scores, np.ones_like(scores)]), targets=_smoothed(y), bounds=[SLOPES, _INTERCEPTS]
        )
        return Calibration(method, float(slope), float(intercept))
    if method == "isotonic":
        n_groups = len(np.unique(np.asarray(groups)))
        if n_groups < ISOTONIC_GROUPS:
            raise ConfigError(
                f"isotonic calibration needs {ISOTONIC_GROUPS} groups, there are {n_groups}; "
                "use 'temperature' or 'platt'"
            )
        return Calibration(method, knots=_isotonic_knots(scores, targets=y))
    raise ConfigError(f"there is no calibration {method!r}; there are none, temperature, platt, isotonic")


def temperature_interval(
    logits: npt.ArrayLike, *, targets: npt.ArrayLike, groups: npt.ArrayLike, confidence: float = 0.95
) -> Interval:
    """Temperature of the rows with its interval, by the sandwich variance over groups on the log scale."""
    scores, y = np.asarray(logits, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    slope = fit_calibration(scores, targets=y, groups=groups, method="temperature").slope
    nan = float("nan")
    if slope in SLOPES:
        return Interval(1 / slope, nan, nan, "no limits: the likelihood has no inner maximum")
    _, group_of_row = np.unique(np.asarray(groups), return_inverse=True)
    covariance = cluster_covariance(
        scores[:, None], targets=y, coefficients=np.array([slope]), group_of_row=group_of_row
    )
    freedom = max(kish(np.bincount(group_of_row).astype(float)) - 1, 1.0)
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom) * np.sqrt(covariance[0, 0])) / slope
    return Interval(1 / slope, float(np.exp(-reach)) / slope, float(np.exp(reach)) / slope)


def _best_slope(scores: FloatArray, *, targets: FloatArray) -> float:
    """The slope within `SLOPES` of the highest likelihood, which is concave: the root of its derivative."""

    def derivative(slope: float) -> float:
        return float(np.sum((expit(slope * scores) - targets) * scores))

    lowest, highest = SLOPES
    if derivative(highest) <= 0:
        return highest
    if derivative(lowest) >= 0:
        return lowest
    return float(brentq(derivative, lowest, highest, xtol=1e-12))


def _smoothed(targets: FloatArray) -> FloatArray:
    """Platt's targets, which keep the fit finite where the classes are separated."""
    positive, negative = targets.sum(), (1 - targets).sum()
    smoothed = np.where(targets == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    return np.asarray(smoothed, dtype=np.float64)


def _isotonic_knots(scores: FloatArray, *, targets: FloatArray) -> tuple[tuple[float, float], ...]:
    """Ends of the steps of the isotonic fit, with probabilities kept off 0 and 1 by half a row."""
    values, where, counts = np.unique(scores, return_inverse=True, return_counts=True)
    share = np.bincount(where, weights=targets) / counts
    fitted = isotonic_regression(share, weights=counts.astype(float)).x
    margin = 0.5 / len(targets)
    calibrated = logit(np.clip(fitted, margin, 1 - margin))
    edge = np.append(True, np.diff(calibrated) != 0)
    ends = edge | np.append(edge[1:], True)
    return tuple(zip(values[ends].tolist(), calibrated[ends].tolist(), strict=True))
