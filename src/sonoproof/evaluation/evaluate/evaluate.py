"""Predictions to metrics with intervals, for each part of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sonoproof.classes import Classes
from sonoproof.config import EvaluateConfig
from sonoproof.evaluation.evaluate.exams import exam_columns, exam_file, measure_exams
from sonoproof.evaluation.evaluate.notes import notes, notes_on_choices
from sonoproof.evaluation.evaluate.part import LabelledPart
from sonoproof.evaluation.intervals.delong import independent_intervals
from sonoproof.evaluation.intervals.intervals import Interval, metric_intervals
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.evaluation.measures.decision_curve import decision_curve
from sonoproof.evaluation.measures.measures import answer_shares, calibration_measures, rows_before
from sonoproof.evaluation.measures.predictive_values import predictive_value_metrics
from sonoproof.evaluation.metrics.curves import RELIABILITY_BINS, curves, reliability_bins
from sonoproof.evaluation.metrics.metrics import METRICS, confusion
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_json, read_table, write_json, write_table
from sonoproof.types import FloatArray

METRIC_COLUMNS = (
    "part", "metric", "label", "value", "low", "high", "n", "unit", "n_units", "positive_class", "file",
)  # fmt: skip


def evaluate_run(run: RunFolder, *, parts: Sequence[str], config: EvaluateConfig) -> dict[str, dict[str, Any]]:
    """Evaluate parts of a run and write ``evaluation/PART.json``, ``PART_curves.json`` and ``metrics.csv``.

    A part without any labelled row is left out.

    Args:
        run: The run folder with ``cohort.json`` and ``predictions/PART.csv``.
        parts: Parts such as ``val`` and ``test``.
        config: Settings of the stage.

    Returns:
        Part to the content of its JSON file.

    Raises:
        RunFolderError: A file is missing or a prediction table cannot be evaluated.
    """
    cohort = read_json(run.cohort, schema="cohort")
    classes = Classes.from_dict(cohort["classes"])
    group_columns = tuple(cohort.get("group_columns") or ())
    evaluations = {}
    for part in parts:
        predictions = _with_records(read_table(run.predictions(part), columns=PREDICTION_COLUMNS), run=run)
        if (predictions["label"] == "").all():
            continue
        evaluation = evaluate_part(predictions, classes=classes, config=config)
        points = part_curves(predictions, classes=classes, config=config)
        chosen_here = _chosen_here(run, part)
        evaluation["notes"] += notes_on_choices(chosen_here, part=part, predictions=predictions)
        exams = {
            column: _exams(run, part, predictions, by=column, classes=classes, evaluation=evaluation, config=config)
            for column in exam_columns(predictions, group_columns=group_columns)
        }
        evaluations[part] = {"part": part, **evaluation, "chosen_here": chosen_here, "exams": exams}
        write_json(run.evaluation(part), evaluations[part], schema="evaluation")
        write_json(run.evaluation(f"{part}_curves"), {"part": part, **points}, schema="curves")
    write_table(run.metrics, metric_table(evaluations, run=run), columns=METRIC_COLUMNS)
    return evaluations


def evaluate_part(
    predictions: pd.DataFrame,
    *,
    classes: Classes,
    config: EvaluateConfig,
    unit: str = "group",
    threshold: float | None = None,
) -> dict[str, Any]:
    """Metrics of the positive class on the labelled rows, each as ``{"value", "low", "high"}``.

    What is undefined is None, with its reason under ``undefined``.

    Args:
        predictions: Table with the columns `PREDICTION_COLUMNS`.
        classes: Names of the classes; every metric is of the positive one.
        config: Level, resamples and seed of the intervals, and the threshold of rows that have none.
        unit: Column whose values are resampled; ``row`` treats rows as independent.
        threshold: Probability at or above which a row is predicted positive; None for each row's own from the column
            ``threshold``, or that of `config` if there is none.

    Raises:
        RunFolderError: The table cannot be evaluated; the message names the frames.
    """
    part = LabelledPart.from_predictions(predictions, classes=classes, config=config, unit=unit, threshold=threshold)
    rows, units, bootstrap = part.rows, part.units, Bootstrap.from_config(config)
    intervals = metric_intervals(rows, groups=units, bootstrap=bootstrap)
    calibration, before = (
        calibration_measures(rows, units=units, bootstrap=bootstrap),
        rows_before(part.table, rows=rows),
    )
    return {
        "n": rows.n,
        "n_positive": int(rows.targets.sum()),
        "n_unlabelled": len(predictions) - rows.n,
        "positive_class": classes.positive,
        "negative_class": classes.negative,
        **_thresholds(part.thresholds, otherwise=config.threshold),
        "unit": unit,
        "n_units": len(np.unique(units)),
        "confidence": config.confidence,
        "resamples": config.resamples,
        "seed": config.effective_seed,
        "interval_method": _interval_method(config),
        "stratified": config.stratified,
        **_to_dicts(intervals),
        "confusion": confusion(rows),
        "calibration": _calibration_facts(calibration),
        "calibration_before": None
        if before is None
        else _calibration_facts(calibration_measures(before, units=units, bootstrap=bootstrap)),
        "predictive_values": _predictive_values(part, prevalence=config.prevalence, bootstrap=bootstrap),
        "answers": _answers(part, bootstrap=bootstrap),
        "independent": _independent(part, confidence=config.confidence),
        "undefined": {name: found.reason for name, found in {**intervals, **calibration}.items() if found.reason},
        "notes": notes(part),
    }


def part_curves(predictions: pd.DataFrame, *, classes: Classes, config: EvaluateConfig) -> dict[str, Any]:
    """Points of the curves of the labelled rows; the decision curve is None if a class is missing."""
    part = LabelledPart.from_predictions(predictions, classes=classes, config=config)
    benefit, before = None, rows_before(part.table, rows=part.rows)
    if 0 < part.rows.targets.sum() < part.rows.n:
        benefit = decision_curve(part.rows, groups=part.units, bootstrap=Bootstrap.from_config(config))
    return {
        "positive_class": classes.positive,
        **curves(part.rows),
        "reliability_before": None if before is None else reliability_bins(before),
        "decision_curve": None if benefit is None else dataclasses.asdict(benefit),
    }


def _with_records(predictions: pd.DataFrame, *, run: RunFolder) -> pd.DataFrame:
    """Predictions with the further columns of their records, such as the groups of the sheet and ``test_twin``."""
    if not run.records.is_file():
        return predictions
    records = read_table(run.records, columns=("image_id",))
    further = [column for column in records.columns if column not in predictions.columns]
    return predictions.merge(records[["image_id", *further]], on="image_id", how="left", validate="many_to_one")


def _chosen_here(run: RunFolder, part: str) -> list[str]:
    """What was chosen on the rows of a part, in words."""
    chosen = []
    model, decision = run.model / "model.json", run.model / "decision.json"
    if model.is_file():
        monitor = str((read_json(model, schema="model").get("training") or {}).get("monitor") or "")
        chosen += ["checkpoint"] if monitor.startswith(f"{part}_") else []
    if decision.is_file() and part in read_json(decision, schema="decision").get("crosswise", []):
        chosen.append("calibration and threshold, each fold by the others")
    return chosen


def _exams(
    run: RunFolder,
    part: str,
    predictions: pd.DataFrame,
    *,
    by: str,
    classes: Classes,
    evaluation: Mapping[str, Any],
    config: EvaluateConfig,
) -> dict[str, Any]:
    """Metrics of the exams of a part, whose predictions are written to a file of their own."""
    facts, table = measure_exams(predictions, by=by, classes=classes, threshold=evaluation["threshold"], config=config)
    if table is not None:
        name = exam_file(part, column=by)
        columns = (*PREDICTION_COLUMNS, "n_frames")
        write_table(run.metrics.with_name(name), table, columns=columns)
        facts["file"] = run.relative(run.metrics.with_name(name))
    return facts


def metric_table(evaluations: Mapping[str, Mapping[str, Any]], *, run: RunFolder) -> pd.DataFrame:
    """All metrics of all parts, one per row, each with the file that it was computed from."""
    rows = [
        {
            "part": part,
            "metric": metric.name,
            "label": metric.label,
            **evaluation[metric.name],
            **{key: evaluation[key] for key in ("n", "unit", "n_units", "positive_class")},
            "file": run.relative(run.predictions(part)),
        }
        for part, evaluation in evaluations.items()
        for metric in METRICS.values()
    ]
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS))


def _interval_method(config: EvaluateConfig) -> str:
    units = "whole units resampled by class" if config.stratified else "whole units resampled"
    return (
        f"cluster bootstrap, {units}; limits symmetric on the log-odds scale (loss: logarithm), "
        "Student's t with the effective number of units"
    )


def _thresholds(cuts: FloatArray, *, otherwise: float) -> dict[str, Any]:
    """The threshold; where folds of the rows have one each, their median and all of them."""
    each = np.unique(cuts)
    if len(each) == 1:
        return {"threshold": float(each[0])}
    return {"threshold": float(np.median(each)) if len(each) else otherwise, "thresholds": each.tolist()}


def _to_dicts(intervals: Mapping[str, Interval]) -> dict[str, dict[str, float | None]]:
    return {name: interval.to_dict() for name, interval in intervals.items()}


def _calibration_facts(found: Mapping[str, Interval]) -> dict[str, Any]:
    return {"bins": RELIABILITY_BINS, **_to_dicts(found)}


def _answers(part: LabelledPart, *, bootstrap: Bootstrap) -> dict[str, Any]:
    """How many rows were answered, and how often wrongly; empty if the table does not say."""
    if "answer" not in part.table.columns:
        return {}
    answered = part.table["answer"].isin(part.classes.names).to_numpy()
    shares = answer_shares(part.rows, answered=answered, units=part.units, bootstrap=bootstrap)
    others = part.table.loc[~answered, "answer"].value_counts()
    return {**_to_dicts(shares), "unanswered": {str(answer): int(count) for answer, count in others.items()}}


def _predictive_values(part: LabelledPart, *, prevalence: float | None, bootstrap: Bootstrap) -> dict[str, Any] | None:
    if not prevalence:
        return None
    metrics = predictive_value_metrics(prevalence)
    found = metric_intervals(part.rows, groups=part.units, metrics=metrics, bootstrap=bootstrap)
    return {"prevalence": prevalence, **_to_dicts(found)}


def _independent(part: LabelledPart, *, confidence: float) -> dict[str, Any]:
    """DeLong's and exact intervals, or why they do not hold."""
    found = independent_intervals(part.rows, groups=part.units, confidence=confidence)
    return {"reason": found} if isinstance(found, str) else _to_dicts(found)
