"""Every metric equals scikit-learn and torchmetrics, with ties and with weights."""

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torchmetrics.functional import classification as tm
from torchmetrics.functional import mean_squared_error

from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.scores.rows import ScoredRows


def _case(seed: int, *, ties: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.random(400) < 0.35
    logits = rng.normal(0, 1.5, 400) + targets
    return targets, np.round(logits, 1) if ties else logits, rng.integers(0, 4, 400).astype(float)


def _scikit_learn(y: np.ndarray, logits: np.ndarray, w: np.ndarray) -> dict[str, float]:
    p = 1 / (1 + np.exp(-logits))
    called = p >= 0.5
    return {
        "loss": sk.log_loss(y, p, sample_weight=w),
        "recall": sk.recall_score(y, called, sample_weight=w),
        "accuracy": sk.accuracy_score(y, called, sample_weight=w),
        "precision": sk.precision_score(y, called, sample_weight=w),
        "auc": sk.roc_auc_score(y, logits, sample_weight=w),
        "specificity": sk.recall_score(~y, ~called, sample_weight=w),
        "npv": sk.precision_score(~y, ~called, sample_weight=w),
        "f1": sk.f1_score(y, called, sample_weight=w),
        "balanced_accuracy": sk.balanced_accuracy_score(y, called, sample_weight=w),
        "average_precision": sk.average_precision_score(y, logits, sample_weight=w),
        "brier": sk.brier_score_loss(y, p, sample_weight=w),
    }


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_scikit_learn_agrees(seed: int, weighted: bool, ties: bool) -> None:
    targets, logits, drawn = _case(seed, ties=ties)
    weights = drawn if weighted else np.ones(len(drawn))
    rows = ScoredRows.from_logits(targets, logits=logits)
    expected = _scikit_learn(targets, logits, weights)
    assert set(expected) == set(METRICS)
    for name, metric in METRICS.items():
        assert metric(rows, weights=weights) == pytest.approx(expected[name], abs=1e-12), name


@pytest.mark.parametrize("ties", [False, True])
def test_torchmetrics_agrees(ties: bool) -> None:
    targets, logits, _ = _case(7, ties=ties)
    rows = ScoredRows.from_logits(targets, logits=logits)
    p, y = torch.sigmoid(torch.tensor(logits)), torch.tensor(targets).long()
    below = 0.5 - 1e-9  # torchmetrics calls a row above the threshold, not from it on
    expected = {
        "recall": tm.binary_recall(p, y, threshold=below),
        "accuracy": tm.binary_accuracy(p, y, threshold=below),
        "precision": tm.binary_precision(p, y, threshold=below),
        "auc": tm.binary_auroc(p, y),
        "specificity": tm.binary_specificity(p, y, threshold=below),
        "f1": tm.binary_f1_score(p, y, threshold=below),
        "npv": tm.binary_negative_predictive_value(p, y, threshold=below),
        "average_precision": tm.binary_average_precision(p, y),
        "balanced_accuracy": tm.multiclass_accuracy((p > below).long(), y, num_classes=2, average="macro"),
        "brier": mean_squared_error(p, y.double()),
        # torchmetrics has no log loss: PyTorch's own
        "loss": torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor(logits), y.double()),
    }
    assert set(expected) == set(METRICS)
    for name, value in expected.items():
        assert float(METRICS[name](rows)) == pytest.approx(float(value), abs=1e-6), name


def test_many_weights_at_once_equal_one_at_a_time() -> None:
    targets, logits, _ = _case(3, ties=True)
    rows = ScoredRows.from_logits(targets, logits=logits)
    weights = np.random.default_rng(1).integers(0, 3, size=(5, rows.n)).astype(float)
    for metric in METRICS.values():
        one_by_one = [float(metric(rows, weights=w)) for w in weights]
        np.testing.assert_allclose(metric(rows, weights=weights), one_by_one, rtol=1e-12)
