import numpy as np
import pytest
from scipy import stats

from sonoproof.evaluation.intervals.intervals import metric_intervals
from sonoproof.evaluation.intervals.resampling import Bootstrap, Grouping
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.scores.rows import ScoredRows


def grouped_rows(n_groups: int, *, per_group: int, seed: int = 0) -> tuple[ScoredRows, np.ndarray]:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), per_group)
    targets = (rng.random(n_groups) < 0.5)[group]
    logits = np.where(targets, 0.7, -0.7) + rng.normal(0, 1, n_groups)[group] + rng.normal(0, 0.5, len(group))
    return ScoredRows.from_logits(targets, logits=logits), group


def test_drawn_weights_keep_each_stratum_whole_and_have_unit_variance() -> None:
    targets = np.array([True] * 5 + [False] * 8)
    grouping = Grouping.from_names(np.arange(13), targets=targets)
    weights = grouping.draw(20_000, rngs=np.random.default_rng(0).spawn(2))
    np.testing.assert_allclose(weights[:, targets].sum(axis=1), 5)
    np.testing.assert_allclose(weights[:, ~targets].sum(axis=1), 8)
    # n - 1 draws weighed by n / (n - 1): the variance of a weight is one, not the 1 - 1/n of n draws.
    np.testing.assert_allclose(weights.var(axis=0), 1, atol=0.05)


def test_one_stratum_is_drawn_while_the_other_is_held() -> None:
    grouping = Grouping.from_names(np.arange(6), targets=np.array([True] * 3 + [False] * 3))
    weights = grouping.draw(50, rngs=np.random.default_rng(0).spawn(2), only=1)
    assert (weights[:, 3:] == 1).all()
    assert weights[:, :3].std() > 0


@pytest.mark.parametrize(
    "targets",
    [
        [[0, 1], [0, 1, 1], [1, 1], [1]],  # negatives in two of four groups only
        [[0, 1], [0, 0], [0], [0, 0, 0], [1]],  # positives in two of five
    ],
)
def test_no_resample_is_without_a_class_even_where_groups_hold_both(targets: list[list[int]]) -> None:
    group = np.concatenate([[i] * len(rows) for i, rows in enumerate(targets)])
    y = np.concatenate(targets).astype(bool)
    weights = Grouping.from_names(group, targets=y).draw(2000, rngs=np.random.default_rng(0).spawn(2))[:, group]
    assert (weights[:, y].sum(axis=1) > 0).all()
    assert (weights[:, ~y].sum(axis=1) > 0).all()


def test_single_rows_give_the_standard_error_of_a_share() -> None:
    rows, _ = grouped_rows(800, per_group=1)
    interval = metric_intervals(rows, groups=np.arange(800), bootstrap=Bootstrap(resamples=8000))["recall"]
    p, n = interval.value, rows.targets.sum()
    half = stats.norm.ppf(0.975) * np.sqrt(p * (1 - p) / n)
    assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=0.05)


def test_repeating_every_frame_adds_no_certainty() -> None:
    rows, group = grouped_rows(40, per_group=3)
    tenfold = ScoredRows.from_logits(np.repeat(rows.targets, 10), logits=np.repeat(rows.logits, 10))
    once = metric_intervals(rows, groups=group)
    ten = metric_intervals(tenfold, groups=np.repeat(group, 10))
    for name in METRICS:
        assert ten[name].low == pytest.approx(once[name].low, abs=1e-9), name


def test_the_seed_decides_the_limits() -> None:
    rows, group = grouped_rows(30, per_group=4)
    first, again = (metric_intervals(rows, groups=group, bootstrap=Bootstrap(seed=3)) for _ in range(2))
    assert first == again
    assert first != metric_intervals(rows, groups=group, bootstrap=Bootstrap(seed=4))


def test_a_single_positive_group_gives_values_without_limits() -> None:
    rows = ScoredRows.from_logits([1, 1, 0, 0, 0, 0], logits=[2.0, -0.5, -1.0, 0.4, -2.0, 1.0])
    intervals = metric_intervals(rows, groups=["a", "a", "b", "c", "d", "e"])
    for name in ("recall", "auc", "accuracy"):
        assert np.isfinite(intervals[name].value)
        assert np.isnan([intervals[name].low, intervals[name].high]).all()
        assert intervals[name].reason == "no limits: only one group has a row that is positive"
    assert intervals["specificity"].low < intervals["specificity"].value


def test_a_share_of_one_gets_the_clopper_pearson_limit_of_its_groups() -> None:
    rows = ScoredRows.from_logits([1] * 20 + [0] * 20, logits=[1.0] * 20 + [-1.0] * 19 + [0.5])
    recall = metric_intervals(rows, groups=np.arange(40) // 2)["recall"]
    assert (recall.value, recall.high) == (1, 1)
    assert recall.low == pytest.approx(stats.beta.ppf(0.025, 10, 1))  # ten positive groups


def test_an_auc_of_one_has_no_lower_limit_and_says_why() -> None:
    rows = ScoredRows.from_logits([1, 1, 1, 0, 0, 0], logits=[1.0, 2.0, 3.0, -1.0, -2.0, -3.0])
    auc = metric_intervals(rows, groups=np.arange(6))["auc"]
    assert (auc.value, auc.high) == (1, 1)
    assert np.isnan(auc.low)
    assert "no lower limit" in auc.reason


def test_a_metric_that_most_resamples_leave_undefined_gets_no_limits() -> None:
    # Two rows of sixty are predicted positive: many resamples have neither.
    logits = np.r_[[1.0], np.full(29, -1.0), [1.0], np.full(29, -1.0)]
    rows = ScoredRows.from_logits([1] * 30 + [0] * 30, logits=logits)
    precision = metric_intervals(rows, groups=np.arange(60))["precision"]
    assert precision.value == 0.5
    assert np.isnan(precision.low)
    assert "% of the resamples" in precision.reason


def test_one_false_positive_among_many_groups_does_not_blow_up_the_precision() -> None:
    """20 of 21 predicted positive are: the interval is near Wilson's, 0.77 to 0.99, and not 0 to 1."""
    targets = np.repeat([True, False], 20)
    logits = np.where(targets, 2.0, -2.0)
    logits[25] = 2.0
    rows = ScoredRows.from_logits(targets, logits=logits)
    precision = metric_intervals(rows, groups=np.arange(40), metrics={"precision": METRICS["precision"]})["precision"]
    wilson = stats.binomtest(20, 21).proportion_ci(method="wilson")
    assert precision.value == pytest.approx(20 / 21)
    assert wilson.low - 0.35 < precision.low < wilson.low
    assert wilson.high - 0.02 < precision.high < 1
