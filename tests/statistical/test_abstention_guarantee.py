"""Over 1,000 random splits of groups the guarantees of abstention hold: ``benchmarks/abstention_guarantee.py``."""

import runpy

import pytest
from tests.support.shared import ROOT

BENCHMARK = runpy.run_path(str(ROOT / "benchmarks" / "abstention_guarantee.py"))


@pytest.mark.slow
@pytest.mark.parametrize("groups", [25, 80])
def test_sets_hold_the_class_and_wrong_answers_stay_below_the_promise(groups: int) -> None:
    found = BENCHMARK["guarantees"](groups=groups, splits=1000, error=0.1)
    assert 0.895 <= found["covered"] <= 0.95
    assert found["wrong"] <= 0.1
    assert found["answered"] > 0.4  # it does not get there by refusing everything
