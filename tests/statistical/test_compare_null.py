"""Where there is no difference, one is found in 5 % of data sets: the short form of ``benchmarks/compare_null.py``."""

import runpy

import pytest
from tests.support.shared import ROOT

pytestmark = pytest.mark.slow

BENCHMARK = runpy.run_path(str(ROOT / "benchmarks" / "compare_null.py"))


def test_equal_models_are_called_different_in_about_five_percent() -> None:
    shares = BENCHMARK["false_alarms"](groups=40, datasets=400, resamples=150, seed=0)
    rows = shares.pop("delong of rows")
    for name, share in shares.items():
        assert 0.015 <= share <= 0.085, (name, share)  # over three standard errors of 400 data sets about 5 %
    assert rows > 0.15  # a test that takes rows as independent raises the alarm far too often
