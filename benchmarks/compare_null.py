"""How often does a comparison find a difference where there is none?

Two models of equal skill score the same grouped rows. Prints the share of data sets in which p < 0.05 by Sonoproof's
paired cluster bootstrap, beside that of DeLong's test on rows taken as independent, which is the peer.

    python benchmarks/compare_null.py --datasets 2000
"""

from __future__ import annotations

import argparse

import numpy as np

from sonoproof.evaluation.intervals.delong import delong_test
from sonoproof.evaluation.intervals.resampling import Bootstrap, GroupedRows, Grouping
from sonoproof.evaluation.measures.compare import paired_differences
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.scores.rows import ScoredRows

NAMES = ("auc", "recall", "precision", "accuracy", "loss")


def models_of_equal_skill(rng: np.random.Generator, *, groups: int) -> dict[str, GroupedRows]:
    """Two scores that share half of the group's effect, on groups of unequal size."""
    sizes = np.clip(rng.lognormal(1.5, 0.8, groups).astype(int), 1, 60)
    group = np.repeat(np.arange(groups), sizes)
    targets = rng.permutation(np.arange(groups) % 2 == 0)[group]
    shared = np.where(targets, 0.75, -0.75) + rng.normal(0, 0.4, groups)[group]
    grouping = Grouping.from_names(group, targets=targets)
    models = {}
    for name in ("a", "b"):
        own = rng.normal(0, 0.4, groups)[group] + rng.normal(0, 0.8, len(group))
        models[name] = GroupedRows(ScoredRows.from_logits(targets, logits=shared + own), grouping)
    return models


def false_alarms(*, groups: int, datasets: int, resamples: int, seed: int) -> dict[str, float]:
    """Share of data sets with p < 0.05, for each metric and for DeLong's test of rows."""
    rng = np.random.default_rng(seed)
    found = dict.fromkeys((*NAMES, "delong of rows"), 0)
    for _ in range(datasets):
        models = models_of_equal_skill(rng, groups=groups)
        bootstrap = Bootstrap(resamples=resamples, seed=int(rng.integers(2**31)))
        for difference in paired_differences(models, metrics=[METRICS[name] for name in NAMES], bootstrap=bootstrap):
            found[difference.metric] += difference.test.p < 0.05
        found["delong of rows"] += delong_test(models["a"].rows, second=models["b"].rows).p < 0.05
    return {name: count / datasets for name, count in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = vars(parser.parse_args())
    for groups in (30, 60, 100, 300):
        shares = false_alarms(groups=groups, **options)
        cells = ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares.items())
        ratio = shares["delong of rows"] / shares["auc"]
        print(f"{groups} groups: {cells}; rows taken as independent raise {ratio:.1f} times the alarms", flush=True)


if __name__ == "__main__":
    main()
