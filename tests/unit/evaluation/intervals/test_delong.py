import numpy as np
import pytest

from sonoproof.evaluation.intervals.delong import delong_interval, delong_test, independent_intervals
from sonoproof.evaluation.intervals.intervals import metric_intervals
from sonoproof.evaluation.scores.rows import ScoredRows


def independent_rows(n: int = 400, *, seed: int = 0, shift: float = 1.0) -> ScoredRows:
    rng = np.random.default_rng(seed)
    targets = np.arange(n) < n // 2
    return ScoredRows.from_logits(targets, logits=rng.normal(size=n) + shift * targets)


def test_delong_and_the_bootstrap_agree_on_independent_rows() -> None:
    rows = independent_rows()
    exact = delong_interval(rows)
    resampled = metric_intervals(rows, groups=np.arange(rows.n))["auc"]
    assert (resampled.low, resampled.high) == pytest.approx((exact.low, exact.high), abs=0.006)


def test_grouped_rows_get_no_delong_interval_but_the_reason() -> None:
    rows = independent_rows(40)
    assert independent_intervals(rows, groups=np.arange(40) // 2) == (
        "40 rows come from 20 groups: they are not independent"
    )
    assert isinstance(independent_intervals(rows, groups=np.arange(40)), dict)


@pytest.mark.parametrize(
    ("targets", "logits", "reason"),
    [
        ([1, 0, 0], [1.0, 0.0, 2.0], "no limits: only one positive row"),
        ([1, 1, 1], [1.0, 0.0, 2.0], "no limits: no negative row"),
        ([1, 1, 0, 0], [3.0, 4.0, 1.0, 2.0], "no limits: the AUC is 1, and its variance by DeLong is zero"),
    ],
)
def test_what_has_no_variance_says_why(targets: list[int], logits: list[float], reason: str) -> None:
    interval = delong_interval(ScoredRows.from_logits(targets, logits=logits))
    assert np.isnan([interval.low, interval.high]).all()
    assert interval.reason == reason


def test_a_better_score_on_the_same_rows_is_found_better() -> None:
    weak, strong = independent_rows(shift=0.3), independent_rows(shift=1.5)
    test = delong_test(strong, second=weak)
    assert test.low > 0
    assert test.p < 1e-4
    assert delong_test(weak, second=strong).difference == -test.difference


def test_a_score_compared_with_itself_has_no_test() -> None:
    rows = independent_rows()
    test = delong_test(rows, second=rows)
    assert test.difference == 0
    assert np.isnan(test.p)
    assert "no variance" in test.reason


def test_other_rows_are_refused() -> None:
    rows = independent_rows()
    other = ScoredRows(~rows.targets, rows.logits, rows.predicted_positive)
    with pytest.raises(ValueError, match="same rows"):
        delong_test(rows, second=other)
