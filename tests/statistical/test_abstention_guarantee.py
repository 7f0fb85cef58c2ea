"""Over 1,000 random splits of groups the guarantees of abstention hold, and would not if rows were split."""

import numpy as np
import pytest

from sonoproof.evaluation.abstention import abstention_confidence, accepted, conformal_quantile, prediction_sets
from sonoproof.evaluation.rows import ScoredRows

SPLITS = 1000


def _groups(rng: np.random.Generator, *, first: int, count: int) -> tuple[ScoredRows, np.ndarray]:
    """Groups of 1 to 40 rows that differ in how hard they are; some are all wrong."""
    group = np.repeat(np.arange(first, first + count), rng.integers(1, 41, count))
    position = group - first
    targets = (rng.random(count) < 0.4)[position]
    skill = rng.normal(1.0, 1.2, count)[position]
    return ScoredRows.from_logits(
        targets, logits=np.where(targets, 1, -1) * skill + rng.normal(0, 0.7, len(group))
    ), group


def _row_of_each_group(values: np.ndarray, group: np.ndarray) -> float:
    """Mean over groups of the mean over their rows."""
    _, position = np.unique(group, return_inverse=True)
    return float((np.bincount(position, weights=values) / np.bincount(position)).mean())


@pytest.mark.parametrize("n_groups", [25, 80])
def test_sets_hold_the_class_and_accepted_errors_stay_below_the_risk(n_groups: int) -> None:
    covered, lost = [], []
    for seed in range(SPLITS):
        rng = np.random.default_rng(seed)
        calibration, groups = _groups(rng, first=0, count=n_groups)
        fresh, new = _groups(rng, first=n_groups, count=20)
        sets = prediction_sets(fresh.logits, quantile=conformal_quantile(calibration, groups=groups, error=0.1))
        covered.append(_row_of_each_group(sets[np.arange(fresh.n), fresh.targets.astype(int)], new))
        kept = accepted(fresh, confidence=abstention_confidence(calibration, groups=groups, risk=0.08))
        lost.append(_row_of_each_group(kept & (fresh.called != fresh.targets), new))
    assert 0.895 <= np.mean(covered) <= 0.95
    assert np.mean(lost) <= 0.082
    assert np.mean(lost) > 0.02  # it does not get there by refusing everything
