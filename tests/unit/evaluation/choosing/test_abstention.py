import numpy as np
import pytest

from sonoproof.evaluation.choosing.abstention import (
    abstention_confidence,
    accepted,
    conformal_quantile,
    prediction_sets,
)
from sonoproof.evaluation.scores.rows import ScoredRows


def test_the_quantile_of_single_rows_is_that_of_split_conformal() -> None:
    # Nine calibration rows and error 0.2: the ceil(0.8 * 10) = 8th smallest misfit.
    probabilities = np.array([0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.55, 0.4, 0.2])
    rows = ScoredRows.from_probabilities(np.ones(9, dtype=int), probabilities=probabilities)
    assert conformal_quantile(rows, groups=np.arange(9), error=0.2) == pytest.approx(1 - 0.4)


def test_a_group_weighs_the_same_however_many_rows_it_has() -> None:
    rows = ScoredRows.from_probabilities([1, 1, 1, 0], probabilities=[0.9, 0.6, 0.7, 0.2])
    more = ScoredRows.from_probabilities([1] * 100 + [1, 1, 0], probabilities=[0.9] * 100 + [0.6, 0.7, 0.2])
    few = conformal_quantile(rows, groups=["a", "b", "c", "d"], error=0.4)
    assert conformal_quantile(more, groups=["a"] * 100 + ["b", "c", "d"], error=0.4) == pytest.approx(few)


def test_too_few_groups_promise_nothing() -> None:
    rows = ScoredRows.from_logits([1, 0, 1], logits=[4.0, -4.0, 5.0])
    quantile = conformal_quantile(rows, groups=["a", "b", "c"], error=0.1)
    assert prediction_sets([-9.0, 9.0], quantile=quantile).all()
    assert not accepted(rows, confidence=abstention_confidence(rows, groups=["a", "b", "c"], risk=0.1)).any()


def test_a_set_names_the_likely_class_and_both_where_it_is_unsure() -> None:
    sets = prediction_sets([-3.0, 0.1, 3.0], quantile=0.6)
    np.testing.assert_array_equal(sets, [[True, False], [True, True], [False, True]])


def test_accepted_calls_are_as_many_as_the_risk_allows() -> None:
    # 99 groups of one row; the ten least sure are wrong. Risk 0.05: (k + 1) / 100 <= 0.05 allows four wrong ones.
    sure = np.linspace(4, 0.1, 99)
    targets = np.arange(99) < 89
    rows = ScoredRows.from_logits(targets, logits=sure)
    kept = accepted(rows, confidence=abstention_confidence(rows, groups=np.arange(99), risk=0.05))
    assert kept.sum() == 89 + 4


def test_equally_sure_calls_are_accepted_or_left_together() -> None:
    rows = ScoredRows.from_logits([1] * 50 + [0] * 50, logits=[3.0] * 50 + [1.0] * 50)
    kept = accepted(rows, confidence=abstention_confidence(rows, groups=np.arange(100), risk=0.05))
    np.testing.assert_array_equal(kept, np.arange(100) < 50)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    rows = ScoredRows.from_logits([1, 0], logits=[1.0, 0.0])
    with pytest.raises(ValueError, match="between 0 and 1"):
        conformal_quantile(rows, groups=["a", "b"], error=share)
    with pytest.raises(ValueError, match="between 0 and 1"):
        abstention_confidence(rows, groups=["a", "b"], risk=share)
