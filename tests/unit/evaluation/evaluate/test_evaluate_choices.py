"""What an evaluation says beside the metrics: calibration before and after, answers, exams, what was chosen where."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import auc, average_precision_score, log_loss, roc_auc_score

from sonoproof.classes import Classes
from sonoproof.config import EvaluateConfig
from sonoproof.evaluation.evaluate.evaluate import evaluate_part, evaluate_run
from sonoproof.evaluation.intervals.delong import delong_interval
from sonoproof.evaluation.metrics.curves import roc_points
from sonoproof.evaluation.scores.aggregate import Aggregation
from sonoproof.evaluation.scores.labelled import labelled_rows, scored
from sonoproof.manifest import Manifest
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_table, write_json, write_table

CLASSES = Classes(negative="healthy", positive="unhealthy")
CONFIG = EvaluateConfig(resamples=200, prevalence=0.1)
N, FRAMES = 240, 4


def predictions(*, temperature: float = 3.0, seed: int = 0) -> pd.DataFrame:
    """Predictions of an overconfident network, calibrated with the true temperature; frames of one patient in turn."""
    rng = np.random.default_rng(seed)
    patient = np.arange(N) // FRAMES
    truth = rng.normal(0, 1.5, N // FRAMES)
    target = (rng.random(N // FRAMES) < expit(truth))[patient]
    calibrated = truth[patient] + rng.normal(0, 0.2, N)
    predicted = np.where(calibrated >= 0, "unhealthy", "healthy")
    return pd.DataFrame(
        {
            "image_id": [f"{k:03}.png" for k in range(N)],
            "path": "",
            "group": [f"g{p}" for p in patient],
            "source": "",
            "label": np.where(target, "unhealthy", "healthy"),
            "target": target.astype(int),
            "logit": temperature * calibrated,
            "probability": expit(calibrated),
            "predicted": predicted,
            "calibrated_logit": calibrated,
            "threshold": 0.5,
            "answer": np.where(np.abs(calibrated) > 1, predicted, "not sure"),
        }
    )


def evaluated(table: pd.DataFrame) -> dict[str, Any]:
    return evaluate_part(table, classes=CLASSES, config=CONFIG)


def run_with(root: Path, table: pd.DataFrame, *, monitor: str, part: str = "val", **records: Any) -> RunFolder:
    run = RunFolder(root)
    write_table(run.predictions(part), table, columns=PREDICTION_COLUMNS)
    classes = {"negative": "healthy", "positive": "unhealthy"}
    write_json(run.cohort, {"classes": classes, "group_columns": ["patient_id"]}, schema="cohort")
    write_json(run.model / "model.json", {"training": {"monitor": monitor}}, schema="model")
    patients = [f"p{k // FRAMES}" for k in range(N)]
    rows = table[["image_id"]].assign(**{"patient_id": patients, **records})
    write_table(run.records, rows, columns=("image_id",))
    return run


def calibrated_by_halves(table: pd.DataFrame) -> pd.DataFrame:
    """Each fold of the rows with a temperature and an intercept of its own: pooled, they are on two scales."""
    second = np.arange(N) >= N // 2
    calibrated = np.where(second, table["logit"] / 2 - 1.5, table["logit"] / 5 + 0.5)
    return table.assign(calibrated_logit=calibrated, probability=expit(calibrated))


def test_rows_calibrated_fold_by_fold_are_ranked_by_the_networks_own_logits() -> None:
    table = calibrated_by_halves(predictions())
    calibrated = table["calibrated_logit"]
    found = evaluated(table)
    target, own = table["target"], table["logit"]
    assert found["auc"]["value"] == pytest.approx(roc_auc_score(target, own), abs=1e-12)
    assert abs(roc_auc_score(target, own) - roc_auc_score(target, calibrated)) > 0.005
    assert found["average_precision"]["value"] == pytest.approx(average_precision_score(target, own), abs=1e-12)
    assert found["loss"]["value"] == pytest.approx(log_loss(target, expit(calibrated)), abs=1e-9)
    rows = scored(labelled_rows(table, classes=CLASSES), classes=CLASSES, threshold=0.5)
    assert delong_interval(rows).value == pytest.approx(roc_auc_score(target, own), abs=1e-12)
    points = roc_points(rows)
    area = auc(points["false_positive_rate"], points["true_positive_rate"])
    assert area == pytest.approx(roc_auc_score(target, own), abs=1e-12)
    assert np.isnan(points["threshold"]).all()  # no one threshold gives a point
    alike = scored(labelled_rows(predictions(), classes=CLASSES), classes=CLASSES, threshold=0.5)
    assert np.isfinite(roc_points(alike)["threshold"][1:]).all()


@pytest.mark.parametrize(("how", "frames_to_exam"), [("mean_logit", np.mean), ("max", np.max)])
def test_exams_calibrated_fold_by_fold_are_ranked_by_the_networks_own_logits(
    tmp_path: Path, how: Aggregation, frames_to_exam: Any
) -> None:
    table = calibrated_by_halves(predictions())
    config = dataclasses.replace(CONFIG, exam=how)
    found = evaluate_run(run_with(tmp_path, table, monitor=""), parts=["val"], config=config)["val"]["exams"]
    own, calibrated, truth = (
        table[name].to_numpy().reshape(-1, FRAMES) for name in ("logit", "calibrated_logit", "target")
    )
    ranked = roc_auc_score(truth[:, 0], frames_to_exam(own, axis=1))
    assert found["patient_id"]["auc"]["value"] == pytest.approx(ranked, abs=1e-12)
    assert abs(ranked - roc_auc_score(truth[:, 0], frames_to_exam(calibrated, axis=1))) > 0.005


def test_calibration_is_measured_before_and_after() -> None:
    found = evaluated(predictions())
    assert found["calibration_before"]["slope"]["value"] == pytest.approx(found["calibration"]["slope"]["value"] / 3)
    assert found["calibration"]["slope"]["low"] < 1 < found["calibration"]["slope"]["high"]
    assert found["calibration_before"]["slope"]["high"] < 1
    for measure in ("loss", "brier", "calibration_error"):
        assert found["calibration"][measure]["value"] < found["calibration_before"][measure]["value"]
    assert found["loss"] == found["calibration"]["loss"]


def test_uncalibrated_rows_have_nothing_before() -> None:
    assert evaluated(predictions(temperature=1.0))["calibration_before"] is None


def test_a_temperature_changes_no_ranking_and_no_call_at_one_half() -> None:
    table = predictions()
    raw = table.drop(columns=["calibrated_logit"]).assign(probability=expit(table["logit"]))
    for name in ("auc", "recall", "specificity", "average_precision"):
        assert evaluated(table)[name]["value"] == evaluated(raw)[name]["value"], name


def test_each_row_is_called_by_its_own_threshold() -> None:
    table = predictions()
    table["threshold"] = np.where(np.arange(N) < N // 2, 0.2, 0.8)
    found = evaluated(table)
    called = table["probability"] >= table["threshold"]
    assert found["recall"]["value"] == pytest.approx(called[table["target"] == 1].mean())
    assert (found["threshold"], found["thresholds"]) == (0.5, [0.2, 0.8])


def test_answers_are_counted() -> None:
    table = predictions()
    found = evaluated(table)["answers"]
    sure = np.abs(table["calibrated_logit"]) > 1
    wrong = table["predicted"] != table["label"]
    assert found["answered"]["value"] == pytest.approx(sure.mean())
    assert found["wrong_answers"]["value"] == pytest.approx((sure & wrong).mean())
    assert found["wrong_among_answered"]["value"] == pytest.approx(wrong[sure].mean())
    assert found["unanswered"] == {"not sure": int((~sure).sum())}
    assert found["answered"]["low"] < found["answered"]["value"] < found["answered"]["high"]


def test_predictive_values_at_the_stated_prevalence_follow_bayes() -> None:
    found = evaluated(predictions())
    sensitivity, specificity = found["recall"]["value"], found["specificity"]["value"]
    expected = 0.1 * sensitivity / (0.1 * sensitivity + 0.9 * (1 - specificity))
    assert found["predictive_values"]["ppv"]["value"] == pytest.approx(expected)
    plain = evaluate_part(predictions(), classes=CLASSES, config=dataclasses.replace(CONFIG, prevalence=None))
    assert plain["predictive_values"] is None


def test_exams_equal_a_computation_by_hand(tmp_path: Path) -> None:
    table = predictions()
    run = run_with(tmp_path, table, monitor="stop_loss")
    found = evaluate_run(run, parts=["val"], config=CONFIG)["val"]["exams"]["patient_id"]
    means = table["calibrated_logit"].to_numpy().reshape(-1, FRAMES).mean(axis=1)
    truth = table["target"].to_numpy().reshape(-1, FRAMES)[:, 0]
    assert (found["n"], found["n_units"], found["n_frames"]) == (N // FRAMES, N // FRAMES, N)
    assert found["recall"]["value"] == pytest.approx((means[truth == 1] >= 0).mean())
    assert found["specificity"]["value"] == pytest.approx((means[truth == 0] < 0).mean())
    written = read_table(run.root / found["file"], columns=PREDICTION_COLUMNS)
    np.testing.assert_allclose(written["calibrated_logit"], means)
    np.testing.assert_allclose(written["logit"], table["logit"].to_numpy().reshape(-1, FRAMES).mean(axis=1))


def test_exams_of_both_labels_are_not_measured_and_say_why(tmp_path: Path) -> None:
    run = run_with(tmp_path, predictions(), monitor="", patient_id=["everybody"] * N)
    found = evaluate_run(run, parts=["val"], config=CONFIG)["val"]["exams"]["patient_id"]
    assert "frames of 60 groups" in found["reason"]
    assert "auc" not in found


def test_a_checkpoint_chosen_on_these_rows_is_reported(tmp_path: Path) -> None:
    classic = evaluate_run(
        run_with(tmp_path / "classic", predictions(), monitor="val_loss"), parts=["val"], config=CONFIG
    )
    default = evaluate_run(
        run_with(tmp_path / "default", predictions(), monitor="stop_loss"), parts=["val"], config=CONFIG
    )
    assert classic["val"]["chosen_here"] == ["checkpoint"]
    assert any("chosen on these same rows" in note for note in classic["val"]["notes"])
    assert default["val"]["chosen_here"] == []
    assert not any("chosen on these same rows" in note for note in default["val"]["notes"])


def test_test_frames_that_were_seen_in_training_are_reported(tmp_path: Path) -> None:
    twins = np.where(np.arange(N) < 7, "yes", "")
    run = run_with(tmp_path, predictions(), monitor="stop_loss", part="test", test_twin=twins)
    notes = evaluate_run(run, parts=["test"], config=CONFIG)["test"]["notes"]
    assert any("7 of the 240 test frames look like a frame of the sheet" in note for note in notes)


def test_the_manifest_counts_openings_of_the_test_part_by_their_predictions(tmp_path: Path) -> None:
    run = run_with(tmp_path, predictions(), monitor="stop_loss", part="test")
    manifest = Manifest(run)
    manifest.begin(command="test", seed=0, inputs={})
    for _ in range(2):
        manifest.open_part("test", predictions=run.predictions("test"))
    write_table(run.predictions("test"), predictions(seed=1), columns=PREDICTION_COLUMNS)
    manifest.open_part("test", predictions=run.predictions("test"))
    opened = Manifest(run).content["opened"]["test"]
    assert [opening["times"] for opening in opened] == [2, 1]
    manifest.begin(command="again", seed=0, inputs={})
    assert Manifest(run).content["opened"]["test"] == opened
