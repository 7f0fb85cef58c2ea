"""Do the 95 % intervals hold the truth 95 % of the time, where rows come in groups of unequal size?

Prints the simulated coverage of Sonoproof's intervals beside that of the plain percentile cluster bootstrap, which
is the peer, and the time of 2,000 resamples of 100,000 rows.

    python benchmarks/interval_coverage.py --datasets 4000 --resamples 500
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from sonoproof.evaluation.intervals.intervals import metric_intervals
from sonoproof.evaluation.intervals.resampling import Bootstrap, GroupedRows, Grouping
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.scores.rows import ScoredRows

NAMES = ("auc", "recall", "precision", "accuracy")
PICKED = {name: METRICS[name] for name in NAMES}


@dataclass(frozen=True)
class Scenario:
    """A population of groups whose metrics are known.

    A row's logit is half the separation (minus it for the negative class), plus an effect of its group, plus noise of
    its own. Sizes are log-normal from 1 to 60 rows, so that a few groups hold most rows.

    Attributes:
        groups: Number of groups.
        separation: Distance between the classes' mean logits.
        group_sd: Standard deviation of the group's effect.
        row_sd: Standard deviation of the row's noise.
        prevalence: Share of positive groups.
        prevalence_fixed: Whether every data set has exactly that share, as a stratified split gives it, or each
            group's class is drawn.
    """

    groups: int
    separation: float = 1.5
    group_sd: float = 0.6
    row_sd: float = 0.8
    prevalence: float = 0.5
    prevalence_fixed: bool = True

    def draw(self, rng: np.random.Generator) -> tuple[ScoredRows, npt.NDArray[np.intp]]:
        """One data set: its rows and the group of each row."""
        sizes = np.clip(rng.lognormal(1.5, 0.8, self.groups).astype(int), 1, 60)
        if self.prevalence_fixed:
            positive = rng.permutation(np.arange(self.groups) < round(self.groups * self.prevalence))
        else:
            positive = rng.random(self.groups) < self.prevalence
        group = np.repeat(np.arange(self.groups), sizes)
        targets = positive[group]
        logits = np.where(targets, 0.5, -0.5) * self.separation + rng.normal(0, self.group_sd, self.groups)[group]
        return ScoredRows.from_logits(targets, logits=logits + rng.normal(0, self.row_sd, len(group))), group

    @property
    def truth(self) -> dict[str, float]:
        """The population's metrics at threshold 0.5: the scores are normal, so they are known exactly."""
        sd = float(np.hypot(self.group_sd, self.row_sd))
        recall = float(stats.norm.cdf(self.separation / 2 / sd))
        true, false = self.prevalence * recall, (1 - self.prevalence) * (1 - recall)
        return {
            "auc": float(stats.norm.cdf(self.separation / sd / np.sqrt(2))),
            "recall": recall,
            "precision": true / (true + false),
            "accuracy": recall,
        }


def coverage(
    scenario: Scenario, *, datasets: int, resamples: int, seed: int, stratified: bool = True
) -> dict[str, float]:
    """Share of data sets whose interval holds the truth, for each metric."""
    rng = np.random.default_rng(seed)
    held = dict.fromkeys(NAMES, 0)
    for _ in range(datasets):
        rows, groups = scenario.draw(rng)
        bootstrap = Bootstrap(resamples=resamples, seed=int(rng.integers(2**31)), stratified=stratified)
        intervals = metric_intervals(rows, groups=groups, metrics=PICKED, bootstrap=bootstrap)
        for name in NAMES:
            held[name] += intervals[name].low <= scenario.truth[name] <= intervals[name].high
    return {name: count / datasets for name, count in held.items()}


def percentile_coverage(scenario: Scenario, *, datasets: int, resamples: int, seed: int) -> dict[str, float]:
    """The same for the plain percentile bootstrap of all groups: n of n drawn, limits at 2.5 and 97.5 %."""
    rng = np.random.default_rng(seed)
    held = dict.fromkeys(NAMES, 0)
    for _ in range(datasets):
        rows, groups = scenario.draw(rng)
        grouped = GroupedRows(rows, Grouping.from_names(groups, targets=rows.targets))
        weights = np.ones((resamples, scenario.groups))
        for members in grouped.grouping.strata:
            share = np.full(len(members), 1 / len(members))
            weights[:, members] = rng.multinomial(len(members), share, size=resamples)
        for name, values in grouped.evaluate(list(PICKED.values()), weights=weights).items():
            low, high = np.nanquantile(values, (0.025, 0.975))
            held[name] += bool(low <= scenario.truth[name] <= high)
    return {name: count / datasets for name, count in held.items()}


def seconds_of_large_bootstrap(*, rows: int = 100_000, per_group: int = 20, resamples: int = 2000) -> float:
    """Wall time of all metrics' intervals on many rows."""
    rng = np.random.default_rng(0)
    targets = np.repeat(rng.random(rows // per_group) < 0.4, per_group)
    scored = ScoredRows.from_logits(targets, logits=rng.normal(size=rows) + targets)
    start = time.perf_counter()
    metric_intervals(scored, groups=np.arange(rows) // per_group, bootstrap=Bootstrap(resamples=resamples))
    return time.perf_counter() - start


def seconds_of_loop(*, rows: int = 100_000, per_group: int = 20, resamples: int = 5) -> float:
    """The peer: scikit-learn's AUC alone in a Python loop over resamples, per resample."""
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    targets = np.repeat(rng.random(rows // per_group) < 0.4, per_group)
    logits, group = rng.normal(size=rows) + targets, np.arange(rows) // per_group
    groups = rows // per_group
    start = time.perf_counter()
    for _ in range(resamples):
        counts = np.bincount(rng.integers(0, groups, groups), minlength=groups)
        roc_auc_score(targets, logits, sample_weight=counts[group])
    return (time.perf_counter() - start) / resamples


SCENARIOS: Sequence[tuple[str, Scenario, bool]] = (
    *((f"{g} groups", Scenario(groups=g), True) for g in (30, 60, 100, 300)),
    ("30 groups, 6 positive", Scenario(groups=30, prevalence=0.2), True),
    ("100 groups, 20 positive", Scenario(groups=100, prevalence=0.2), True),
    ("30 groups, strong group effect", Scenario(groups=30, group_sd=0.9, row_sd=0.44), True),
    ("30 groups, AUC 0.98", Scenario(groups=30, separation=3.0), True),
    ("30 groups, prevalence by chance", Scenario(groups=30, prevalence_fixed=False), True),
    ("  the same, unstratified", Scenario(groups=30, prevalence_fixed=False), False),
    ("100 groups, prevalence by chance", Scenario(groups=100, prevalence_fixed=False), True),
    ("  the same, unstratified", Scenario(groups=100, prevalence_fixed=False), False),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=4000)
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = vars(parser.parse_args())
    error = 100 * (0.95 * 0.05 / options["datasets"]) ** 0.5
    print(f"{options['datasets']} data sets: a coverage of 95 % has a standard error of {error:.2f} points")
    print(f"{'coverage in % (percentile bootstrap in brackets)':48s}" + "".join(f"{name:>15s}" for name in NAMES))
    for title, scenario, stratified in SCENARIOS:
        ours = coverage(scenario, stratified=stratified, **options)
        peer = percentile_coverage(scenario, **options)
        cells = "".join(f"{100 * ours[name]:8.1f} ({100 * peer[name]:4.1f})" for name in NAMES)
        print(f"{title:48s}{cells}", flush=True)
    seconds, loop = seconds_of_large_bootstrap(), seconds_of_loop()
    print(f"2,000 resamples of 100,000 rows, all metrics: {seconds:.1f} s")
    print(f"AUC alone in a loop of scikit-learn: {2000 * loop:.1f} s; ratio {2000 * loop / seconds:.0f}")


if __name__ == "__main__":
    main()
