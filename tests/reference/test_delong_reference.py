"""DeLong equals its definition by pairs and a published example; Clopper-Pearson equals statsmodels."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from sonoproof.evaluation.intervals.delong import auc_covariance, clopper_pearson, delong_test
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.scores.rows import ScoredRows


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
    found = clopper_pearson(successes, n=n)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)
    assert found.value == successes / n


# AUC, DeLong's z, two-sided p and 95 % limits of the difference as the tests of pROC expect them (xrobin/pROC,
# tests/testthat: test-roc.test.R at 0bc764d, helper-deLongPlacementsCpp-expected.R at 13bdf2c). Its manual prints
# Z = 2.209, p = 0.02718 for the first pair.
PUBLISHED_AUC = {"wfns": 0.823678861788618, "s100b": 0.731368563685637, "ndka": 0.611957994579946}
PUBLISHED_TESTS = [
    ("wfns", "s100b", 2.20898359144091, 0.0271757822291882, 0.0104061769564846, 0.174214419249478),
    ("wfns", "ndka", 2.79777591868904, 0.00514557970691098, 0.0634011709339876, 0.3600405634833566),
    ("ndka", "s100b", -1.39077002573558, 0.164295175223054, -0.2876917446341914, 0.0488706064228094),
]


@pytest.fixture(scope="module")
def haemorrhage() -> dict[str, ScoredRows]:
    """Three markers of 113 patients with a subarachnoid haemorrhage, 41 of whom had a poor outcome.

    The data `aSAH` of the R package pROC (Robin et al. 2011, BMC Bioinformatics 12:77), from Turck et al. (2010),
    Intensive Care Med. 36:107. WFNS is a grade from 1 to 5, so that most pairs are tied.
    """
    table = pd.read_csv(Path(__file__).with_name("asah.csv"))
    assert (len(table), table["poor_outcome"].sum()) == (113, 41)
    return {name: ScoredRows.from_logits(table["poor_outcome"], logits=table[name]) for name in PUBLISHED_AUC}


@pytest.mark.parametrize(("first", "second", "z", "p", "low", "high"), PUBLISHED_TESTS)
def test_the_published_example_of_113_haemorrhages(
    haemorrhage: dict[str, ScoredRows], first: str, second: str, z: float, p: float, low: float, high: float
) -> None:
    found = delong_test(haemorrhage[first], second=haemorrhage[second])
    assert found.difference == pytest.approx(PUBLISHED_AUC[first] - PUBLISHED_AUC[second], abs=1e-14)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)
    assert found.p == pytest.approx(p, rel=1e-12)
    assert np.sign(found.difference) * stats.norm.isf(found.p / 2) == pytest.approx(z, rel=1e-12)


def test_the_published_areas_of_113_haemorrhages(haemorrhage: dict[str, ScoredRows]) -> None:
    for name, area in PUBLISHED_AUC.items():
        assert METRICS["auc"](haemorrhage[name]) == pytest.approx(area, abs=1e-14), name
        (by_delong,), _ = auc_covariance(haemorrhage[name].logits, targets=haemorrhage[name].targets)
        assert by_delong == pytest.approx(area, abs=1e-14), name
