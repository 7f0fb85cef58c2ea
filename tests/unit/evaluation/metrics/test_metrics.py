import numpy as np
import pytest
from scipy.special import logit

from sonoproof.evaluation.metrics.metrics import METRICS, confusion
from sonoproof.evaluation.scores.rows import ScoredRows


def rows_with(targets: list[int], *, probabilities: list[float]) -> ScoredRows:
    return ScoredRows.from_logits(np.array(targets, dtype=int), logits=logit(np.array(probabilities)))


def test_auc_of_a_hand_example() -> None:
    # Positive rows 0.9, 0.6, 0.4; negative rows 0.6, 0.3. Of the six pairs 0.9 wins two, 0.6 ties one and wins
    # one, 0.4 loses one and wins one: (2 + 1.5 + 1) / 6.
    rows = rows_with([1, 1, 0, 1, 0], probabilities=[0.9, 0.6, 0.6, 0.4, 0.3])
    assert float(METRICS["auc"](rows)) == pytest.approx(4.5 / 6)


def test_the_threshold_itself_is_predicted_positive() -> None:
    rows = rows_with([1, 0, 1, 0], probabilities=[0.5, 0.5, 0.49, 0.1])
    assert confusion(rows) == {"tp": 1, "fp": 1, "tn": 1, "fn": 1}


def test_the_other_class_swaps_recall_with_specificity_and_precision_with_npv() -> None:
    rng = np.random.default_rng(0)
    targets, logits = rng.random(50) < 0.3, rng.normal(size=50)
    one = ScoredRows.from_logits(targets, logits=logits)
    other = ScoredRows.from_logits(~targets, logits=-logits)
    mirrors = {"recall": "specificity", "precision": "npv", "auc": "auc", "loss": "loss", "brier": "brier"}
    for name, mirrored in mirrors.items():
        assert float(METRICS[name](one)) == pytest.approx(float(METRICS[mirrored](other))), name


@pytest.mark.parametrize(
    ("name", "targets", "probabilities", "reason"),
    [
        ("recall", [0, 0], [0.1, 0.9], "no positive row"),
        ("specificity", [1, 1], [0.1, 0.9], "no negative row"),
        ("precision", [0, 1], [0.1, 0.2], "no row was predicted positive"),
        ("npv", [0, 1], [0.8, 0.9], "no row was predicted negative"),
        ("auc", [1, 1], [0.1, 0.9], "no negative row"),
        ("f1", [0, 0], [0.1, 0.9], "no positive row"),
        ("accuracy", [], [], "no row"),
    ],
)
def test_what_is_undefined_is_nan_with_its_reason(
    name: str, targets: list[int], probabilities: list[float], reason: str
) -> None:
    rows = rows_with(targets, probabilities=probabilities)
    assert np.isnan(METRICS[name](rows))
    assert METRICS[name].reason(rows) == reason


def test_what_is_defined_has_no_reason() -> None:
    rows = rows_with([0, 1, 1], probabilities=[0.2, 0.3, 0.9])
    for metric in METRICS.values():
        assert metric.reason(rows) is None
        assert np.isfinite(metric(rows))


def test_far_logits_lose_no_precision() -> None:
    rows = ScoredRows.from_logits([1, 0], logits=[-800.0, 900.0])
    assert float(METRICS["loss"](rows)) == pytest.approx(850)


@pytest.mark.parametrize("targets", [[0, 2], [0, -1], [0.5, 1]])
def test_other_targets_than_0_and_1_are_refused(targets: list[float]) -> None:
    with pytest.raises(ValueError, match="targets must be 0"):
        ScoredRows.from_logits(targets, logits=[0.0, 1.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_missing_score_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        ScoredRows.from_logits([0, 1], logits=[0.0, bad])


def test_only_loss_and_brier_are_better_when_lower() -> None:
    assert {name for name, metric in METRICS.items() if not metric.higher_is_better} == {"loss", "brier"}
