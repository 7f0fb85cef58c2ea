"""How well probabilities are calibrated: expected calibration error, slope, intercept, each with its interval.

References:
    Naeini, Cooper, Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian binning, AAAI (ECE).
    Cox (1958), Two further applications of a model for binary regression, Biometrika 45:562 (slope, intercept).
    Van Calster et al. (2016), A calibration hierarchy for risk models was defined, J. Clin. Epidemiol. 74:167.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from sonoproof.evaluation.intervals.intervals import Interval
from sonoproof.evaluation.intervals.logistic import cluster_covariance, fit_logistic
from sonoproof.evaluation.intervals.resampling import BOOTSTRAP, Bootstrap, Grouping, chunk_sizes
from sonoproof.evaluation.metrics.curves import RELIABILITY_BINS, bin_index
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.groups import effective_number
from sonoproof.types import FloatArray, IndexArray

_LIMIT = 50.0


def calibration_error(rows: ScoredRows) -> float:
    """Expected calibration error: mean over rows of |mean probability - share positive| of the row's bin."""
    gaps = np.bincount(bin_index(rows.probabilities), weights=rows.probabilities - rows.targets)
    return float(np.abs(gaps).sum() / rows.n) if rows.n else float("nan")


def calibration_errors(rows: ScoredRows, *, groups: npt.ArrayLike, bootstrap: Bootstrap = BOOTSTRAP) -> Interval:
    """Expected calibration error with its interval by the cluster bootstrap.

    The error is a sum of absolute gaps, which chance alone makes positive: a percentile interval would exclude zero
    even for calibrated rows. By the triangle inequality the error differs from the true one by at most the sum of the
    gaps' own deviations, so the lower limit is the error less the quantile of that sum in the resamples. The upper
    limit is that of the basic bootstrap.

    Args:
        rows: The rows.
        groups: Name of the group of each row, shape (N,).
        bootstrap: How groups are resampled, by class in any case, and the level.
    """
    value = calibration_error(rows)
    grouping = Grouping.from_names(groups, targets=rows.targets)
    if grouping.smallest_stratum < 2:
        return Interval(value, reason="no limits: fewer than two groups of a class")
    cell = grouping.group_of_row * RELIABILITY_BINS + bin_index(rows.probabilities)
    size = grouping.n_groups * RELIABILITY_BINS
    gaps = np.bincount(cell, weights=rows.probabilities - rows.targets, minlength=size)
    gaps_of_group = gaps.reshape(grouping.n_groups, RELIABILITY_BINS)
    n_of_group = grouping.sizes(rows.which("all"))
    rngs = np.random.default_rng(bootstrap.seed).spawn(len(grouping.strata))
    errors, deviations = [], []
    for chunk in chunk_sizes(bootstrap.resamples, width=grouping.n_groups):
        weights = grouping.draw(chunk, rngs=rngs)
        resampled = (weights @ gaps_of_group) / (weights @ n_of_group)[:, None]
        errors.append(np.abs(resampled).sum(axis=1))
        deviations.append(np.abs(resampled - gaps_of_group.sum(axis=0) / rows.n).sum(axis=1))
    low_tail, high_tail = bootstrap.tails
    low = value - float(np.quantile(np.concatenate(deviations), high_tail))
    high = 2 * value - float(np.quantile(np.concatenate(errors), low_tail))
    return Interval(value, max(low, 0.0), max(high, value))


def cox_calibration(rows: ScoredRows, *, groups: npt.ArrayLike, confidence: float = 0.95) -> dict[str, Interval]:
    """Slope, intercept and calibration in the large, with intervals from the sandwich variance over groups.

    ``slope`` and ``intercept`` regress the target on the logit (1 and 0 if calibrated; a slope below 1 means
    overconfident). ``in_the_large`` is the intercept with the slope held at 1 (above 0: the probabilities are too low).

    Args:
        rows: The rows.
        groups: Name of the group of each row, shape (N,).
        confidence: Level, between 0 and 1.
    """
    names = ("slope", "intercept", "in_the_large")
    if rows.n == 0 or rows.targets.all() or not rows.targets.any():
        return dict.fromkeys(names, Interval(reason="only one class"))
    if _separated(rows):
        return dict.fromkeys(names, Interval(reason="the scores separate the classes, or are all equal"))
    _, group_of_row = np.unique(np.asarray(groups), return_inverse=True)
    ones = np.ones((rows.n, 1))
    both = _intervals(
        rows, np.column_stack([rows.logits, ones]), offset=0.0, group_of_row=group_of_row, level=confidence
    )
    large = _intervals(rows, ones, offset=rows.logits, group_of_row=group_of_row, level=confidence)
    return dict(zip(names, [*both, *large], strict=True))


def _separated(rows: ScoredRows) -> bool:
    """Whether a regression on the logit has no finite solution."""
    positive, negative = rows.logits[rows.targets], rows.logits[~rows.targets]
    return bool(positive.min() >= negative.max() or positive.max() <= negative.min())


def _intervals(
    rows: ScoredRows, design: FloatArray, *, offset: FloatArray | float, group_of_row: IndexArray, level: float
) -> list[Interval]:
    targets = rows.targets.astype(np.float64)
    bounds = [(-_LIMIT, _LIMIT)] * design.shape[1]
    found = fit_logistic(design, targets=targets, bounds=bounds, offset=offset)
    if (np.abs(found) > 0.999 * _LIMIT).any():
        return [Interval(reason="the likelihood has no maximum within reach")] * len(found)
    n_groups = int(group_of_row.max()) + 1
    if n_groups < 2:
        return [Interval(float(value), reason="no limits: only one group") for value in found]
    covariance = cluster_covariance(
        design, targets=targets, coefficients=found, group_of_row=group_of_row, offset=offset
    )
    freedom = max(effective_number(np.bincount(group_of_row)) - 1, 1.0)
    reach = stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(np.diag(covariance))
    return [Interval(float(v), float(v - r), float(v + r)) for v, r in zip(found, reach, strict=True)]
