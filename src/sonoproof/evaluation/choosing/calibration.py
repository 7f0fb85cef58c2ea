"""Calibration: fitted on other rows than it is reported on, and never changing the order of the scores.

References:
    Guo, Pleiss, Sun, Weinberger (2017), On calibration of modern neural networks, ICML, section 4.2 (temperature).
    Platt (1999), Probabilistic outputs for support vector machines, section 2.2 (smoothed targets).
    Zadrozny, Elkan (2002), Transforming classifier scores into accurate probability estimates, KDD (isotonic).
"""

from __future__ import annotations

import numpy as np
from scipy import stats
from scipy.optimize import brentq, isotonic_regression
from scipy.special import expit, logit

from sonoproof.errors import ConfigError
from sonoproof.evaluation.choosing.rows import CalibrationRows
from sonoproof.evaluation.intervals.intervals import Interval
from sonoproof.evaluation.intervals.logistic import cluster_covariance, fit_logistic
from sonoproof.groups import effective_number
from sonoproof.training.verdict import Calibration, Method
from sonoproof.types import FloatArray

ISOTONIC_GROUPS = 100
# A slope within these keeps the order of the scores, and stays finite where a score separates the classes.
SLOPES = (0.05, 20.0)
_INTERCEPTS = (-20.0, 20.0)


def fit_calibration(rows: CalibrationRows, *, method: Method) -> Calibration:
    """Fit a calibration on rows that it will not be reported on.

    Args:
        rows: The rows.
        method: ``none``, ``temperature``, ``platt``, or, with at least `ISOTONIC_GROUPS` groups, ``isotonic``.

    Raises:
        ConfigError: A class is missing, there are too few groups, or the method is unknown.
    """
    scores, y = rows.logits, rows.targets.astype(np.float64)
    if method == "none":
        return Calibration()
    if not 0 < y.sum() < len(y):
        raise ConfigError("calibration needs rows of both classes; calibrate on more rows, or use the method 'none'")
    if method == "temperature":
        return Calibration(method, _best_slope(scores, targets=y))
    if method == "platt":
        slope, intercept = fit_logistic(
            np.column_stack([scores, np.ones_like(scores)]), targets=_smoothed(y), bounds=[SLOPES, _INTERCEPTS]
        )
        return Calibration(method, float(slope), float(intercept))
    if method == "isotonic":
        if rows.n_groups < ISOTONIC_GROUPS:
            raise ConfigError(
                f"isotonic calibration needs {ISOTONIC_GROUPS} groups, and there are {rows.n_groups}; "
                "use 'temperature' or 'platt'"
            )
        return Calibration(method, knots=_isotonic_knots(scores, targets=y))
    raise ConfigError(f"there is no calibration {method!r}; choose none, temperature, platt or isotonic")


def temperature_interval(rows: CalibrationRows, *, confidence: float = 0.95) -> Interval:
    """Temperature of the rows with its interval, by the sandwich variance over groups on the log scale."""
    slope = fit_calibration(rows, method="temperature").slope
    if slope in SLOPES:
        return Interval(1 / slope, reason="no limits: the likelihood has no inner maximum")
    _, group_of_row = np.unique(rows.groups, return_inverse=True)
    covariance = cluster_covariance(
        rows.logits[:, None],
        targets=rows.targets.astype(np.float64),
        coefficients=np.array([slope]),
        group_of_row=group_of_row,
    )
    freedom = max(effective_number(np.bincount(group_of_row)) - 1, 1.0)
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom) * np.sqrt(covariance[0, 0])) / slope
    return Interval(1 / slope, float(np.exp(-reach)) / slope, float(np.exp(reach)) / slope)


def _best_slope(scores: FloatArray, *, targets: FloatArray) -> float:
    """The slope of the highest likelihood within `SLOPES`: the root of its derivative, as the likelihood is concave."""

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
    """Ends of the steps of the isotonic fit, with probabilities kept half a row away from 0 and 1."""
    values, where, counts = np.unique(scores, return_inverse=True, return_counts=True)
    share = np.bincount(where, weights=targets) / counts
    fitted = isotonic_regression(share, weights=counts.astype(float)).x
    margin = 0.5 / len(targets)
    calibrated = logit(np.clip(fitted, margin, 1 - margin))
    edge = np.append(True, np.diff(calibrated) != 0)
    ends = edge | np.append(edge[1:], True)
    return tuple(zip(values[ends].tolist(), calibrated[ends].tolist(), strict=True))
