"""When the model says that it is not sure; the guarantee itself is measured in tests/statistical."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logit

from sonoproof.evaluation.choosing.abstention import choose_abstention, nonconformity_quantile
from sonoproof.evaluation.choosing.rows import CalibrationRows
from sonoproof.training.verdict import Abstention


def test_the_nonconformity_score_is_one_minus_the_probability_of_the_rows_own_class() -> None:
    logits = logit(np.array([0.9, 0.2, 0.6]))
    rows = CalibrationRows(logits, np.array([True, False, True]), np.array(["a", "b", "c"]))
    scores = np.sort([1 - 0.9, 0.2, 1 - 0.6])
    assert nonconformity_quantile(rows, error=0.5) == pytest.approx(scores[1])  # the second of three and a new group
    assert nonconformity_quantile(rows, error=0.25) == pytest.approx(scores[2])


def test_too_few_groups_put_both_classes_in_every_set_and_answer_nothing() -> None:
    rows = CalibrationRows(np.array([4.0, -4.0, 5.0]), np.array([True, False, True]), np.array(["a", "b", "c"]))
    quantile = nonconformity_quantile(rows, error=0.1)
    assert quantile == 1.0
    logits = np.array([-9.0, 0.0, 9.0])
    assert not Abstention(error=0.1, quantile=quantile).sure(logits, predicted=logits > 0).any()
    assert "3 groups cannot guarantee 10%" in choose_abstention(rows, error=0.1, chosen_on="rows").chosen_on


def test_a_row_is_answered_if_its_class_alone_is_possible() -> None:
    logits = np.array([-3.0, 0.1, 3.0])
    sure = Abstention(error=0.1, quantile=0.6).sure(logits, predicted=logits > 0)
    np.testing.assert_array_equal(sure, [True, False, True])


@pytest.mark.parametrize("error", [0.0, 1.0, -0.1])
def test_an_error_out_of_range_is_refused(error: float) -> None:
    rows = CalibrationRows(np.array([1.0, 0.0]), np.array([True, False]), np.array(["a", "b"]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        nonconformity_quantile(rows, error=error)
