import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from statsmodels.stats.multitest import multipletests

from sonoproof.classes import Classes
from sonoproof.config import EvaluateConfig
from sonoproof.errors import RunFolderError
from sonoproof.evaluation.measures.compare import compare, holm
from sonoproof.evaluation.metrics.metrics import METRICS

CLASSES = Classes(negative="healthy", positive="unhealthy")
CONFIG = EvaluateConfig(resamples=500)


def table(skill: float, *, seed: int, n_groups: int = 60, per_group: int = 4) -> pd.DataFrame:
    n = n_groups * per_group
    target = np.repeat(np.arange(n_groups) % 2, per_group)
    shared = np.random.default_rng(99).normal(0, 1, n_groups)
    logit = skill * (2 * target - 1) + np.repeat(shared, per_group) + np.random.default_rng(seed).normal(0, 0.5, n)
    return pd.DataFrame(
        {
            "image_id": [f"{i:03}.png" for i in range(n)],
            "path": "",
            "group": np.repeat([f"g{i}" for i in range(n_groups)], per_group),
            "source": "",
            "label": np.where(target == 1, "unhealthy", "healthy"),
            "target": target,
            "logit": logit,
            "probability": expit(logit),
            "predicted": np.where(logit >= 0, "unhealthy", "healthy"),
        }
    )


def test_the_better_predictions_are_found_better_in_every_metric() -> None:
    result = compare({"good": table(1.5, seed=1), "poor": table(0.3, seed=2)}, classes=CLASSES, config=CONFIG)
    assert [difference.metric for difference in result.differences] == list(METRICS)
    for difference in result.differences:
        sign = 1 if METRICS[difference.metric].higher_is_better else -1
        assert sign * difference.test.difference > 0, difference
        assert difference.test.p < 0.05, difference
    assert (result.n, result.n_units, result.unit) == (240, 60, "group")


def test_the_order_of_rows_does_not_matter_and_that_of_tables_only_turns_the_sign() -> None:
    good, poor = table(1.5, seed=1), table(0.3, seed=2)
    one = compare({"a": good, "b": poor.sample(frac=1, random_state=0)}, classes=CLASSES, config=CONFIG)
    other = compare({"b": poor, "a": good}, classes=CLASSES, config=CONFIG)
    for x, y in zip(one.differences, other.differences, strict=True):
        assert x.test.difference == pytest.approx(-y.test.difference)
        assert x.test.p == pytest.approx(y.test.p, rel=0.2)


def test_what_two_share_cancels() -> None:
    # The group effect, common to both, is most of each one's uncertainty and none of the difference's.
    result = compare({"a": table(1.0, seed=1), "b": table(0.8, seed=2)}, classes=CLASSES, config=CONFIG)
    auc = next(difference for difference in result.differences if difference.metric == "auc")
    assert auc.test.high - auc.test.low < 0.08


def test_the_same_predictions_have_no_test() -> None:
    result = compare({"a": table(1.0, seed=1), "b": table(1.0, seed=1)}, classes=CLASSES, config=CONFIG)
    for difference in result.differences:
        assert difference.test.difference == 0
        assert np.isnan(difference.test.p)
        assert "same difference" in difference.test.reason


def test_delong_is_given_where_rows_are_independent_and_agrees() -> None:
    grouped = {"a": table(1.0, seed=1), "b": table(0.6, seed=2)}
    assert compare(grouped, classes=CLASSES, config=CONFIG).why_no_delong == "240 rows come from 60 units"
    alone = {"a": table(1.0, seed=1, n_groups=300, per_group=1), "b": table(0.6, seed=2, n_groups=300, per_group=1)}
    result = compare(alone, classes=CLASSES, config=EvaluateConfig(resamples=4000))
    auc = next(difference.test for difference in result.differences if difference.metric == "auc")
    exact = result.delong["a", "b"]
    assert (auc.low, auc.high) == pytest.approx((exact.low, exact.high), abs=0.004)


def test_other_rows_or_labels_or_groups_are_refused() -> None:
    one = table(1.0, seed=1)
    for other, message in (
        (one.iloc[:-2], "'b' lacks 2 labelled rows, such as 238.png, 239.png"),
        (pd.concat([one, one.tail(1).assign(image_id="new.png")]), "'a' lacks 1 labelled rows, such as new.png"),
        (one.assign(label=one["label"].iloc[::-1].to_numpy(), target=1 - one["target"]), "disagree on the label"),
        (one.assign(group="all"), "disagree on the label or group of 000.png"),
    ):
        with pytest.raises(RunFolderError, match=message):
            compare({"a": one, "b": other}, classes=CLASSES, config=CONFIG)


def test_holm_equals_statsmodels_and_leaves_out_what_is_unknown() -> None:
    p = [0.04, 0.01, 0.8, 0.012, 0.3]
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
    with_gap = holm([0.04, float("nan"), 0.01])
    np.testing.assert_allclose([with_gap[0], with_gap[2]], multipletests([0.04, 0.01], method="holm")[1])
    assert np.isnan(with_gap[1])


def test_three_tables_are_compared_in_pairs_and_adjusted() -> None:
    tables = {"a": table(1.0, seed=1), "b": table(0.7, seed=2), "c": table(0.7, seed=3)}
    result = compare(tables, classes=CLASSES, config=CONFIG, metrics={"auc": METRICS["auc"]})
    assert [(d.first, d.second) for d in result.differences] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [d.p_holm for d in result.differences] == pytest.approx(holm([d.test.p for d in result.differences]))
    assert "Holm over the 3 pairs" in result.adjustment
