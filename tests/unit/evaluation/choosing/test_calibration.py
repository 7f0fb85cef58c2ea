import dataclasses

import numpy as np
import pytest
from scipy.special import expit

from sonoproof.errors import ConfigError
from sonoproof.evaluation.choosing.calibration import fit_calibration, temperature_interval
from sonoproof.evaluation.choosing.rows import CalibrationRows
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.evaluation.measures.reliability import calibration_errors, cox_calibration
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.training.verdict import Method


def overconfident(n_groups: int = 200, *, temperature: float, seed: int) -> CalibrationRows:
    """Logits that are `temperature` times too far from zero, in groups of one class each."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), rng.integers(1, 8, n_groups))
    true = rng.normal(0, 1.5, n_groups)[groups]
    targets = (rng.random(n_groups) < expit(true[np.unique(groups, return_index=True)[1]]))[groups]
    return CalibrationRows(temperature * true, targets, groups.astype(str))


def scored(rows: CalibrationRows) -> ScoredRows:
    return ScoredRows.from_logits(rows.targets, logits=rows.logits)


def test_a_planted_temperature_lies_in_its_interval_as_often_as_it_says() -> None:
    held = 0
    for seed in range(200):
        rows = overconfident(80, temperature=2.5, seed=seed)
        interval = temperature_interval(rows)
        held += interval.low <= 2.5 <= interval.high
    assert 0.91 <= held / 200 <= 0.99


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_calibration_keeps_the_ranking_and_lowers_the_loss(method: Method) -> None:
    rows = overconfident(400, temperature=4.0, seed=1)
    calibrated = fit_calibration(rows, method=method).apply(rows.logits)
    order = np.argsort(rows.logits)
    assert (np.diff(calibrated[order]) >= 0).all()
    before, after = (ScoredRows.from_logits(rows.targets, logits=z) for z in (rows.logits, calibrated))
    assert METRICS["loss"](after) < METRICS["loss"](before)
    if method != "isotonic":  # its steps make ties
        assert METRICS["auc"](after) == METRICS["auc"](before)


@pytest.mark.parametrize("method", ["temperature", "platt"])
def test_a_score_that_ranks_the_classes_wrong_is_not_turned_round(method: Method) -> None:
    rows = overconfident(temperature=1.0, seed=2)
    assert fit_calibration(dataclasses.replace(rows, logits=-rows.logits), method=method).slope > 0


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_separated_classes_give_finite_logits(method: Method) -> None:
    targets = np.arange(200) < 100
    logits = np.where(targets, 3.0, -3.0) + np.linspace(0, 1, 200)
    rows = CalibrationRows(logits, targets, np.arange(200).astype(str))
    assert np.isfinite(fit_calibration(rows, method=method).apply(logits)).all()
    assert "no inner maximum" in temperature_interval(rows).reason
    slope = cox_calibration(scored(rows), groups=rows.groups)["slope"]
    assert "separate the classes" in slope.reason


def test_isotonic_is_refused_with_few_groups() -> None:
    rows = overconfident(30, temperature=2.0, seed=0)
    with pytest.raises(ConfigError, match="needs 100 groups, and there are 30"):
        fit_calibration(rows, method="isotonic")


def test_one_class_cannot_be_calibrated() -> None:
    with pytest.raises(ConfigError, match="both classes"):
        fit_calibration(
            CalibrationRows(np.array([0.0, 1.0]), np.array([True, True]), np.array(["a", "b"])), method="platt"
        )


def test_overconfidence_shows_as_a_slope_below_one() -> None:
    rows = overconfident(300, temperature=3.0, seed=5)
    slope = cox_calibration(scored(rows), groups=rows.groups)["slope"]
    assert slope.low < 1 / 3 < slope.high < 1


def test_the_calibration_error_falls_within_its_limits() -> None:
    rows = overconfident(300, temperature=3.0, seed=5)
    error = calibration_errors(scored(rows), groups=rows.groups)
    assert 0 < error.low < error.value < error.high


def test_the_limits_of_the_calibration_error_reach_zero_for_calibrated_rows() -> None:
    reaching_zero = 0
    for seed in range(40):
        rows = overconfident(60, temperature=1.0, seed=seed)
        error = calibration_errors(scored(rows), groups=rows.groups, bootstrap=Bootstrap(resamples=300))
        assert error.value > 0.02  # chance alone makes it positive
        reaching_zero += error.low == 0
    assert reaching_zero >= 37
