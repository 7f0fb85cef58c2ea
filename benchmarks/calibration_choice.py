"""How often what is chosen after training makes new patients worse off, and what it gains where there is enough data.

Groups are of one class; a row's true log-odds are normal around ±d²/2 with variance d², so that they are calibrated,
and rows of one group share most of the deviation. The network's logits are the true ones times a factor (calibration)
or plus an offset (threshold). The expected loss on new groups is integrated, not sampled. ``before`` is the rule that
rows count alike and that eight groups of each class suffice; ``after`` is `choose_decision`. ::

    python benchmarks/calibration_choice.py
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import logit

from sonoproof.config import CalibrateConfig
from sonoproof.evaluation.choosing.calibration import fit_calibration, separates
from sonoproof.evaluation.choosing.choose import choose_decision
from sonoproof.evaluation.choosing.operating_point import choose_threshold
from sonoproof.evaluation.choosing.rows import CalibrationRows
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.groups import groups_of_rarer_class
from sonoproof.training.verdict import Calibration, Decision, Method
from sonoproof.types import FloatArray, IntArray

GROUPS = (5, 10, 20, 34, 60, 100, 300)
SIZES = ("equal", "unequal", "one giant")
FACTORS = {"none": (1.0,), "mild": (1.4, 1 / 1.4), "strong": (3.0, 1 / 3)}
OFFSETS = {"none": (0.0,), "mild": (0.5,), "strong": (1.5,)}
# Distance of the classes: AUC 0.82 and 0.97.
DISTANCES = (1.3, 2.6)
WITHIN = 0.7
"""Share of the variance of a row that its group has in common."""
LEAST_GROUPS = 8
_NODES = np.asarray(stats.norm.ppf((np.arange(400) + 0.5) / 400))


@dataclass(frozen=True)
class Network:
    """How far a network's logits are from the true log-odds: factor * (log-odds + offset)."""

    distance: float
    factor: float = 1.0
    offset: float = 0.0

    def logits(self, positive: bool) -> FloatArray:
        """Evenly likely logits of new rows of a class, shape (400,)."""
        odds = (1 if positive else -1) * self.distance**2 / 2 + self.distance * _NODES
        return np.asarray(self.factor * (odds + self.offset), dtype=np.float64)

    def loss(self, calibration: Calibration) -> float:
        """Expected log loss of a new row."""
        missed, alarmed = -calibration.apply(self.logits(True)), calibration.apply(self.logits(False))
        return float((np.logaddexp(0, missed).mean() + np.logaddexp(0, alarmed).mean()) / 2)

    def error_rate(self, threshold: float) -> float:
        """Mean of the two error rates of new rows."""
        cut = logit(threshold) / self.factor - self.offset
        half, d = self.distance**2 / 2, self.distance
        return float(stats.norm.cdf((cut - half) / d) + stats.norm.sf((cut + half) / d)) / 2


def group_sizes(rng: np.random.Generator, *, groups: int, sizes: str) -> IntArray:
    """Rows in each group: all equal, from 1 to hundreds, or one group with more than half of all rows."""
    if sizes == "equal":
        return np.full(groups, 5)
    if sizes == "unequal":
        return np.clip(np.round(np.exp(rng.normal(1, 1.5, groups))), 1, 600).astype(np.int64)
    small = rng.integers(2, 8, groups)
    small[0] = int(1.3 * small[1:].sum())
    return small


def simulated(rng: np.random.Generator, network: Network, *, groups: int, sizes: str) -> CalibrationRows:
    """The rows that a choice is made on."""
    group = np.repeat(np.arange(groups), group_sizes(rng, groups=groups, sizes=sizes))
    targets = (rng.random(groups) < 0.5)[group]
    shared, own = rng.normal(size=groups)[group], rng.normal(size=len(group))
    noise = np.sqrt(WITHIN) * shared + np.sqrt(1 - WITHIN) * own
    odds = np.where(targets, 1, -1) * network.distance**2 / 2 + network.distance * noise
    return CalibrationRows(network.factor * (odds + network.offset), targets, group.astype(str))


def calibration_before(rows: CalibrationRows, *, method: Method) -> Calibration:
    """By rows that count alike, from eight groups of each class, unshrunk."""
    alone = _rows_alone(rows)
    if groups_of_rarer_class(rows.groups, targets=rows.targets) < LEAST_GROUPS or separates(alone):
        return Calibration()
    return fit_calibration(alone, method=method, prior_groups=0)


def threshold_before(rows: CalibrationRows, *, config: CalibrateConfig) -> float:
    """The same for the threshold."""
    if groups_of_rarer_class(rows.groups, targets=rows.targets) < LEAST_GROUPS:
        return 0.5
    return choose_threshold(_rows_alone(rows), config=config, prior_groups=0)


def calibration_changes(
    network: Network, *, groups: int, sizes: str, method: Method, repeats: int
) -> tuple[FloatArray, FloatArray]:
    """Fall of the loss on new rows by what is chosen, before and after, shape (repeats,) each."""
    config, own = CalibrateConfig(method=method, error=0.0), network.loss(Calibration())
    before, after = np.zeros(repeats), np.zeros(repeats)
    for rows, index in _draws(network, groups=groups, sizes=sizes, repeats=repeats):
        before[index] = own - network.loss(calibration_before(rows, method=method))
        after[index] = own - network.loss(_decide(rows, config).calibration)
    return before, after


def threshold_changes(network: Network, *, groups: int, sizes: str, repeats: int) -> tuple[FloatArray, FloatArray]:
    """Fall of the mean error rate on new rows by Youden's threshold, before and after, shape (repeats,) each."""
    config, own = CalibrateConfig(method="none", policy="youden", error=0.0), network.error_rate(0.5)
    before, after = np.zeros(repeats), np.zeros(repeats)
    for rows, index in _draws(network, groups=groups, sizes=sizes, repeats=repeats):
        before[index] = own - network.error_rate(threshold_before(rows, config=config))
        after[index] = own - network.error_rate(_decide(rows, config).operating_point.threshold)
    return before, after


def share_worse(changes: FloatArray) -> float:
    """Share of choices that make new rows worse off."""
    return float((changes < -1e-9).mean())


def tables(*, method: Method | None, repeats: int) -> Iterator[str]:
    """Two tables: the share of choices that make new rows worse off, and the mean fall of the loss; before → after.

    Args:
        method: How to calibrate; None chooses Youden's threshold instead.
        repeats: Simulated cohorts of each kind.
    """
    found = {
        (sizes, groups, kind): _pooled(method, sizes=sizes, groups=groups, kind=kind, repeats=repeats)
        for sizes, groups, kind in itertools.product(SIZES, GROUPS, FACTORS)
    }
    heading = [f"{sizes}, {kind}" for sizes, kind in itertools.product(SIZES, FACTORS)]
    yield "worse off, % of choices"
    yield from _table(heading, found, show=lambda changes: f"{100 * share_worse(changes):.1f}")
    yield "mean fall of the loss, × 1,000"
    yield from _table(heading, found, show=lambda changes: f"{1000 * changes.mean():.0f}")
    after = {key: share_worse(pair[1]) for key, pair in found.items()}
    worst = max(after, key=lambda key: after[key])
    mean = 100 * np.mean(list(after.values()))
    yield f"after: {mean:.1f} % worse off on average, {100 * after[worst]:.1f} % at most ({worst})"


def _pooled(
    method: Method | None, *, sizes: str, groups: int, kind: str, repeats: int
) -> tuple[FloatArray, FloatArray]:
    """Changes before and after, over both distances and both directions."""
    networks = (
        [Network(d, offset=offset) for d in DISTANCES for offset in OFFSETS[kind]]
        if method is None
        else [Network(d, factor=factor) for d in DISTANCES for factor in FACTORS[kind]]
    )
    pairs = [
        threshold_changes(network, groups=groups, sizes=sizes, repeats=repeats)
        if method is None
        else calibration_changes(network, groups=groups, sizes=sizes, method=method, repeats=repeats)
        for network in networks
    ]
    before, after = (np.concatenate(changes) for changes in zip(*pairs, strict=True))
    return before, after


def _table(
    heading: Sequence[str],
    found: Mapping[tuple[str, int, str], tuple[FloatArray, FloatArray]],
    *,
    show: Callable[[FloatArray], str],
) -> Iterator[str]:
    yield " | ".join(("| groups", *heading)) + " |"
    yield "| " + " | ".join(["---:"] * (len(heading) + 1)) + " |"
    for groups in GROUPS:
        cells = [found[sizes, groups, kind] for sizes, kind in itertools.product(SIZES, FACTORS)]
        yield f"| {groups} | " + " | ".join(f"{show(before)} → {show(after)}" for before, after in cells) + " |"


def _decide(rows: CalibrationRows, config: CalibrateConfig) -> Decision:
    return choose_decision(rows, config=config, threshold=0.5, chosen_on="rows", bootstrap=Bootstrap(resamples=0))


def _rows_alone(rows: CalibrationRows) -> CalibrationRows:
    return CalibrationRows(rows.logits, rows.targets, np.arange(len(rows.logits)).astype(str))


def _draws(network: Network, *, groups: int, sizes: str, repeats: int) -> Iterator[tuple[CalibrationRows, int]]:
    for index in range(repeats):
        yield simulated(np.random.default_rng((index, groups)), network, groups=groups, sizes=sizes), index


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=150)
    parser.add_argument("--what", choices=("temperature", "platt", "threshold"), nargs="*",
                        default=("temperature", "threshold"))  # fmt: skip
    options = parser.parse_args()
    for what in options.what:
        print(f"\n{what}\n", flush=True)
        for line in tables(method=None if what == "threshold" else what, repeats=options.repeats):
            print(line, flush=True)


if __name__ == "__main__":
    main()
