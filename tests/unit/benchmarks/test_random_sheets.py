"""A slice of the random sheets: no row is used with a wrong label, file or patient, and plain sheets are not asked."""

from __future__ import annotations

import pytest
from benchmarks.random_sheets import try_sheets


@pytest.mark.slow
def test_no_row_of_a_random_sheet_is_used_wrongly() -> None:
    tally = try_sheets(40, seed=4)
    assert tally.wrong == []
    assert tally.used > 200
    assert tally.asked < 20
    assert tally.asked_without_trap == 0
