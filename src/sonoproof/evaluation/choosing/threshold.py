"""The threshold that a policy chooses on given rows, and in each resample of their groups.

References:
    Youden (1950), Index for rating diagnostic tests, Cancer 3:32.
    Metz (1978), Basic principles of ROC analysis, Semin. Nucl. Med. 8:283 (cost and prevalence).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
from scipy.special import expit

from sonoproof.errors import ConfigError
from sonoproof.evaluation.intervals.resampling import Bootstrap, GroupedRows, chunk_sizes
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.training.verdict import PolicyName
from sonoproof.types import BoolArray, FloatArray, IndexArray


@dataclass(frozen=True)
class Policy:
    """How the threshold is chosen.

    Attributes:
        name: ``fixed``: the probability `target`. ``youden``: the greatest sensitivity + specificity.
            ``sensitivity``: the highest threshold whose sensitivity is at least `target`. ``specificity``: the lowest
            threshold whose specificity is at least `target`. ``cost``: the lowest expected cost per case.
        target: See `name`; between 0 and 1.
        cost_false_positive: Cost of a false positive, in any unit.
        cost_false_negative: Cost of a false negative, in the same unit.
        prevalence: Share of positive cases where the costs arise; None for that of the rows.
    """

    name: PolicyName = "fixed"
    target: float = 0.5
    cost_false_positive: float = 1.0
    cost_false_negative: float = 1.0
    prevalence: float | None = None

    def __post_init__(self) -> None:
        if self.name not in (policies := get_args(PolicyName)):
            raise ConfigError(f"there is no policy {self.name!r}; there are {', '.join(policies)}")
        if not 0 <= self.target <= 1:
            raise ConfigError(f"the target of a policy must lie between 0 and 1; it is {self.target}")
        if min(self.cost_false_positive, self.cost_false_negative) <= 0:
            raise ConfigError("the costs of a policy must be positive")
        if self.prevalence is not None and not 0 < self.prevalence < 1:
            raise ConfigError(f"a prevalence must lie between 0 and 1; it is {self.prevalence}")


def choose_threshold(rows: ScoredRows, *, policy: Policy) -> float:
    """The probability that `policy` chooses on these rows, halfway (in logits) between two rows.

    Raises:
        ConfigError: The policy needs a class that the rows lack.
    """
    if policy.name == "fixed":
        return policy.target
    if rows.targets.all() or not rows.targets.any():
        raise ConfigError(f"policy {policy.name!r} needs rows of both classes; set a fixed threshold")
    cuts = _Cuts.from_logits(rows.logits)
    tp, fp = (cuts.totals_above(which[cuts.order][None, :]) for which in (rows.targets, ~rows.targets))
    return float(cuts.probabilities[_chosen(tp, fp, policy=policy)[0]])


def resampled_thresholds(grouped: GroupedRows, *, policy: Policy, bootstrap: Bootstrap) -> FloatArray:
    """The threshold chosen in each resample of groups, shape (R,).

    Args:
        grouped: Rows of both classes with their groups.
        policy: How to choose; not ``fixed``.
        bootstrap: Number of resamples R, and their seed.
    """
    cuts = _Cuts.from_logits(grouped.rows.logits)
    targets, groups = grouped.rows.targets[cuts.order], grouped.grouping.group_of_row[cuts.order]
    rngs = np.random.default_rng(bootstrap.seed).spawn(len(grouped.grouping.strata))
    chosen = []
    for size in chunk_sizes(bootstrap.resamples, width=grouped.rows.n):
        weights = np.take(grouped.grouping.draw(size, rngs=rngs), groups, axis=1)
        positive = weights * targets
        cut = _chosen(cuts.totals_above(positive), cuts.totals_above(weights - positive), policy=policy)
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


def _chosen(tp: FloatArray, fp: FloatArray, *, policy: Policy) -> IndexArray:
    """Index of the chosen cut from the true and false positives at each cut, both (R, C); result (R,)."""
    worth = _worth(tp / tp[:, -1:], fp / fp[:, -1:], prevalence=_prevalence(tp, fp, policy=policy), policy=policy)
    # The first of equals, which predicts fewest positive.
    return np.asarray(np.argmax(worth, axis=1), dtype=np.intp)


def _prevalence(tp: FloatArray, fp: FloatArray, *, policy: Policy) -> FloatArray:
    """The stated prevalence or that of the rows, shape (R, 1)."""
    own = tp[:, -1:] / (tp[:, -1:] + fp[:, -1:])
    return own if policy.prevalence is None else np.full_like(own, policy.prevalence)


def _worth(sensitivity: FloatArray, false_rate: FloatArray, *, prevalence: FloatArray, policy: Policy) -> FloatArray:
    """What `policy` maximises, at each cut, shape (R, C); rounded, so that equals are equal."""
    if policy.name == "sensitivity":
        return (sensitivity >= policy.target - 1e-12).astype(np.float64)
    if policy.name == "specificity":
        # Of the cuts that are specific enough the last one is the most sensitive.
        return np.cumsum(1 - false_rate >= policy.target - 1e-12, axis=1, dtype=np.float64)
    if policy.name == "youden":
        return np.round(sensitivity - false_rate, 12)
    missed = prevalence * (1 - sensitivity) * policy.cost_false_negative
    return -np.round(missed + (1 - prevalence) * false_rate * policy.cost_false_positive, 12)
