"""Calibration seldom makes new groups worse off, and gains what it can: a slice of ``calibration_choice.py``."""

import runpy

import pytest
from tests.support.shared import ROOT

BENCHMARK = runpy.run_path(str(ROOT / "benchmarks" / "calibration_choice.py"))
NETWORK, WORSE = BENCHMARK["Network"], BENCHMARK["share_worse"]


@pytest.mark.parametrize("sizes", ["equal", "one giant"])
def test_a_calibrated_network_is_seldom_made_worse(sizes: str) -> None:
    before, after = BENCHMARK["calibration_changes"](
        NETWORK(1.3), groups=34, sizes=sizes, method="temperature", repeats=40
    )
    assert WORSE(after) <= 0.05
    assert WORSE(before) > 0.7


def test_an_overconfident_network_gains_no_less_than_by_rows_that_count_alike() -> None:
    before, after = BENCHMARK["calibration_changes"](
        NETWORK(1.3, factor=3.0), groups=100, sizes="unequal", method="temperature", repeats=10
    )
    assert WORSE(after) == 0
    assert after.mean() > before.mean() > 0.1


def test_a_good_threshold_is_seldom_made_worse() -> None:
    before, after = BENCHMARK["threshold_changes"](NETWORK(1.3), groups=34, sizes="equal", repeats=30)
    assert WORSE(after) <= 0.1
    assert WORSE(before) > 0.7
