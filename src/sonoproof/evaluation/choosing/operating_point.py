"""The threshold, chosen by a stated policy and never on the rows that it is reported on.

References:
    Youden (1950), Index for rating diagnostic tests, Cancer 3:32.
    Metz (1978), Basic principles of ROC analysis, Semin. Nucl. Med. 8:283 (cost and prevalence).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from sonoproof.config import CalibrateConfig
from sonoproof.errors import ConfigError
from sonoproof.evaluation.intervals.resampling import BOOTSTRAP, Bootstrap, GroupedRows, Grouping, chunk_sizes
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.training.verdict import OperatingPoint
from sonoproof.types import BoolArray, FloatArray, IndexArray


def choose_operating_point(
    rows: ScoredRows,
    *,
    groups: npt.ArrayLike,
    config: CalibrateConfig,
    chosen_on: str,
    bootstrap: Bootstrap = BOOTSTRAP,
) -> OperatingPoint:
    """Choose the threshold on these rows, with the interval of the choice by resampling groups.

    Args:
        rows: Rows that the threshold will not be reported on.
        groups: Name of the group of each row, shape (N,).
        config: The policy; any but ``fixed``.
        chosen_on: Which rows these are, in words, for the record.
        bootstrap: How groups are resampled, by class in any case, and the level of the threshold's percentile interval;
            without resamples there is none.

    Raises:
        ConfigError: The rows are all of one class.
    """
    grouping = Grouping.from_names(groups, targets=rows.targets)
    low, high = None, None
    # Without two groups of each class there is nothing to resample: no limits.
    if bootstrap.resamples and grouping.smallest_stratum > 1:
        resampled = _resampled_thresholds(GroupedRows(rows, grouping), config=config, bootstrap=bootstrap)
        low, high = (float(limit) for limit in np.quantile(resampled, bootstrap.tails))
    return OperatingPoint(
        choose_threshold(rows, config=config),
        policy=config.policy,
        target=config.target if config.policy in ("sensitivity", "specificity") else None,
        low=low,
        high=high,
        chosen_on=chosen_on,
        n=rows.n,
        n_groups=grouping.n_groups,
    )


def choose_threshold(rows: ScoredRows, *, config: CalibrateConfig) -> float:
    """The probability that the policy, any but ``fixed``, chooses on these rows, halfway (in logits) between two rows.

    Raises:
        ConfigError: The rows are all of one class.
    """
    if rows.targets.all() or not rows.targets.any():
        raise ConfigError(f"policy {config.policy!r} needs rows of both classes; set a fixed threshold")
    cuts = _Cuts.from_logits(rows.logits)
    tp, fp = (cuts.totals_above(which[cuts.order][None, :]) for which in (rows.targets, ~rows.targets))
    return float(cuts.probabilities[_chosen(tp, fp, config=config)[0]])


def _resampled_thresholds(grouped: GroupedRows, *, config: CalibrateConfig, bootstrap: Bootstrap) -> FloatArray:
    """The threshold chosen in each resample of groups, shape (R,)."""
    cuts = _Cuts.from_logits(grouped.rows.logits)
    targets, groups = grouped.rows.targets[cuts.order], grouped.grouping.group_of_row[cuts.order]
    rngs = np.random.default_rng(bootstrap.seed).spawn(len(grouped.grouping.strata))
    chosen = []
    for size in chunk_sizes(bootstrap.resamples, width=grouped.rows.n):
        weights = np.take(grouped.grouping.draw(size, rngs=rngs), groups, axis=1)
        positive = weights * targets
        cut = _chosen(cuts.totals_above(positive), cuts.totals_above(weights - positive), config=config)
        chosen.append(cuts.probabilities[cut])
    return np.concatenate(chosen)


@dataclass(frozen=True)
class _Cuts:
    """The places in the falling order of scores at which predicting positive may stop.

    Attributes:
        order: Row indices by falling score, shape (N,).
        stops: Number of rows predicted positive at each cut, from none to all, shape (C,).
        probabilities: The threshold of each cut, shape (C,).
    """

    order: IndexArray
    stops: IndexArray
    probabilities: FloatArray

    @classmethod
    def from_logits(cls, logits: FloatArray) -> _Cuts:
        order = np.argsort(-logits, kind="stable")
        falling = logits[order]
        stops = np.concatenate([[0], np.flatnonzero(np.diff(falling)) + 1, [len(falling)]])
        between = (falling[stops[1:-1] - 1] + falling[stops[1:-1]]) / 2
        # Cuts outside the scores are one logit beyond them.
        cuts = np.concatenate([[falling[0] + 1], between, [falling[-1] - 1]])
        return cls(order, stops, np.asarray(expit(cuts), dtype=np.float64))

    def totals_above(self, weights: FloatArray | BoolArray) -> FloatArray:
        """Total of `weights` (R, N), in the falling order, above each cut, shape (R, C)."""
        totals = np.zeros((weights.shape[0], weights.shape[1] + 1))
        np.cumsum(weights, axis=1, out=totals[:, 1:])
        return totals[:, self.stops]


def _chosen(tp: FloatArray, fp: FloatArray, *, config: CalibrateConfig) -> IndexArray:
    """Index of the chosen cut from the true and false positives at each cut, both (R, C); result (R,)."""
    own = tp[:, -1:] / (tp[:, -1:] + fp[:, -1:])
    prevalence = own if config.prevalence is None else np.full_like(own, config.prevalence)
    worth = _worth(tp / tp[:, -1:], fp / fp[:, -1:], prevalence=prevalence, config=config)
    # The first of equals, which predicts fewest positive.
    return np.asarray(np.argmax(worth, axis=1), dtype=np.intp)


def _worth(
    sensitivity: FloatArray, false_rate: FloatArray, *, prevalence: FloatArray, config: CalibrateConfig
) -> FloatArray:
    """What the policy maximises, at each cut, shape (R, C); rounded, so that equals are equal."""
    if config.policy == "sensitivity":
        return (sensitivity >= config.target - 1e-12).astype(np.float64)
    if config.policy == "specificity":
        # Of the cuts that are specific enough the last one is the most sensitive.
        return np.cumsum(1 - false_rate >= config.target - 1e-12, axis=1, dtype=np.float64)
    if config.policy == "youden":
        return np.round(sensitivity - false_rate, 12)
    missed = prevalence * (1 - sensitivity) * config.cost_false_negative
    return -np.round(missed + (1 - prevalence) * false_rate * config.cost_false_positive, 12)
