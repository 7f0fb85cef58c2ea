"""The threshold, chosen by a stated policy and never on the rows that it is reported on.

Groups count alike. Youden's threshold and that of least cost are shrunk as calibrations are, and taken only if they are
better than the fixed one on groups that had no part in the choice. A target is a promise, not a gain: it is held for a
new group by counting one more group that misses it, and needs as many groups as that takes.

References:
    Youden (1950), Index for rating diagnostic tests, Cancer 3:32.
    Metz (1978), Basic principles of ROC analysis, Semin. Nucl. Med. 8:283 (cost and prevalence).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from sonoproof.config import CalibrateConfig
from sonoproof.errors import ConfigError
from sonoproof.evaluation.choosing.held_out import PRIOR_GROUPS, Gain, gain_on_other_groups
from sonoproof.evaluation.choosing.rows import CalibrationRows, format_groups
from sonoproof.evaluation.intervals.resampling import BOOTSTRAP, Bootstrap, Grouping, chunk_sizes
from sonoproof.training.verdict import OperatingPoint
from sonoproof.types import FloatArray, IndexArray

# One-sided level at which a threshold must lower the errors. Stricter than for a calibration: an error counts one, so
# that the added group on which the choice does harm weighs little.
CHANCE = 0.05
_TARGETS = ("sensitivity", "specificity")
# What the other policies choose, and what that is to lower, in words.
_LOSSES = {
    "youden": ("Youden's threshold", "the mean of the two error rates"),
    "cost": ("the threshold of least cost", "the cost per case"),
}
_ROUNDING = 1e-9


def choose_operating_point(
    rows: CalibrationRows,
    *,
    config: CalibrateConfig,
    threshold: float,
    chosen_on: str,
    bootstrap: Bootstrap = BOOTSTRAP,
) -> OperatingPoint:
    """Choose the threshold on these rows, if they can support the choice, with its interval by resampling groups.

    Args:
        rows: Rows with calibrated logits that the threshold will not be reported on.
        config: The policy; any but ``fixed``.
        threshold: The fixed threshold, which stays if nothing is chosen.
        chosen_on: Which rows these are, in words, for the record.
        bootstrap: How groups are resampled, by class in any case, and the level of the threshold's percentile interval;
            without resamples there is none.

    Raises:
        ConfigError: The rows are all of one class.
    """
    has_target = config.policy in _TARGETS
    if has_target:
        reason, why_not = "", _unsupported_target(rows, config=config)
    else:
        choice, loss = _LOSSES[config.policy]
        reason, why_not = threshold_gain(rows, config=config, threshold=threshold).verdict(choice, loss=loss)
    if why_not:
        why = f"set before training: policy {config.policy!r} was asked for, but {why_not}"
        return OperatingPoint(threshold, chosen_on=why)
    asked = _for_new_groups(rows, config=config) if has_target else config
    grouping = Grouping.from_names(rows.groups, targets=rows.targets)
    low, high = None, None
    # Without two groups of each class there is nothing to resample: no limits.
    if bootstrap.resamples and grouping.smallest_stratum > 1:
        resampled = _resampled_thresholds(rows, grouping, config=asked, bootstrap=bootstrap)
        low, high = (float(limit) for limit in np.quantile(resampled, bootstrap.tails))
    return OperatingPoint(
        choose_threshold(rows, config=asked),
        policy=config.policy,
        target=config.target if has_target else None,
        low=low,
        high=high,
        chosen_on=chosen_on + reason,
        n=len(rows.logits),
        n_groups=rows.n_groups,
    )


def choose_threshold(rows: CalibrationRows, *, config: CalibrateConfig, prior_groups: float = PRIOR_GROUPS) -> float:
    """The probability that the policy, any but ``fixed``, chooses on these rows, halfway (in logits) between two rows.

    Args:
        rows: Rows with calibrated logits.
        config: The policy.
        prior_groups: How many groups that show the probabilities to be right are added, where there is no target; 0
            adds none.

    Raises:
        ConfigError: The rows are all of one class.
    """
    if not rows.has_both_classes:
        raise ConfigError(f"policy {config.policy!r} needs rows of both classes; set a fixed threshold")
    cuts = _Cuts.from_logits(rows.logits)
    positive, negative = _weights_by_class(rows, cuts, config=config, prior_groups=prior_groups)
    cut = _chosen(cuts.totals_above(positive[None, :]), cuts.totals_above(negative[None, :]), config=config)
    return float(cuts.probabilities[cut[0]])


def threshold_gain(rows: CalibrationRows, *, config: CalibrateConfig, threshold: float) -> Gain:
    """How much a policy gains over the fixed threshold on groups that had no part in the choice.

    Args:
        rows: Rows of both classes with calibrated logits.
        config: The policy ``youden`` or ``cost``.
        threshold: The fixed threshold.

    Returns:
        The gain in (sensitivity + specificity) / 2, or in the cost of a case.
    """
    share = float(rows.weights @ rows.targets) / rows.n_groups
    prevalence = config.prevalence or share
    worth = (prevalence * config.cost_false_negative, (1 - prevalence) * config.cost_false_positive)
    missed, alarmed = (0.5, 0.5) if config.policy == "youden" else worth

    def losses(cut: float, on: CalibrationRows) -> tuple[FloatArray, FloatArray]:
        cost = np.where(on.targets, missed / share, alarmed / (1 - share))
        wrong = (expit(on.logits) >= cut) != on.targets
        return cost * wrong, cost * ~wrong

    return gain_on_other_groups(
        rows,
        choose=lambda others: choose_threshold(others, config=config),
        nothing=threshold,
        losses=losses,
        chance=CHANCE,
    )


def _unsupported_target(rows: CalibrationRows, *, config: CalibrateConfig) -> str:
    """Why the groups of the class cannot support the target; empty if they can."""
    if _for_new_groups(rows, config=config).target <= 1:
        return ""
    groups = format_groups(_groups_of_target(rows, config=config))
    return f"{groups} of the class cannot support a {config.policy} of {config.target:.0%}"


def _for_new_groups(rows: CalibrationRows, *, config: CalibrateConfig) -> CalibrateConfig:
    """The target that these groups must reach for a new one to reach it on average: one more group that misses it."""
    groups = _groups_of_target(rows, config=config)
    return dataclasses.replace(config, target=config.target * (groups + 1) / groups - _ROUNDING)


def _groups_of_target(rows: CalibrationRows, *, config: CalibrateConfig) -> float:
    positive, negative = rows.effective_groups
    return positive if config.policy == "sensitivity" else negative


def _weights_by_class(
    rows: CalibrationRows, cuts: _Cuts, *, config: CalibrateConfig, prior_groups: float = PRIOR_GROUPS
) -> tuple[FloatArray, FloatArray]:
    """What each row, by falling score, weighs as a positive and as a negative one, each of shape (N,)."""
    prior = 0.0 if config.policy in _TARGETS else prior_groups
    targets = rows.shrunk_targets(expit(rows.logits), prior_groups=prior)[cuts.order]
    weights = rows.weights[cuts.order]
    return weights * targets, weights * (1 - targets)


def _resampled_thresholds(
    rows: CalibrationRows, grouping: Grouping, *, config: CalibrateConfig, bootstrap: Bootstrap
) -> FloatArray:
    """The threshold chosen in each resample of groups, shape (R,)."""
    cuts = _Cuts.from_logits(rows.logits)
    positive, negative = _weights_by_class(rows, cuts, config=config)
    groups = grouping.group_of_row[cuts.order]
    rngs = np.random.default_rng(bootstrap.seed).spawn(len(grouping.strata))
    chosen = []
    for size in chunk_sizes(bootstrap.resamples, width=len(rows.logits)):
        drawn = np.take(grouping.draw(size, rngs=rngs), groups, axis=1)
        cut = _chosen(cuts.totals_above(drawn * positive), cuts.totals_above(drawn * negative), config=config)
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

    def totals_above(self, weights: FloatArray) -> FloatArray:
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
