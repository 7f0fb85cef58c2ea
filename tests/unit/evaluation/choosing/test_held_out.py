"""What is chosen is worth choosing: groups count alike, and one that took no part in the choice must be better off."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from sonoproof.config import CalibrateConfig
from sonoproof.evaluation.choosing.calibration import calibration_gain, fit_calibration, temperature_interval
from sonoproof.evaluation.choosing.choose import choose_decision
from sonoproof.evaluation.choosing.held_out import group_folds
from sonoproof.evaluation.choosing.operating_point import choose_threshold
from sonoproof.evaluation.choosing.rows import CalibrationRows
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.training.verdict import Calibration, Method


def sample(n_groups: int = 60, *, temperature: float = 1.0, seed: int = 0) -> CalibrationRows:
    """Groups of one class each, of one to seven rows, with logits `temperature` times too far from zero."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), rng.integers(1, 8, n_groups))
    true = rng.normal(0, 1.5, n_groups)[groups] + rng.normal(0, 0.1, len(groups))
    targets = (rng.random(n_groups) < expit(true[np.unique(groups, return_index=True)[1]]))[groups]
    return CalibrationRows(temperature * true, targets, groups.astype(str))


def with_a_giant(rows: CalibrationRows, *, copies: int = 200) -> CalibrationRows:
    """The same rows, those of one group many times over."""
    times = np.where(rows.groups == "0", copies, 1)
    return CalibrationRows(rows.logits.repeat(times), rows.targets.repeat(times), rows.groups.repeat(times))


def calibrated(rows: CalibrationRows, *, method: Method = "temperature") -> Calibration:
    config = CalibrateConfig(method=method)
    return choose_decision(
        rows, config=config, threshold=0.5, chosen_on="rows set aside", bootstrap=Bootstrap(resamples=0)
    ).calibration


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_copies_of_a_groups_rows_change_nothing(method: Method) -> None:
    rows = sample(120, temperature=3.0)
    many, grid = with_a_giant(rows), np.linspace(-9, 9, 50)
    one, other = (fit_calibration(each, method=method) for each in (rows, many))
    np.testing.assert_allclose(one.apply(grid), other.apply(grid), atol=1e-5)
    for policy in ("youden", "cost"):
        config = CalibrateConfig(policy=policy)
        assert choose_threshold(rows, config=config) == pytest.approx(choose_threshold(many, config=config))
    before, after = temperature_interval(rows), temperature_interval(many)
    assert (before.low, before.high) == pytest.approx((after.low, after.high))


def test_a_calibrated_network_is_left_alone_whatever_one_large_group_says() -> None:
    found = [calibrated(with_a_giant(sample(34, seed=seed))) for seed in range(20)]
    assert sum(calibration.method == "none" for calibration in found) >= 19
    assert all("groups that had no part in it" in each.chosen_on for each in found if "one class" not in each.chosen_on)


def test_an_overconfident_network_is_tempered_in_spite_of_one_large_group() -> None:
    found = [calibrated(with_a_giant(sample(100, temperature=4.0, seed=seed))) for seed in range(10)]
    assert all(2.5 < calibration.temperature < 5.0 for calibration in found)
    assert all("a temperature lowers the log loss" in calibration.chosen_on for calibration in found)


def test_little_evidence_changes_little() -> None:
    few, many = sample(24, temperature=4.0, seed=3), sample(400, temperature=4.0, seed=3)
    alone = fit_calibration(few, method="temperature", prior_groups=0).temperature
    assert 1 < fit_calibration(few, method="temperature").temperature < 0.8 * alone
    assert fit_calibration(many, method="temperature").temperature == pytest.approx(4.0, rel=0.25)


def test_the_gain_is_measured_on_groups_that_did_not_choose() -> None:
    """Labels without any relation to the scores: every fit looks good on its own rows."""
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(12):
        rows = CalibrationRows(rng.normal(0, 0.3, 40), rng.random(40) < 0.5, np.arange(40).astype(str))
        gains.append(calibration_gain(rows, method="platt").mean)
    assert np.mean(gains) < 0


def test_all_good_luck_is_not_taken_for_certainty() -> None:
    """Twenty groups of a calibrated network that all happen to be right do not sharpen it."""
    logits = np.where(np.arange(20) < 10, 1.5, -1.5) + np.linspace(-0.5, 0.5, 20)
    rows = CalibrationRows(logits, (logits > 0) ^ (np.abs(logits) < 1.02), np.arange(20).astype(str))
    assert 0 < (rows.targets != (logits > 0)).sum() <= 2
    assert calibrated(rows).method == "none"


def test_the_groups_asked_for_are_effective_ones() -> None:
    """A large group with one odd label is not an eighth group of that class."""
    groups = np.append(np.arange(20), np.full(200, 20)).astype(str)
    targets = np.arange(220) < 7
    targets[-1] = True
    rows = CalibrationRows(np.where(targets, 0.5, -0.5) * np.linspace(1, 2, 220), targets, groups)
    assert rows.effective_groups == pytest.approx((7.01, 14), abs=0.01)
    assert calibrated(rows).chosen_on == "not calibrated: one class has 7 groups, and 8 are needed"


def test_folds_hold_whole_groups_and_do_not_see_the_labels() -> None:
    rows = sample()
    fold = group_folds(rows.groups, folds=5, seed=0)
    assert all(len(np.unique(fold[rows.groups == group])) == 1 for group in np.unique(rows.groups))
    sizes = np.bincount(fold)
    assert sizes.max() - sizes.min() <= 7
