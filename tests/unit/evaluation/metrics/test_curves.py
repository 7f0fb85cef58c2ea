import numpy as np
import pytest
from scipy.special import logit
from sklearn.metrics import auc, precision_recall_curve, roc_curve

from sonoproof.evaluation.metrics.curves import curves, precision_recall_points, reliability_bins, roc_points
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.scores.rows import ScoredRows


def sample(n: int, *, decimals: int = 2) -> ScoredRows:
    rng = np.random.default_rng(0)
    targets = rng.random(n) < 0.4
    return ScoredRows.from_logits(targets, logits=np.round(rng.normal(size=n) + targets, decimals))


def test_the_roc_points_lie_on_scikit_learns_curve_and_lose_none_of_its_area() -> None:
    rows = sample(200)
    points = roc_points(rows)
    false, true, thresholds = roc_curve(rows.targets, rows.probabilities, drop_intermediate=False)
    ours = zip(points["false_positive_rate"], points["true_positive_rate"], points["threshold"], strict=True)
    theirs = {(round(f, 9), round(t, 9)): c for f, t, c in zip(false, true, thresholds, strict=True)}
    for f, t, cut in list(ours)[1:]:
        assert theirs[round(f, 9), round(t, 9)] == pytest.approx(cut)
    area = auc(points["false_positive_rate"], points["true_positive_rate"])
    assert area == pytest.approx(float(METRICS["auc"](rows)), abs=1e-12)


def test_the_precision_recall_points_are_those_of_scikit_learn() -> None:
    rows = sample(200)
    points = precision_recall_points(rows)
    precision, recall, _ = precision_recall_curve(rows.targets, rows.probabilities)
    np.testing.assert_allclose(points["precision"], precision[:-1][::-1])
    np.testing.assert_allclose(points["recall"], recall[:-1][::-1])


def test_a_thinned_curve_keeps_its_ends_and_its_area() -> None:
    rows = sample(50_000, decimals=9)
    points = roc_points(rows)
    false, true = points["false_positive_rate"], points["true_positive_rate"]
    assert len(false) == 500
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert auc(false, true) == pytest.approx(float(METRICS["auc"](rows)), abs=1e-4)


def test_a_certain_row_stands_in_the_last_bin() -> None:
    rows = ScoredRows.from_logits([1, 0], logits=[800.0, -800.0])
    assert rows.probabilities[0] == 1
    assert reliability_bins(rows)["n"] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_reliability_bins_hold_every_row_and_their_own_means() -> None:
    rows = ScoredRows.from_logits([0, 1, 1, 0, 1], logits=[-800.0, *logit([0.14, 0.16, 0.95]), 800.0])
    bins = reliability_bins(rows)
    assert bins["n"] == [1, 2, 0, 0, 0, 0, 0, 0, 0, 2]
    assert bins["mean_probability"][1] == pytest.approx(0.15)
    assert bins["share_positive"] == [0.0, 1.0, None, None, None, None, None, None, None, 0.5]
    assert bins["edges"][:2] == pytest.approx([0, 0.1])


@pytest.mark.parametrize("targets", [[], [1, 1], [0, 0]])
def test_a_missing_class_leaves_an_empty_curve(targets: list[int]) -> None:
    rows = ScoredRows.from_logits(np.array(targets, dtype=int), logits=np.arange(len(targets), dtype=float))
    drawn = curves(rows)
    assert drawn["roc"]["true_positive_rate"] == []
    assert sum(drawn["reliability"]["n"]) == len(targets)
