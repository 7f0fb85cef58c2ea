"""The 95 % intervals hold the truth 95 % of the time: the short form of ``benchmarks/interval_coverage.py``."""

import runpy

import pytest
from tests.support.shared import ROOT

pytestmark = pytest.mark.slow

BENCHMARK = runpy.run_path(str(ROOT / "benchmarks" / "interval_coverage.py"))


@pytest.mark.parametrize(("groups", "datasets"), [(30, 1000), (100, 600)])
def test_nominal_95_percent_hold_the_truth_93_to_97_percent(groups: int, datasets: int) -> None:
    scenario = BENCHMARK["Scenario"](groups=groups)
    held = BENCHMARK["coverage"](scenario, datasets=datasets, resamples=200, seed=1)
    for name, share in held.items():
        assert 0.93 <= share <= 0.97, (name, share)


def test_few_positive_groups_make_intervals_too_wide_rather_than_too_narrow() -> None:
    scenario = BENCHMARK["Scenario"](groups=30, prevalence=0.2)
    held = BENCHMARK["coverage"](scenario, datasets=600, resamples=200, seed=1)
    assert min(held.values()) >= 0.93, held


def test_a_share_of_positive_groups_that_came_by_chance_needs_units_drawn_without_regard_to_class() -> None:
    scenario = BENCHMARK["Scenario"](groups=60, prevalence_fixed=False)
    by_class = BENCHMARK["coverage"](scenario, datasets=600, resamples=200, seed=1)
    by_chance = BENCHMARK["coverage"](scenario, datasets=600, resamples=200, seed=1, stratified=False)
    assert by_class["precision"] < 0.92
    assert 0.93 <= by_chance["precision"] <= 0.97


def test_the_plain_percentile_interval_would_fail() -> None:
    scenario = BENCHMARK["Scenario"](groups=30)
    held = BENCHMARK["percentile_coverage"](scenario, datasets=400, resamples=200, seed=1)
    assert max(held.values()) < 0.93, held


def test_two_thousand_resamples_of_a_hundred_thousand_rows_take_under_half_a_minute() -> None:
    assert BENCHMARK["seconds_of_large_bootstrap"]() < 30
