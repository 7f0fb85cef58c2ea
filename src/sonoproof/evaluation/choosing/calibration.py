"""Calibration: fitted on other rows than it is reported on, and never changing the order of the scores.

Groups count alike, and each fit is shrunk towards the network's own probabilities: to the groups are added
`PRIOR_GROUPS` that show these to be right. With few groups little is changed; with hundreds nothing is held back.

References:
    Guo, Pleiss, Sun, Weinberger (2017), On calibration of modern neural networks, ICML, section 4.2 (temperature).
    Platt (1999), Probabilistic outputs for support vector machines, section 2.2.
    Zadrozny, Elkan (2002), Transforming classifier scores into accurate probability estimates, KDD (isotonic).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import stats
from scipy.optimize import brentq, isotonic_regression
from scipy.special import expit, logit

from sonoproof.errors import ConfigError
from sonoproof.evaluation.choosing.held_out import PRIOR_GROUPS, Gain, gain_on_other_groups
from sonoproof.evaluation.choosing.rows import CalibrationRows
from sonoproof.evaluation.intervals.intervals import Interval
from sonoproof.evaluation.intervals.logistic import cluster_covariance, fit_logistic
from sonoproof.training.verdict import Calibration, Method
from sonoproof.types import FloatArray

ISOTONIC_GROUPS = 100
# One-sided level at which a calibration must lower the loss; stricter where more is fitted.
CHANCE: Mapping[Method, float] = {"temperature": 0.1, "platt": 0.05, "isotonic": 0.05}
# A slope within these keeps the order of the scores, and stays finite where a score separates the classes.
SLOPES = (0.05, 20.0)
_INTERCEPTS = (-20.0, 20.0)


def fit_calibration(rows: CalibrationRows, *, method: Method, prior_groups: float = PRIOR_GROUPS) -> Calibration:
    """Fit a calibration on rows that it will not be reported on.

    Args:
        rows: The rows.
        method: ``none``, ``temperature``, ``platt``, or, with at least `ISOTONIC_GROUPS` groups, ``isotonic``.
        prior_groups: How many groups that show the network's own probabilities to be right are added; 0 adds none.

    Raises:
        ConfigError: A class is missing, there are too few groups, or the method is unknown.
    """
    if method == "isotonic" and rows.n_groups < ISOTONIC_GROUPS:
        raise ConfigError(
            f"isotonic calibration needs {ISOTONIC_GROUPS} groups, and there are {rows.n_groups}; "
            "use 'temperature' or 'platt'"
        )
    if method != "none" and not rows.has_both_classes:
        raise ConfigError("calibration needs rows of both classes; calibrate on more rows, or use the method 'none'")
    return _fit(rows, method=method, prior_groups=prior_groups)


def temperature_interval(rows: CalibrationRows, *, confidence: float = 0.95) -> Interval:
    """Temperature that the rows alone ask for, with its interval.

    The variance is the sandwich over groups, on the log scale; nothing is shrunk.
    """
    slope = fit_calibration(rows, method="temperature", prior_groups=0).slope
    if slope in SLOPES:
        return Interval(1 / slope, reason="no limits: the likelihood has no inner maximum")
    covariance = cluster_covariance(
        rows.logits[:, None],
        targets=rows.targets.astype(np.float64),
        coefficients=np.array([slope]),
        group_of_row=rows.group_of_row,
        weights=rows.weights,
    )
    freedom = max(rows.n_groups - 1, 1)
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom) * np.sqrt(covariance[0, 0])) / slope
    return Interval(1 / slope, float(np.exp(-reach)) / slope, float(np.exp(reach)) / slope)


def calibration_gain(rows: CalibrationRows, *, method: Method) -> Gain:
    """How much a calibration lowers the log loss of groups that had no part in its fit.

    Args:
        rows: Rows of both classes.
        method: Any but ``none``.
    """

    def losses(calibration: Calibration, on: CalibrationRows) -> tuple[FloatArray, FloatArray]:
        signed = np.where(on.targets, 1, -1) * calibration.apply(on.logits)
        return np.logaddexp(0, -signed), np.logaddexp(0, signed)

    return gain_on_other_groups(
        rows,
        choose=lambda others: _fit(others, method=method),
        nothing=Calibration(),
        losses=losses,
        chance=CHANCE[method],
    )


def separates(rows: CalibrationRows) -> bool:
    """Whether no temperature fits: the scores either separate the classes or do not rank them."""
    return not SLOPES[0] < fit_calibration(rows, method="temperature", prior_groups=0).slope < SLOPES[1]


def _fit(rows: CalibrationRows, *, method: Method, prior_groups: float = PRIOR_GROUPS) -> Calibration:
    if method == "none":
        return Calibration()
    targets = rows.shrunk_targets(expit(rows.logits), prior_groups=prior_groups)
    if method == "temperature":
        return Calibration(method, _best_slope(rows, targets=targets))
    if method == "platt":
        slope, intercept = fit_logistic(
            np.column_stack([rows.logits, np.ones_like(rows.logits)]),
            targets=targets,
            bounds=[SLOPES, _INTERCEPTS],
            weights=rows.weights,
        )
        return Calibration(method, float(slope), float(intercept))
    if method == "isotonic":
        return Calibration(method, knots=_isotonic_knots(rows, targets=targets))
    raise ConfigError(f"there is no calibration {method!r}; choose none, temperature, platt or isotonic")


def _best_slope(rows: CalibrationRows, *, targets: FloatArray) -> float:
    """The slope of the highest likelihood within `SLOPES`: the root of its derivative, as the likelihood is concave."""
    weighted = rows.weights * rows.logits

    def derivative(slope: float) -> float:
        return float(weighted @ (expit(slope * rows.logits) - targets))

    lowest, highest = SLOPES
    if derivative(highest) <= 0:
        return highest
    if derivative(lowest) >= 0:
        return lowest
    return float(brentq(derivative, lowest, highest, xtol=1e-12))


def _isotonic_knots(rows: CalibrationRows, *, targets: FloatArray) -> tuple[tuple[float, float], ...]:
    """Ends of the steps of the isotonic fit, with probabilities kept half a group away from 0 and 1."""
    values, where = np.unique(rows.logits, return_inverse=True)
    weight = np.bincount(where, weights=rows.weights)
    share = np.bincount(where, weights=rows.weights * targets) / weight
    fitted = isotonic_regression(share, weights=weight).x
    margin = 0.5 / rows.n_groups
    calibrated = logit(np.clip(fitted, margin, 1 - margin))
    edge = np.append(True, np.diff(calibrated) != 0)
    ends = edge | np.append(edge[1:], True)
    return tuple(zip(values[ends].tolist(), calibrated[ends].tolist(), strict=True))
