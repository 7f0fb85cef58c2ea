"""The conformal quantile of rows in groups."""

from __future__ import annotations

import numpy as np
import pytest

from sonoproof.training.conformal import group_quantile


def test_the_quantile_of_single_rows_is_that_of_split_conformal() -> None:
    # Nine rows and error 0.2: the ceil(0.8 * 10) = 8th smallest score.
    scores = 1 - np.array([0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.55, 0.4, 0.2])
    assert group_quantile(scores, groups=np.arange(9), error=0.2) == pytest.approx(1 - 0.4)


def test_a_group_has_the_same_weight_however_many_rows_it_has() -> None:
    scores = np.array([0.1, 0.4, 0.3, 0.2])
    more = np.array([0.1] * 100 + [0.4, 0.3, 0.2])
    few = group_quantile(scores, groups=["a", "b", "c", "d"], error=0.4)
    assert group_quantile(more, groups=["a"] * 100 + ["b", "c", "d"], error=0.4) == few


def test_too_few_groups_have_no_quantile() -> None:
    assert group_quantile(np.array([0.1, 0.2]), groups=["a", "b"], error=0.1) is None
