"""Calibration fits equal statsmodels and scikit-learn, its error torchmetrics."""

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from torchmetrics.functional.classification import binary_calibration_error

from sonoproof.evaluation.choosing.calibration import fit_calibration
from sonoproof.evaluation.choosing.rows import CalibrationRows
from sonoproof.evaluation.intervals.logistic import cluster_covariance
from sonoproof.evaluation.measures.reliability import calibration_error, cox_calibration
from sonoproof.evaluation.scores.rows import ScoredRows


@pytest.fixture
def sample() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 2, 600)
    targets = rng.random(600) < expit(0.6 * logits + 0.4)
    return logits, targets, np.arange(600) // 4


def test_temperature_is_the_logistic_slope_without_intercept(sample: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    logits, targets, groups = sample
    fitted = fit_calibration(CalibrationRows(logits, targets, groups.astype(str)), method="temperature", prior_groups=0)
    expected = sm.Logit(targets.astype(float), logits).fit(disp=False).params[0]
    assert fitted.slope == pytest.approx(expected, rel=1e-5)


def test_platt_is_the_logistic_fit(sample: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    logits, targets, groups = sample
    design = np.column_stack([logits, np.ones(600)])
    expected = sm.GLM(targets.astype(float), design, family=sm.families.Binomial()).fit().params
    fitted = fit_calibration(CalibrationRows(logits, targets, groups.astype(str)), method="platt", prior_groups=0)
    assert (fitted.slope, fitted.intercept) == pytest.approx(tuple(expected), rel=1e-4)


def test_isotonic_equals_scikit_learn(sample: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    logits, targets, groups = sample
    logits = np.round(logits, 1)
    fitted = fit_calibration(CalibrationRows(logits, targets, groups.astype(str)), method="isotonic", prior_groups=0)
    margin = 0.5 / 150  # half a group
    expected = IsotonicRegression().fit_transform(logits, targets).clip(margin, 1 - margin)
    np.testing.assert_allclose(expit(fitted.apply(logits)), expected, atol=1e-9)


def test_the_sandwich_equals_that_of_statsmodels(sample: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    logits, targets, groups = sample
    design = np.column_stack([logits, np.ones(600)])
    model = sm.GLM(targets.astype(float), design, family=sm.families.Binomial())
    fit = model.fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False})
    ours = cluster_covariance(
        design, targets=targets.astype(float), coefficients=fit.params, group_of_row=groups.astype(np.intp)
    )
    np.testing.assert_allclose(ours, fit.cov_params() * 150 / 149, rtol=1e-6)


def test_slope_and_intercepts_equal_statsmodels(sample: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    logits, targets, groups = sample
    found = cox_calibration(ScoredRows.from_logits(targets, logits=logits), groups=groups)
    design = np.column_stack([logits, np.ones(600)])
    slope, intercept = sm.Logit(targets.astype(float), design).fit(disp=False).params
    large = sm.GLM(targets.astype(float), np.ones(600), offset=logits, family=sm.families.Binomial()).fit().params[0]
    values = [found[name].value for name in ("slope", "intercept", "in_the_large")]
    assert values == pytest.approx([slope, intercept, large], rel=1e-4)


def test_calibration_error_equals_torchmetrics(sample: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    logits, targets, _ = sample
    expected = binary_calibration_error(torch.tensor(expit(logits)), torch.tensor(targets).long(), n_bins=10, norm="l1")
    found = calibration_error(ScoredRows.from_logits(targets, logits=logits))
    assert found == pytest.approx(float(expected), abs=1e-6)


def test_calibration_error_equals_a_loop_over_bins(sample: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    logits, targets, _ = sample
    p, expected = expit(logits), 0.0
    for k in range(10):
        inside = (p >= k / 10) & (p < (k + 1) / 10)
        if inside.any():
            expected += inside.mean() * abs(p[inside].mean() - targets[inside].mean())
    assert calibration_error(ScoredRows.from_logits(targets, logits=logits)) == pytest.approx(expected)
