import numpy as np
import pytest

from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.evaluation.measures.decision_curve import decision_curve
from sonoproof.evaluation.scores.rows import ScoredRows


@pytest.fixture
def rows() -> ScoredRows:
    rng = np.random.default_rng(0)
    targets = rng.random(300) < 0.3
    return ScoredRows.from_logits(targets, logits=rng.normal(size=300) + 2 * targets - 1.5)


def test_net_benefit_equals_its_definition(rows: ScoredRows) -> None:
    thresholds = np.array([0.7, 0.1, 0.35])
    curve = decision_curve(rows, groups=np.arange(300) // 3, thresholds=thresholds, bootstrap=Bootstrap(resamples=200))
    for t, found in zip(thresholds, curve.model, strict=True):
        treated = rows.probabilities >= t
        tp, fp = (treated & rows.targets).sum(), (treated & ~rows.targets).sum()
        assert found == pytest.approx((tp - fp * t / (1 - t)) / 300)
    assert (curve.low <= curve.model).all()
    assert (curve.model <= curve.high).all()


def test_a_case_at_the_threshold_is_treated() -> None:
    rows = ScoredRows.from_logits([1, 1, 0, 0], logits=[0.0, 1.0, -1.0, -2.0])
    curve = decision_curve(rows, groups=np.arange(4), thresholds=[0.5], bootstrap=Bootstrap(resamples=100))
    assert curve.model[0] == pytest.approx(2 / 4)


def test_treating_all_is_the_model_at_a_threshold_below_every_score(rows: ScoredRows) -> None:
    curve = decision_curve(rows, groups=np.arange(300), thresholds=[1e-6], bootstrap=Bootstrap(resamples=100))
    assert curve.model[0] == pytest.approx(curve.treat_all[0])
    assert curve.treat_all[0] == pytest.approx(rows.targets.mean(), abs=1e-5)


def test_a_single_positive_group_has_no_limits() -> None:
    rows = ScoredRows.from_logits([1, 1, 0, 0, 0], logits=[1.0, 0.5, 0.7, -1.0, -2.0])
    curve = decision_curve(rows, groups=["a", "a", "b", "c", "d"], thresholds=[0.5], bootstrap=Bootstrap(resamples=100))
    assert np.isfinite(curve.model).all()
    assert np.isnan([curve.low, curve.high]).all()


def test_one_class_has_no_curve() -> None:
    with pytest.raises(ValueError, match="both classes"):
        decision_curve(ScoredRows.from_logits([1, 1], logits=[0.0, 1.0]), groups=["a", "b"])
