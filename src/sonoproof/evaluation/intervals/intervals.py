"""Intervals for metrics of rows that come in groups.

Frames of one source resemble each other, so whole groups are resampled, never rows. The plain percentile interval
is too narrow here: with 30 groups of unequal size, 95 % intervals cover 82 to 91 %
(``benchmarks/interval_coverage.py``). Three things give it the coverage that it claims:

* each stratum of n groups is resampled with n - 1 draws, whose variance is unbiased (Rao & Wu 1988);
* the limits are taken on the scale of the log-odds (of the logarithm for the loss), which stay within 0 and 1 and allow
  for the skewness near them;
* the quantile is Student's, with the degrees of freedom of Welch and Satterthwaite from the *effective* number of
  groups of each stratum, which is smaller the more unequal the groups are (Kish 1965; Carter et al. 2017).

References:
    Rao, Wu (1988), Resampling inference with complex survey data, JASA 83:231, section 2.
    Hesterberg (2015), What teachers should know about the bootstrap, Am. Stat. 69:371, section 3 (too narrow).
    Kish (1965), Survey Sampling, section 8.2: effective number of units (sum w)^2 / sum w^2.
    Carter, Schnepel, Steigerwald (2017), Asymptotic behavior of a t-test robust to cluster heterogeneity,
    Rev. Econ. Stat. 99:698.
    Clopper, Pearson (1934), The use of confidence or fiducial limits, Biometrika 26:404.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import expit, logit

from sonoproof.evaluation.intervals.resampling import (
    BOOTSTRAP,
    Bootstrap,
    GroupedRows,
    Grouping,
    resample,
    resample_each_stratum,
)
from sonoproof.evaluation.metrics.metrics import METRICS, Metric
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.groups import effective_number
from sonoproof.types import FloatArray, IndexArray

# Share of resamples that may leave a metric undefined before its limits are withheld.
MAX_UNDEFINED = 0.05
# Which rows are predicted positive is partly chance: where one group of many has all the false positives, the others
# might have had some. Without this floor a single false positive would give Student's quantile with one degree.
MIN_EFFECTIVE = 5.0


@dataclass(frozen=True)
class Interval:
    """A value with its limits; what is undefined is NaN, and `reason` says why.

    Attributes:
        value: The estimate from the rows themselves.
        low: Lower limit.
        high: Upper limit.
        reason: Why the value or a limit is missing; empty if none is.
    """

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    reason: str = ""

    def to_dict(self) -> dict[str, float | None]:
        """``value``, ``low`` and ``high`` as in the files of a run: None for what is not finite."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {key: float(number) if math.isfinite(number) else None for key, number in numbers.items()}


def metric_intervals(
    rows: ScoredRows,
    *,
    groups: npt.ArrayLike,
    metrics: Mapping[str, Metric] = METRICS,
    bootstrap: Bootstrap = BOOTSTRAP,
) -> dict[str, Interval]:
    """Each metric with its cluster-bootstrap interval.

    Args:
        rows: The rows.
        groups: Name of the group of each row, shape (N,).
        metrics: What to compute.
        bootstrap: How groups are resampled, and the level.

    Returns:
        Metric name to interval. A missing value or limit is NaN and carries its reason.
    """
    grouping = Grouping.from_names(groups, targets=rows.targets, stratified=bootstrap.stratified)
    grouped = GroupedRows(rows, grouping)
    found = {name: _unknown(metric, grouped) for name, metric in metrics.items()}
    known = [metrics[name] for name, interval in found.items() if interval is None]
    if known:
        rng = np.random.default_rng(bootstrap.seed)
        (joint,) = resample([grouped], metrics=known, resamples=bootstrap.resamples, rng=rng)
        alone = [stratum for (stratum,) in resample_each_stratum([grouped], metrics=known, rng=rng)]
    return {
        name: interval
        or _interval(
            metrics[name],
            grouped,
            resampled=joint[name],
            by_stratum=[stratum[name] for stratum in alone],
            confidence=bootstrap.confidence,
        )
        for name, interval in found.items()
    }


def standard_deviation(values: FloatArray) -> float:
    """Standard deviation of the resamples that are defined; NaN with fewer than two."""
    defined = values[np.isfinite(values)]
    return float(np.std(defined, ddof=1)) if len(defined) > 1 else float("nan")


def _unknown(metric: Metric, grouped: GroupedRows) -> Interval | None:
    """The interval of a metric that has no value or too few groups for limits."""
    reason = metric.reason(grouped.rows)
    if reason is not None:
        return Interval(reason=reason)
    value = float(metric(grouped.rows))
    for name in ("positive", "negative") if metric.over == "all" else (metric.over,):
        count = int((grouped.grouping.sizes(grouped.rows.which(name)) > 0).sum())
        if count == 1:
            return Interval(value, reason=f"no limits: only one group has a row that is {name}")
    return None


def _interval(
    metric: Metric, grouped: GroupedRows, *, resampled: FloatArray, by_stratum: Sequence[FloatArray], confidence: float
) -> Interval:
    value = float(metric(grouped.rows))
    if metric.bounded and value in (0.0, 1.0):
        return _interval_at_bound(metric, grouped, value=value, confidence=confidence)
    undefined, error = float(np.isnan(resampled).mean()), standard_deviation(resampled)
    if undefined > MAX_UNDEFINED:
        return Interval(value, reason=f"no limits: undefined in {100 * undefined:.0f} % of the resamples")
    if not error > 1e-12 * abs(value):
        return Interval(value, reason="no limits: every resample gave the same value")
    freedom = degrees_of_freedom(metric, grouped, by_stratum=by_stratum)
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    # The limits are symmetric on the transformed scale; the delta method takes the standard error there.
    if metric.bounded:
        centre, reach = float(logit(value)), reach / (value * (1 - value))
        return Interval(value, float(expit(centre - reach)), float(expit(centre + reach)))
    return Interval(value, value * float(np.exp(-reach / value)), value * float(np.exp(reach / value)))


def degrees_of_freedom(metric: Metric, grouped: GroupedRows, *, by_stratum: Sequence[FloatArray]) -> float:
    """Welch-Satterthwaite over the strata, each with its effective number of groups less one.

    Args:
        metric: The metric, or that whose difference is tested.
        grouped: The rows.
        by_stratum: For each stratum the values with only that one resampled.
    """
    effective = np.array([_effective_groups(metric, grouped, members) for members in grouped.grouping.strata])
    freedom = np.maximum(effective - 1, 1)
    share = np.nan_to_num(np.array([standard_deviation(values) ** 2 for values in by_stratum]))
    if share.sum() == 0:
        return float(freedom.min())
    return float(share.sum() ** 2 / (share**2 / freedom).sum())


def _effective_groups(metric: Metric, grouped: GroupedRows, members: IndexArray) -> float:
    """Kish's effective number of groups among `members`, by the rows that the metric is computed from.

    For a metric of all rows, the rows of the stratum's commoner class count.
    """
    grouping, rows = grouped.grouping, grouped.rows
    if metric.over != "all":
        effective = effective_number(grouping.sizes(rows.which(metric.over))[members])
        if metric.over.startswith("predicted"):
            return max(effective, min(MIN_EFFECTIVE, effective_number(grouping.sizes(rows.which("all"))[members])))
        return effective
    by_class = [grouping.sizes(mask)[members] for mask in (rows.targets, ~rows.targets)]
    if len(grouping.strata) == 1:
        return min(effective_number(sizes) for sizes in by_class if sizes.any())
    return effective_number(max(by_class, key=lambda sizes: float(sizes.sum())))


def _interval_at_bound(metric: Metric, grouped: GroupedRows, *, value: float, confidence: float) -> Interval:
    """Limits of a metric at 0 or 1, where resampling shows no spread.

    A share (recall, accuracy, …) gets the limit of Clopper and Pearson with each effective group counted as one
    row, which is cautious; for other metrics the far limit stays undefined.
    """
    if metric.name not in _SHARES:
        reason = f"no {'lower' if value else 'upper'} limit: the value is {value:g} in every resample"
        return Interval(value, math.nan if value else 0.0, 1.0 if value else math.nan, reason)
    n = max(effective_number(grouped.grouping.sizes(grouped.rows.which(metric.over))), 1.0)
    bound = ((1 - confidence) / 2) ** (1 / n)
    return Interval(value, bound if value else 0.0, 1.0 if value else 1 - bound)


_SHARES = frozenset({"recall", "accuracy", "precision", "specificity", "npv"})
