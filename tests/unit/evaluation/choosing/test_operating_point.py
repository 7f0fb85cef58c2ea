import numpy as np
import pytest
from scipy.special import expit

from sonoproof.config import CalibrateConfig, Config, override
from sonoproof.errors import ConfigError
from sonoproof.evaluation.choosing.operating_point import choose_operating_point, choose_threshold
from sonoproof.evaluation.intervals.intervals import metric_intervals
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.evaluation.measures.predictive_values import predictive_value_metrics
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.scores.rows import ScoredRows


def sample(n_groups: int = 100, *, seed: int = 0, per_group: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), per_group)
    targets = (np.arange(n_groups) % 3 == 0)[groups]
    logits = np.where(targets, 1.0, -1.0) + rng.normal(0, 0.7, n_groups)[groups] + rng.normal(0, 0.7, len(groups))
    return logits, targets, groups


def at(logits: np.ndarray, targets: np.ndarray, threshold: float) -> ScoredRows:
    return ScoredRows.from_logits(targets, logits=logits, threshold=threshold)


def every_cut(logits: np.ndarray, targets: np.ndarray) -> list[ScoredRows]:
    cuts = [*(np.unique(logits) - 1e-9), logits.max() + 1]
    return [at(logits, targets, float(expit(cut))) for cut in cuts]


def test_no_cut_has_a_greater_youden_index() -> None:
    logits, targets, _ = sample()
    chosen = at(logits, targets, choose_threshold(at(logits, targets, 0.5), config=CalibrateConfig(policy="youden")))
    best = max(float(METRICS["balanced_accuracy"](rows)) for rows in every_cut(logits, targets))
    assert float(METRICS["balanced_accuracy"](chosen)) == pytest.approx(best)


@pytest.mark.parametrize("target", [0.8, 0.95, 1.0])
def test_the_target_sensitivity_is_met_and_no_higher_cut_meets_it(target: float) -> None:
    logits, targets, _ = sample()
    chosen = at(
        logits,
        targets,
        choose_threshold(at(logits, targets, 0.5), config=CalibrateConfig(policy="sensitivity", target=target)),
    )
    assert METRICS["recall"](chosen) >= target
    enough = [rows for rows in every_cut(logits, targets) if METRICS["recall"](rows) >= target]
    assert METRICS["specificity"](chosen) == max(METRICS["specificity"](rows) for rows in enough)


@pytest.mark.parametrize("target", [0.8, 0.95, 1.0])
def test_the_target_specificity_is_met_and_no_lower_cut_meets_it(target: float) -> None:
    logits, targets, _ = sample()
    chosen = at(
        logits,
        targets,
        choose_threshold(at(logits, targets, 0.5), config=CalibrateConfig(policy="specificity", target=target)),
    )
    assert METRICS["specificity"](chosen) >= target
    enough = [rows for rows in every_cut(logits, targets) if METRICS["specificity"](rows) >= target]
    assert METRICS["recall"](chosen) == max(METRICS["recall"](rows) for rows in enough)


def test_no_cut_costs_less() -> None:
    logits, targets, _ = sample()
    config = CalibrateConfig(policy="cost", cost_false_positive=1, cost_false_negative=8, prevalence=0.1)

    def cost(rows: ScoredRows) -> float:
        return float(0.1 * 8 * (1 - METRICS["recall"](rows)) + 0.9 * (1 - METRICS["specificity"](rows)))

    chosen = at(logits, targets, choose_threshold(at(logits, targets, 0.5), config=config))
    assert cost(chosen) == pytest.approx(min(cost(rows) for rows in every_cut(logits, targets)))


def test_the_choice_comes_with_its_uncertainty_and_where_it_was_made() -> None:
    logits, targets, groups = sample()
    point = choose_operating_point(
        at(logits, targets, 0.5),
        groups=groups,
        config=CalibrateConfig(policy="youden"),
        chosen_on="rows set aside",
        bootstrap=Bootstrap(resamples=500),
    )
    assert point.low is not None
    assert point.high is not None
    assert point.low < point.threshold < point.high
    assert (point.policy, point.chosen_on, point.n, point.n_groups) == ("youden", "rows set aside", 500, 100)


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
    rows = ScoredRows.from_logits([1, 1], logits=[0.0, 1.0])
    with pytest.raises(ConfigError, match="needs rows of both classes"):
        choose_threshold(rows, config=CalibrateConfig(policy=name))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [{"policy": "best"}, {"target": 1.2}, {"cost_false_positive": 0.0}, {"prevalence": 1.0}]
)
def test_a_policy_out_of_range_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        override(Config(), {"calibrate": wrong}, origin="test")
