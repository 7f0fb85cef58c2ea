"""Statistics of rows that come in groups."""

from __future__ import annotations

import numpy as np
import pytest

from sonoproof.groups import effective_number, groups_of_rarer_class


def test_the_effective_number_of_groups_is_theirs_if_equal_and_one_if_one_has_nearly_all() -> None:
    assert effective_number(np.full(12, 7.0)) == pytest.approx(12)
    assert effective_number([1000, 1, 1]) == pytest.approx(1, abs=0.01)
    assert effective_number([97, 1, 1, 1]) == pytest.approx(100**2 / (97**2 + 3))
    assert effective_number(np.zeros(3)) == 0


def test_a_group_of_both_classes_counts_for_each_and_a_missing_class_has_none() -> None:
    groups, targets = np.array(["a", "a", "b", "c", "c"]), np.array([True, False, True, True, True])
    assert groups_of_rarer_class(groups, targets=targets) == 1
    assert groups_of_rarer_class(groups, targets=np.ones(5, dtype=bool)) == 0
    assert groups_of_rarer_class(groups[:0], targets=targets[:0]) == 0
