"""DeLong by midranks equals the definition by pairs; Clopper-Pearson equals statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from sonoproof.evaluation.delong import auc_covariance, clopper_pearson


def _by_pairs(scores: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong et al. (1988), equations 3 to 5, with every pair written out."""
    wins = np.array([(s[targets][:, None] > s[~targets]) + 0.5 * (s[targets][:, None] == s[~targets]) for s in scores])
    auc = wins.mean(axis=(1, 2))
    v10, v01 = wins.mean(axis=2) - auc[:, None], wins.mean(axis=1) - auc[:, None]
    m, n = v10.shape[1], v01.shape[1]
    return auc, v10 @ v10.T / (m - 1) / m + v01 @ v01.T / (n - 1) / n


@pytest.mark.parametrize("decimals", [1, 12])
@pytest.mark.parametrize("seed", range(3))
def test_midranks_equal_pairs(seed: int, decimals: int) -> None:
    rng = np.random.default_rng(seed)
    targets = rng.random(90) < 0.3
    scores = np.round(rng.normal(size=(3, 90)) + targets * np.array([[0.5], [1.0], [2.0]]), decimals)
    auc, covariance = auc_covariance(scores, targets=targets)
    expected_auc, expected_covariance = _by_pairs(scores, targets)
    np.testing.assert_allclose(auc, expected_auc, rtol=1e-12)
    np.testing.assert_allclose(covariance, expected_covariance, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (5, 5), (3, 17), (199, 200)])
def test_statsmodels_agrees_on_exact_limits(successes: int, n: int) -> None:
    expected = proportion_confint(successes, n, method="beta")
    assert clopper_pearson(successes, n=n) == pytest.approx(expected, abs=1e-12)


def test_the_published_example_of_109_ct_images() -> None:
    """Ratings of Hanley and McNeil (1982), table 1; DeLong's error as the Stata manual prints it ([R] roctab)."""
    normal, abnormal = (33, 6, 6, 11, 2), (3, 2, 2, 11, 33)
    ratings = np.concatenate([np.repeat(np.arange(1.0, 6.0), counts) for counts in (normal, abnormal)])
    targets = np.repeat([False, True], [sum(normal), sum(abnormal)])
    (auc,), covariance = auc_covariance(ratings[None], targets=targets)
    error = float(np.sqrt(covariance[0, 0]))
    assert auc == pytest.approx(0.8932, abs=5e-5)
    assert error == pytest.approx(0.0307, abs=5e-5)
    assert (auc - 1.959964 * error, auc + 1.959964 * error) == pytest.approx((0.83295, 0.95339), abs=5e-6)
