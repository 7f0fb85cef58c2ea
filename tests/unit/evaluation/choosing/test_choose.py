"""What is chosen on some rows for others: safe where there is little to choose on, blind to what it is applied to."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy.special import expit

from sonoproof.config import CalibrateConfig
from sonoproof.evaluation.choosing.choose import choose_decision
from sonoproof.evaluation.choosing.cross_fit import cross_fit_decisions
from sonoproof.evaluation.choosing.operating_point import choose_threshold
from sonoproof.evaluation.choosing.rows import CalibrationRows
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.training.verdict import Decision

YOUDEN = CalibrateConfig(method="platt", policy="youden")


def sample(n_groups: int = 100, *, seed: int = 0, per_group: int = 5, gain: float = 1.0) -> CalibrationRows:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), per_group)
    truth = rng.normal(0, 1.5, n_groups)
    targets = (rng.random(n_groups) < expit(truth))[groups]
    return CalibrationRows(gain * (truth[groups] + rng.normal(0, 0.2, len(groups))), targets, groups.astype(str))


def decided(rows: CalibrationRows, config: CalibrateConfig) -> Decision:
    return choose_decision(
        rows, config=config, threshold=0.5, chosen_on="rows set aside", bootstrap=Bootstrap(resamples=200)
    )


def test_a_planted_temperature_is_found_with_its_limits_and_where_it_was_chosen() -> None:
    found = decided(sample(300, gain=3.0), CalibrateConfig()).calibration
    assert found.low is not None
    assert found.high is not None
    assert found.low < 3.0 < found.high
    assert (found.method, found.n, found.n_groups) == ("temperature", 1500, 300)
    assert found.chosen_on.startswith("rows set aside; a temperature lowers the log loss of groups that had no part")
    assert found.temperature == pytest.approx(3.0, rel=0.15)


def test_few_groups_choose_nothing_and_say_why() -> None:
    few = sample(8)
    few = few.where(np.isin(few.groups, [*np.unique(few.groups[few.targets])[:4], *few.groups[~few.targets]]))
    found = decided(few, YOUDEN)
    assert found.calibration.method == "none"
    assert found.operating_point.threshold == 0.5
    assert found.abstention.error == 0
    for said in (found.calibration.chosen_on, found.operating_point.chosen_on, found.abstention.chosen_on):
        assert "groups, and 8 are needed" in said
    np.testing.assert_array_equal(found.sure(few.logits), True)


def test_a_fixed_threshold_is_the_one_given_and_was_chosen_nowhere() -> None:
    point = decided(sample(), CalibrateConfig()).operating_point
    assert (point.threshold, point.low, point.n, point.chosen_on) == (0.5, None, 0, "set before training")


def test_no_row_chooses_nothing() -> None:
    nothing = CalibrationRows(np.array([]), np.array([], bool), np.array([], str))
    assert decided(nothing, YOUDEN).calibration.method == "none"


def test_separated_classes_do_not_sharpen_the_probabilities_without_end() -> None:
    rows = sample()
    apart = CalibrationRows(np.where(rows.targets, 2.0, -2.0), rows.targets, rows.groups)
    found = decided(apart, CalibrateConfig()).calibration
    assert found.method == "none"
    assert "separate" in found.chosen_on


def test_isotonic_with_few_groups_is_a_temperature_and_says_so() -> None:
    found = decided(sample(60, gain=4.0), CalibrateConfig(method="isotonic")).calibration
    assert found.method == "temperature"
    assert "isotonic: 100 are needed" in found.chosen_on
    assert decided(sample(200, gain=4.0), CalibrateConfig(method="isotonic")).calibration.method == "isotonic"


def test_the_target_sensitivity_is_reached_on_the_calibrated_scale() -> None:
    rows, config = sample(300, gain=3.0), CalibrateConfig(policy="sensitivity", target=0.95)
    found = decided(rows, config)
    assert found.predicts_positive(rows.logits)[rows.targets].mean() == pytest.approx(0.95, abs=0.01)
    assert found.operating_point.target == 0.95


def test_a_decision_comes_back_from_json_as_it_was() -> None:
    rows = sample(200)
    for method in ("temperature", "isotonic"):
        before = decided(rows, CalibrateConfig(method=method, policy="cost", cost_false_negative=3.0))
        after = Decision.from_dict(json.loads(json.dumps(dataclasses.asdict(before))))
        assert after == before
        np.testing.assert_array_equal(after.sure(rows.logits), before.sure(rows.logits))


def test_who_is_not_sure_is_wrong_more_often_and_errors_stay_below_the_promise() -> None:
    config = CalibrateConfig(error=0.15)
    wrong, share = [], []
    for seed in range(40):
        found, fresh = decided(sample(80, seed=seed), config), sample(80, seed=1000 + seed)
        error = found.predicts_positive(fresh.logits) != fresh.targets
        sure = found.sure(fresh.logits)
        wrong.append((error & sure).mean())
        share.append(error[~sure].mean() - error[sure].mean())
    assert np.mean(wrong) <= 0.155
    assert np.mean(share) > 0.1


def test_abstention_that_cannot_be_promised_is_not_offered() -> None:
    found = decided(sample(60), CalibrateConfig(error=0.01)).abstention
    assert "60 groups cannot guarantee" in found.chosen_on
    assert found.error == 0


def test_poisoned_labels_of_a_fold_change_no_decision_on_it() -> None:
    rows = sample()
    clean = cross_fit_decisions(rows, config=YOUDEN, threshold=0.5)
    reported = clean.fold == 1
    poisoned = cross_fit_decisions(
        dataclasses.replace(rows, targets=np.where(reported, ~rows.targets, rows.targets)), config=YOUDEN, threshold=0.5
    )
    np.testing.assert_array_equal(poisoned.fold, clean.fold)
    assert poisoned.decisions[1] == clean.decisions[1]
    assert poisoned.decisions[0] != clean.decisions[0]  # the poison is seen where it may be
    assert all(len(np.unique(clean.fold[rows.groups == g])) == 1 for g in np.unique(rows.groups))


def test_a_threshold_chosen_where_it_is_reported_flatters_and_a_cross_fitted_one_does_not() -> None:
    flattery, honest = [], []
    config = CalibrateConfig(method="none", policy="youden", error=0.0)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rows = CalibrationRows(rng.normal(size=60), np.arange(60) % 2 == 0, np.arange(60).astype(str))
        scored = ScoredRows.from_logits(rows.targets, logits=rows.logits)
        best = choose_threshold(rows, config=CalibrateConfig(policy="youden"), prior_groups=0)
        flattery.append(
            float(
                METRICS["balanced_accuracy"](dataclasses.replace(scored, predicted_positive=expit(rows.logits) >= best))
            )
        )
        found = cross_fit_decisions(rows, config=config, threshold=0.5)
        predicted = np.array(
            [found.decisions[f].predicts_positive(z) for f, z in zip(found.fold, rows.logits, strict=True)]
        )
        honest.append(float(METRICS["balanced_accuracy"](dataclasses.replace(scored, predicted_positive=predicted))))
    assert np.mean(flattery) > 0.55  # pure noise, seen through the best of all thresholds
    assert abs(np.mean(honest) - 0.5) < 0.03


def test_one_group_decides_nothing_for_itself() -> None:
    rows = CalibrationRows(np.array([1.0, -1.0]), np.array([True, False]), np.array(["a", "a"]))
    found = cross_fit_decisions(rows, config=YOUDEN, threshold=0.5)
    assert [decision.calibration.method for decision in found.decisions] == ["none"]
