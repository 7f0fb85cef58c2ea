"""How often answers are wrong where at most a stated share may be, over simulated splits of groups.

Groups have 1 to 40 rows and differ in how hard they are; some are all wrong. The peer takes rows as exchangeable: the
plain split-conformal quantile of all rows. ::

    python benchmarks/abstention_guarantee.py
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from sonoproof.evaluation.choosing.abstention import nonconformity_quantile
from sonoproof.evaluation.choosing.rows import CalibrationRows
from sonoproof.training.verdict import Abstention
from sonoproof.types import IntArray


def simulated(rng: np.random.Generator, *, first: int, count: int) -> tuple[CalibrationRows, IntArray]:
    """`count` groups, numbered from `first`, of 1 to 40 rows that differ in how hard they are."""
    group = np.repeat(np.arange(first, first + count), rng.integers(1, 41, count))
    place = group - first
    targets = (rng.random(count) < 0.4)[place]
    skill = rng.normal(1.0, 1.2, count)[place]
    logits = np.where(targets, 1, -1) * skill + rng.normal(0, 0.7, len(group))
    return CalibrationRows(logits, targets, group.astype(str)), group


def mean_over_groups(values: npt.ArrayLike, group: IntArray) -> float:
    """Mean over groups of the mean over their rows."""
    _, place = np.unique(group, return_inverse=True)
    return float((np.bincount(place, weights=np.asarray(values, float)) / np.bincount(place)).mean())


def guarantees(*, groups: int, splits: int, error: float, new_groups: int = 20) -> dict[str, float]:
    """Means over `splits` draws of calibration groups and of new groups.

    Returns:
        ``covered``: class in the set; ``wrong``: answered wrongly; ``answered``; ``covered by rows``: the peer's
        coverage.
    """
    found: dict[str, list[float]] = {name: [] for name in ("covered", "wrong", "answered", "covered by rows")}
    for seed in range(splits):
        rng = np.random.default_rng(seed)
        known, _ = simulated(rng, first=0, count=groups)
        fresh, new = simulated(rng, first=groups, count=new_groups)
        limit = nonconformity_quantile(known, error=error)
        by_rows = nonconformity_quantile(replace(known, groups=np.arange(len(known.logits)).astype(str)), error=error)
        predicted = fresh.logits >= 0
        sure = Abstention(error=error, quantile=limit).sure(fresh.logits, predicted=predicted)
        own = expit(np.where(fresh.targets, -fresh.logits, fresh.logits))
        found["covered"].append(mean_over_groups(own <= limit, new))
        found["covered by rows"].append(mean_over_groups(own <= by_rows, new))
        found["wrong"].append(mean_over_groups(sure & (predicted != fresh.targets), new))
        found["answered"].append(mean_over_groups(sure, new))
    return {name: float(np.mean(values)) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=1000)
    parser.add_argument("--error", type=float, default=0.1)
    options = vars(parser.parse_args())
    for groups in (20, 40, 80, 160):
        found = guarantees(groups=groups, **options)
        print(
            f"{groups} groups: " + ", ".join(f"{name} {100 * share:.1f} %" for name, share in found.items()), flush=True
        )


if __name__ == "__main__":
    main()
