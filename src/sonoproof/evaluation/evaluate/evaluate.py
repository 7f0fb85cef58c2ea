"""The stage that turns predictions into metrics with intervals, for each part of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.classes import Classes
from sonoproof.config import EvaluateConfig
from sonoproof.evaluation.evaluate.exams import exam_columns, exam_file, measure_exams
from sonoproof.evaluation.evaluate.notes import notes, notes_on_choices
from sonoproof.evaluation.intervals.delong import independent_intervals
from sonoproof.evaluation.intervals.intervals import Interval, as_json
from sonoproof.evaluation.measures.decision_curve import decision_curve
from sonoproof.evaluation.measures.measures import (
    answer_shares,
    calibration_measures,
    intervals_of,
    predictive_values,
    rows_before,
)
from sonoproof.evaluation.metrics.curves import RELIABILITY_BINS, curves, reliability_bins
from sonoproof.evaluation.metrics.metrics import METRICS, confusion
from sonoproof.evaluation.scores.labelled import labelled_rows, scored, thresholds_of, units_of
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_json, read_table, write_json, write_table

__all__ = ["METRIC_COLUMNS", "evaluate_part", "evaluate_run"]

METRIC_COLUMNS = (
    "part", "metric", "label", "value", "low", "high", "n", "unit", "n_units", "positive_class", "file",
)  # fmt: skip


def evaluate_run(
    run: RunFolder,
    *,
    parts: Sequence[str],
    config: EvaluateConfig,
    unit: str = "group",
    threshold: float | None = None,
) -> dict[str, dict[str, Any]]:
    """Evaluate parts of a run and write ``evaluation/PART.json``, ``PART_curves.json`` and ``metrics.csv``.

    A part without any labelled row is left out.

    Args:
        run: The run folder with ``cohort.json`` and ``predictions/PART.csv``.
        parts: Parts such as ``val`` and ``test``.
        config: Settings of the stage.
        unit: Column of the predictions whose values are resampled.
        threshold: Probability from which a row is called positive; None takes each row's own from the column
            ``threshold``, or that of `config` where there is none.

    Returns:
        Part to the content of its JSON file.

    Raises:
        RunFolderError: A file is missing or a prediction table cannot be evaluated.
    """
    cohort = read_json(run.cohort, schema="cohort")
    classes = Classes(negative=cohort["classes"]["negative"], positive=cohort["classes"]["positive"])
    group_columns = tuple(cohort.get("group_columns") or ())
    evaluations = {}
    for part in parts:
        predictions = _with_records(read_table(run.predictions(part), columns=PREDICTION_COLUMNS), run=run)
        if (predictions["label"] == "").all():
            continue
        evaluation = evaluate_part(predictions, classes=classes, config=config, unit=unit, threshold=threshold)
        drawn = curves_of_part(predictions, classes=classes, config=config, unit=unit)
        chosen_here = _chosen_here(run, part)
        evaluation["notes"] += notes_on_choices(chosen_here, part=part, predictions=predictions)
        exams = {
            column: _exams(run, part, predictions, by=column, classes=classes, evaluation=evaluation, config=config)
            for column in exam_columns(predictions, group_columns=group_columns)
        }
        evaluations[part] = {"part": part, **evaluation, "chosen_here": chosen_here, "exams": exams}
        write_json(run.evaluation(part), evaluations[part], schema="evaluation")
        write_json(run.evaluation(f"{part}_curves"), {"part": part, **drawn}, schema="curves")
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
        config: Level, resamples and seed of the intervals, and the threshold where none is given.
        unit: Column whose values are resampled; ``row`` takes rows as independent.
        threshold: Probability from which a row is called positive; None takes each row's own from the column
            ``threshold``, or that of `config` where there is none.

    Raises:
        RunFolderError: The table cannot be evaluated; the message names the frames.
    """
    table = labelled_rows(predictions, classes=classes)
    cuts = thresholds_of(table, otherwise=config.threshold) if threshold is None else np.full(len(table), threshold)
    rows, units = scored(table, classes=classes, threshold=cuts), units_of(table, unit=unit)
    intervals = intervals_of(rows, units=units, config=config)
    calibration, before = calibration_measures(rows, units=units, config=config), rows_before(table, rows=rows)
    return {
        "n": rows.n,
        "n_positive": int(rows.targets.sum()),
        "n_unlabelled": len(predictions) - rows.n,
        "positive_class": classes.positive,
        "negative_class": classes.negative,
        **_thresholds(cuts, otherwise=config.threshold),
        "unit": unit,
        "n_units": len(np.unique(units)),
        "confidence": config.confidence,
        "resamples": config.resamples,
        "seed": config.effective_seed,
        "interval_method": _interval_method(config),
        "stratified": config.stratified,
        **{name: as_json(interval) for name, interval in intervals.items()},
        "confusion": confusion(rows),
        "calibration": _calibration_facts(calibration),
        "calibration_before": None
        if before is None
        else _calibration_facts(calibration_measures(before, units=units, config=config)),
        "predictive_values": _predictive_values(rows, units=units, config=config),
        "answers": _answers(rows, table=table, units=units, classes=classes, config=config),
        "independent": _independent(rows, units=units, config=config),
        "undefined": {name: found.reason for name, found in {**intervals, **calibration}.items() if found.reason},
        "notes": notes(rows, table=table, classes=classes, units=units),
    }


def curves_of_part(
    predictions: pd.DataFrame, *, classes: Classes, config: EvaluateConfig, unit: str = "group"
) -> dict[str, Any]:
    """Points of the curves of the labelled rows; the decision curve is None where a class is missing."""
    table = labelled_rows(predictions, classes=classes)
    rows = scored(table, classes=classes, threshold=thresholds_of(table, otherwise=config.threshold))
    benefit = None
    if 0 < rows.targets.sum() < rows.n:
        found = decision_curve(
            rows,
            groups=units_of(table, unit=unit),
            confidence=config.confidence,
            resamples=config.resamples,
            seed=config.effective_seed,
        )
        benefit = dataclasses.asdict(found)
    before = rows_before(table, rows=rows)
    return {
        "positive_class": classes.positive,
        **curves(rows),
        "reliability_before": None if before is None else reliability_bins(before),
        "decision_curve": benefit,
    }


def _with_records(predictions: pd.DataFrame, *, run: RunFolder) -> pd.DataFrame:
    """Predictions with the further columns of their records: the sheet's groups, and whether a twin is in training."""
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
    """Metrics of the exams of a part; their predictions go into a file of their own."""
    facts, table = measure_exams(predictions, by=by, classes=classes, threshold=evaluation["threshold"], config=config)
    if table is not None:
        name = exam_file(part, column=by)
        columns = (*PREDICTION_COLUMNS, "n_frames")
        write_table(run.metrics.with_name(name), table, columns=columns)
        facts["file"] = run.relative(run.metrics.with_name(name))
    return facts


def metric_table(evaluations: Mapping[str, Mapping[str, Any]], *, run: RunFolder) -> pd.DataFrame:
    """All metrics of all parts, one a row, each with the file that it was made from."""
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
    units = "whole units drawn by class" if config.stratified else "whole units"
    return (
        f"cluster bootstrap, {units}; limits symmetric on the log-odds scale (loss: logarithm), "
        "Student's t with the effective number of units"
    )


def _thresholds(cuts: npt.NDArray[np.float64], *, otherwise: float) -> dict[str, Any]:
    """The threshold; where folds of the rows have one each, their median and all of them."""
    each = np.unique(cuts)
    if len(each) == 1:
        return {"threshold": float(each[0])}
    return {"threshold": float(np.median(each)) if len(each) else otherwise, "thresholds": each.tolist()}


def _calibration_facts(found: Mapping[str, Interval]) -> dict[str, Any]:
    return {"bins": RELIABILITY_BINS, **{name: as_json(interval) for name, interval in found.items()}}


def _answers(
    rows: ScoredRows, *, table: pd.DataFrame, units: npt.NDArray[np.str_], classes: Classes, config: EvaluateConfig
) -> dict[str, Any]:
    """How many rows were answered, and how often wrongly; empty where the table does not say."""
    if "answer" not in table.columns:
        return {}
    answered = table["answer"].isin([classes.negative, classes.positive]).to_numpy()
    shares = answer_shares(rows, answered=answered, units=units, config=config)
    others = table.loc[~answered, "answer"].value_counts()
    return {
        **{name: as_json(share) for name, share in shares.items()},
        "unanswered": {str(answer): int(count) for answer, count in others.items()},
    }


def _predictive_values(
    rows: ScoredRows, *, units: npt.NDArray[np.str_], config: EvaluateConfig
) -> dict[str, Any] | None:
    if not config.prevalence:
        return None
    found = predictive_values(rows, units=units, prevalence=config.prevalence, config=config)
    return {"prevalence": config.prevalence, **{name: as_json(value) for name, value in found.items()}}


def _independent(rows: ScoredRows, *, units: npt.NDArray[np.str_], config: EvaluateConfig) -> dict[str, Any]:
    """DeLong's and exact intervals, or why they do not hold."""
    found = independent_intervals(rows, groups=units, confidence=config.confidence)
    if isinstance(found, str):
        return {"reason": found}
    return {name: as_json(interval) for name, interval in found.items()}
