import re
from typing import Literal

import numpy as np
import pytest
from scipy.special import expit

from sonoproof.config import CalibrateConfig, Config, override
from sonoproof.errors import ConfigError
from sonoproof.evaluation.choosing.operating_point import choose_operating_point, choose_threshold
from sonoproof.evaluation.choosing.rows import CalibrationRows
from sonoproof.evaluation.intervals.intervals import metric_intervals
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.evaluation.measures.predictive_values import predictive_value_metrics
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.training.verdict import OperatingPoint


def sample(n_groups: int = 100, *, seed: int = 0, per_group: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), per_group)
    targets = (np.arange(n_groups) % 3 == 0)[groups]
    logits = np.where(targets, 1.0, -1.0) + rng.normal(0, 0.7, n_groups)[groups] + rng.normal(0, 0.7, len(groups))
    return logits, targets, groups


def at(logits: np.ndarray, targets: np.ndarray, threshold: float) -> ScoredRows:
    return ScoredRows.from_logits(targets, logits=logits, threshold=threshold)


def chosen_at(logits: np.ndarray, targets: np.ndarray, config: CalibrateConfig) -> ScoredRows:
    """The rows at the threshold that the policy chooses where rows count alike and nothing is shrunk."""
    rows = CalibrationRows(logits, targets, np.arange(len(logits)).astype(str))
    return at(logits, targets, choose_threshold(rows, config=config, prior_groups=0))


def every_cut(logits: np.ndarray, targets: np.ndarray) -> list[ScoredRows]:
    cuts = [*(np.unique(logits) - 1e-9), logits.max() + 1]
    return [at(logits, targets, float(expit(cut))) for cut in cuts]


def test_no_cut_has_a_greater_youden_index() -> None:
    logits, targets, _ = sample()
    chosen = chosen_at(logits, targets, CalibrateConfig(policy="youden"))
    best = max(float(METRICS["balanced_accuracy"](rows)) for rows in every_cut(logits, targets))
    assert float(METRICS["balanced_accuracy"](chosen)) == pytest.approx(best)


@pytest.mark.parametrize("target", [0.8, 0.95, 1.0])
def test_the_target_sensitivity_is_met_and_no_higher_cut_meets_it(target: float) -> None:
    logits, targets, _ = sample()
    chosen = chosen_at(logits, targets, CalibrateConfig(policy="sensitivity", target=target))
    assert METRICS["recall"](chosen) >= target
    enough = [rows for rows in every_cut(logits, targets) if METRICS["recall"](rows) >= target]
    assert METRICS["specificity"](chosen) == max(METRICS["specificity"](rows) for rows in enough)


@pytest.mark.parametrize("target", [0.8, 0.95, 1.0])
def test_the_target_specificity_is_met_and_no_lower_cut_meets_it(target: float) -> None:
    logits, targets, _ = sample()
    chosen = chosen_at(logits, targets, CalibrateConfig(policy="specificity", target=target))
    assert METRICS["specificity"](chosen) >= target
    enough = [rows for rows in every_cut(logits, targets) if METRICS["specificity"](rows) >= target]
    assert METRICS["recall"](chosen) == max(METRICS["recall"](rows) for rows in enough)


def test_no_cut_costs_less() -> None:
    logits, targets, _ = sample()
    config = CalibrateConfig(policy="cost", cost_false_positive=1, cost_false_negative=8, prevalence=0.1)

    def cost(rows: ScoredRows) -> float:
        return float(0.1 * 8 * (1 - METRICS["recall"](rows)) + 0.9 * (1 - METRICS["specificity"](rows)))

    chosen = chosen_at(logits, targets, config)
    assert cost(chosen) == pytest.approx(min(cost(rows) for rows in every_cut(logits, targets)))


def chosen_point(config: CalibrateConfig, *, n_groups: int = 100, shift: float = 1.0, seed: int = 0) -> OperatingPoint:
    logits, targets, groups = sample(n_groups, seed=seed)
    return choose_operating_point(
        CalibrationRows(logits + shift, targets, groups.astype(str)),
        config=config,
        threshold=0.5,
        chosen_on="rows set aside",
        bootstrap=Bootstrap(resamples=500),
    )


def test_the_choice_comes_with_its_uncertainty_where_it_was_made_and_why_it_was_taken() -> None:
    point = chosen_point(CalibrateConfig(policy="youden"), shift=1.5)
    assert point.low is not None
    assert point.high is not None
    assert point.low < point.threshold < point.high
    assert (point.policy, point.n, point.n_groups) == ("youden", 500, 100)
    assert re.fullmatch(r"rows set aside; Youden's threshold lowers .* had no part in it by 0\.\d+ .*", point.chosen_on)


@pytest.mark.parametrize("name", ["youden", "cost"])
def test_a_threshold_that_gains_nothing_on_other_groups_is_not_taken(name: Literal["youden", "cost"]) -> None:
    """The fixed threshold is the best there is for these rows, so that any other is chance."""
    config = CalibrateConfig(policy=name, prevalence=0.5)
    found = [chosen_point(config, n_groups=30, shift=0.0, seed=seed) for seed in range(40)]
    kept = [point for point in found if (point.threshold, point.policy, point.n) == (0.5, "fixed", 0)]
    assert len(kept) >= 36
    assert all("of groups that had no part in it" in point.chosen_on for point in kept)


def test_a_target_that_the_groups_cannot_support_is_not_promised() -> None:
    point = chosen_point(CalibrateConfig(policy="sensitivity", target=0.95), n_groups=51)
    assert (point.threshold, point.policy) == (0.5, "fixed")
    assert "17 groups of the class cannot support a sensitivity of 95%" in point.chosen_on
    assert chosen_point(CalibrateConfig(policy="specificity", target=0.95), n_groups=51).target == 0.95


def test_a_target_is_reached_on_average_by_new_groups() -> None:
    reached = []
    for seed in range(100):
        point = chosen_point(CalibrateConfig(policy="sensitivity", target=0.9), n_groups=36, seed=seed)
        logits, targets, _ = sample(90, seed=1000 + seed)
        reached.append(METRICS["recall"](at(logits + 1.0, targets, point.threshold)))
    assert 0.9 <= np.mean(reached) <= 0.9 + 1 / 13  # twelve groups of the class, and the new one


def test_predictive_values_follow_bayes_and_equal_the_samples_own_at_its_prevalence() -> None:
    logits, targets, groups = sample()
    rows = at(logits, targets, 0.5)
    own = predictive_value_metrics(float(targets.mean()))
    assert float(own["ppv"](rows)) == pytest.approx(float(METRICS["precision"](rows)))
    assert float(own["npv"](rows)) == pytest.approx(float(METRICS["npv"](rows)))
    rare = metric_intervals(
        rows, groups=groups, metrics=predictive_value_metrics(0.01), bootstrap=Bootstrap(resamples=300)
    )
    sensitivity, specificity = float(METRICS["recall"](rows)), float(METRICS["specificity"](rows))
    expected = 0.01 * sensitivity / (0.01 * sensitivity + 0.99 * (1 - specificity))
    assert rare["ppv"].value == pytest.approx(expected)
    assert rare["ppv"].low < expected < rare["ppv"].high < 0.3


@pytest.mark.parametrize("name", ["youden", "sensitivity", "specificity", "cost"])
def test_one_class_gives_no_threshold(name: str) -> None:
    rows = CalibrationRows(np.array([0.0, 1.0]), np.array([True, True]), np.array(["a", "b"]))
    with pytest.raises(ConfigError, match="needs rows of both classes"):
        choose_threshold(rows, config=CalibrateConfig(policy=name))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [{"policy": "best"}, {"target": 1.2}, {"cost_false_positive": 0.0}, {"prevalence": 1.0}]
)
def test_a_policy_out_of_range_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        override(Config(), {"calibrate": wrong}, origin="test")
