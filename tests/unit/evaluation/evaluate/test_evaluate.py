from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from sonoproof.classes import Classes
from sonoproof.config import EvaluateConfig
from sonoproof.errors import RunFolderError
from sonoproof.evaluation.evaluate.evaluate import evaluate_part, evaluate_run
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_json, write_json, write_table

CLASSES = Classes(negative="healthy", positive="unhealthy")
CONFIG = EvaluateConfig(resamples=200)


def predictions(n: int = 120, *, seed: int = 0, per_group: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    target = np.repeat(rng.random(n // per_group) < 0.5, per_group)
    logit = rng.normal(0, 1, n) + np.where(target, 1.0, -1.0)
    return pd.DataFrame(
        {
            "image_id": [f"{i:03}.png" for i in range(n)],
            "path": "",
            "group": [f"g{i // per_group}" for i in range(n)],
            "source": [f"s{i}" for i in range(n)],
            "label": np.where(target, "unhealthy", "healthy"),
            "target": target.astype(int),
            "logit": logit,
            "probability": expit(logit),
            "predicted": np.where(logit >= 0, "unhealthy", "healthy"),
        }
    )


def evaluated(table: pd.DataFrame, **options: Any) -> dict[str, Any]:
    return evaluate_part(table, classes=CLASSES, config=CONFIG, **options)


def test_every_metric_lies_within_its_limits() -> None:
    result = evaluated(predictions())
    for name in METRICS:
        assert result[name]["low"] < result[name]["value"] < result[name]["high"], name
    assert (result["n"], result["n_units"], result["unit"]) == (120, 30, "group")
    assert result["positive_class"] == "unhealthy"
    assert result["undefined"] == {}
    assert sum(result["confusion"].values()) == 120


def test_units_resampled_without_regard_to_class_widen_what_depends_on_their_share() -> None:
    table = predictions(400)
    by_class = evaluated(table)
    by_chance = evaluate_part(table, classes=CLASSES, config=EvaluateConfig(resamples=200, stratified=False))
    assert (by_class["stratified"], by_chance["stratified"]) == (True, False)
    assert "resampled by class" in by_class["interval_method"]
    assert "resampled by class" not in by_chance["interval_method"]
    width = {
        (name, drawn): result[name]["high"] - result[name]["low"]
        for name in ("precision", "recall")
        for drawn, result in (("by class", by_class), ("by chance", by_chance))
    }
    assert width["precision", "by chance"] > 1.1 * width["precision", "by class"]
    assert width["recall", "by chance"] < 1.1 * width["recall", "by class"]


@pytest.mark.parametrize("coding", [{"unhealthy": 1, "healthy": 0}, {"unhealthy": 0, "healthy": 1}])
def test_the_coding_of_the_sheet_changes_no_clinical_number(coding: dict[str, int]) -> None:
    # A network whose one output unit follows the digits of the sheet has the logit of "unhealthy" with either sign;
    # written as the contract asks, by the names of the classes, both codings give the same table of metrics.
    table = predictions()
    unit = table["logit"] if coding["unhealthy"] else -table["logit"]
    logit = unit if coding["unhealthy"] == 1 else -unit
    recoded = table.assign(logit=logit, probability=expit(logit), target=np.nan)
    assert evaluated(recoded) == evaluated(table)


def test_naming_the_other_class_positive_gives_its_recall() -> None:
    table = predictions()
    other = table.assign(target=1 - table["target"], logit=-table["logit"], probability=1 - table["probability"])
    named = evaluate_part(other, classes=Classes(negative="unhealthy", positive="healthy"), config=CONFIG)
    assert named["recall"]["value"] == pytest.approx(evaluated(table)["specificity"]["value"])
    assert named["positive_class"] == "healthy"


def test_the_order_of_the_rows_changes_nothing() -> None:
    table = predictions()
    shuffled = table.sample(frac=1, random_state=1)
    for name in METRICS:
        for key in ("value", "low", "high"):
            assert evaluated(shuffled)[name][key] == pytest.approx(evaluated(table)[name][key]), (name, key)


def test_rows_without_a_label_are_counted_and_left_out() -> None:
    table = predictions()
    unlabelled = table.assign(image_id="x" + table["image_id"], label="", target=np.nan)
    result = evaluated(pd.concat([table, unlabelled]))
    assert (result["n"], result["n_unlabelled"]) == (120, 120)
    assert result["auc"] == evaluated(table)["auc"]


def test_the_threshold_moves_the_predictions_but_not_the_ranking() -> None:
    low, high = evaluated(predictions(), threshold=0.2), evaluated(predictions(), threshold=0.8)
    assert low["recall"]["value"] > high["recall"]["value"]
    assert low["auc"] == high["auc"]
    assert any("another class at this threshold" in note for note in low["notes"])


def test_one_class_leaves_its_metrics_undefined_with_the_reason() -> None:
    table = predictions()
    result = evaluated(table[table["label"] == "healthy"])
    assert result["recall"] == {"value": None, "low": None, "high": None}
    assert result["undefined"]["auc"] == "no positive row"
    assert result["specificity"]["value"] is not None
    assert any("all of one class" in note for note in result["notes"])


def test_a_perfect_score_is_met_with_a_warning() -> None:
    table = predictions()
    logit = np.where(table["target"] == 1, 4.0, -4.0) + np.linspace(-1, 1, len(table))
    result = evaluated(table.assign(logit=logit, probability=expit(logit)))
    assert result["auc"] == {"value": 1.0, "low": None, "high": 1.0}
    assert "no lower limit" in result["undefined"]["auc"]
    assert 0.5 < result["recall"]["low"] < 1
    assert any("Look for a leak" in note for note in result["notes"])


@pytest.mark.parametrize(("rows", "n_units"), [(0, 0), (1, 1), (4, 1), (8, 2)])
def test_a_handful_of_rows_gives_reasons_instead_of_limits(rows: int, n_units: int) -> None:
    result = evaluated(predictions().head(rows))
    assert result["n_units"] == n_units
    for name in METRICS:
        assert result[name]["low"] is result[name]["high"] is None
        assert result["undefined"][name]
    assert result["notes"]


def test_a_reversed_score_is_reported() -> None:
    table = predictions()
    result = evaluated(table.assign(logit=-table["logit"], probability=expit(-table["logit"])))
    assert any("wrong way round" in note for note in result["notes"])


def test_resampling_rows_is_narrower_than_resampling_groups_and_says_so() -> None:
    table = predictions(per_group=20, n=600)
    shift = np.repeat(np.random.default_rng(5).normal(0, 1.5, 30), 20)
    table = table.assign(logit=table["logit"] + shift, probability=expit(table["logit"] + shift))
    by_row, by_group = evaluated(table, unit="row"), evaluated(table)
    assert by_row["auc"]["high"] - by_row["auc"]["low"] < 0.6 * (by_group["auc"]["high"] - by_group["auc"]["low"])
    assert any("resampled on its own" in note for note in by_row["notes"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "ill"}, "neither 'healthy' nor 'unhealthy'"),
        ({"target": 1 - predictions()["target"]}, "contradicts the label"),
        ({"logit": np.nan}, "logit is missing"),
        ({"probability": 1 - predictions()["probability"]}, "not the sigmoid"),
        ({"image_id": "same.png"}, "more than once"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RunFolderError, match=message):
        evaluated(predictions().assign(**change))


def test_delong_stands_beside_only_where_rows_are_independent() -> None:
    assert evaluated(predictions())["independent"] == {
        "reason": "120 rows come from 30 groups: they are not independent"
    }
    exact = evaluated(predictions(), unit="row")["independent"]
    assert set(exact) == {"auc", "recall", "specificity", "precision", "npv", "accuracy"}
    assert exact["auc"]["low"] < exact["auc"]["value"] < exact["auc"]["high"]


def test_calibration_is_reported_with_limits_and_its_bins() -> None:
    calibration = evaluated(predictions())["calibration"]
    assert calibration.pop("bins") == 10
    assert set(calibration) == {"calibration_error", "slope", "intercept", "in_the_large", "brier", "loss"}
    for found in calibration.values():
        assert found["low"] < found["value"] < found["high"]


def test_an_unknown_unit_is_refused_with_the_columns_there_are() -> None:
    with pytest.raises(RunFolderError, match=r"no column 'patient'.*group"):
        evaluated(predictions(), unit="patient")


def test_a_run_gets_its_files(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    write_json(run.cohort, {"classes": {"negative": "healthy", "positive": "unhealthy"}}, schema="cohort")
    write_table(run.predictions("val"), predictions(), columns=PREDICTION_COLUMNS)
    unlabelled = predictions().assign(label="", target=np.nan)
    write_table(run.predictions("test"), unlabelled, columns=PREDICTION_COLUMNS)

    results = evaluate_run(run, parts=["val", "test"], config=CONFIG)

    assert list(results) == ["val"]
    stored = read_json(run.evaluation("val"), schema="evaluation")
    assert stored["recall"] == results["val"]["recall"]
    drawn = read_json(run.evaluation("val_curves"), schema="curves")
    assert sum(drawn["reliability"]["n"]) == 120
    assert len(drawn["decision_curve"]["model"]) == 99
    table = pd.read_csv(run.metrics)
    assert list(table["metric"]) == list(METRICS)
    assert set(table["file"]) == {"predictions/val.csv"}
    row = table.set_index("metric").loc["auc"]
    assert (row["value"], row["low"], row["high"]) == tuple(results["val"]["auc"].values())
