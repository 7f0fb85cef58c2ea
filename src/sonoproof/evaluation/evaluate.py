"""The stage that turns predictions into metrics with intervals, for each part of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.config import EvaluateConfig
from sonoproof.evaluation.curves import RELIABILITY_BINS, curves
from sonoproof.evaluation.decision_curve import decision_curve
from sonoproof.evaluation.delong import independent_intervals
from sonoproof.evaluation.intervals import Interval, metric_intervals
from sonoproof.evaluation.labelled import Classes, labelled_rows, scored, units_of
from sonoproof.evaluation.metrics import METRICS, confusion
from sonoproof.evaluation.notes import notes
from sonoproof.evaluation.reliability import calibration_errors, cox_calibration
from sonoproof.evaluation.rows import ScoredRows
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_json, read_table, write_json, write_table

__all__ = ["METRIC_COLUMNS", "evaluate_part", "evaluate_run"]

METRIC_COLUMNS = (
    "part", "metric", "label", "value", "low", "high", "n", "unit", "n_units", "positive_class", "file",
)  # fmt: skip
INTERVAL_METHOD = (
    "cluster bootstrap, whole units drawn by class; limits symmetric on the log-odds scale (loss: logarithm), "
    "Student's t with the effective number of units"
)


def evaluate_run(
    run: RunFolder,
    *,
    parts: Sequence[str],
    config: EvaluateConfig,
    unit: str = "group",
    threshold: float | None = None,
    stratified: bool = True,
) -> dict[str, dict[str, Any]]:
    """Evaluate parts of a run and write ``evaluation/PART.json``, ``PART_curves.json`` and ``metrics.csv``.

    A part without any labelled row is left out.

    Args:
        run: The run folder with ``cohort.json`` and ``predictions/PART.csv``.
        parts: Parts such as ``val`` and ``test``.
        config: Settings of the stage.
        unit: Column of the predictions whose values are resampled.
        threshold: Probability from which a row is called positive, None for the one of `config`.
        stratified: Whether units are drawn by class: the intervals then hold for the share of units a class that
            these rows have. False where that share came about by chance and is not known from elsewhere.

    Returns:
        Part to the content of its JSON file.

    Raises:
        RunFolderError: A file is missing or a prediction table cannot be evaluated.
    """
    names = read_json(run.cohort, schema="cohort")["classes"]
    classes = Classes(negative=names["negative"], positive=names["positive"])
    evaluations = {}
    for part in parts:
        predictions = read_table(run.predictions(part), columns=PREDICTION_COLUMNS)
        if (predictions["label"] == "").all():
            continue
        evaluation = evaluate_part(
            predictions, classes=classes, config=config, unit=unit, threshold=threshold, stratified=stratified
        )
        drawn = curves_of_part(predictions, classes=classes, config=config, unit=unit)
        write_json(run.evaluation(part), {"part": part, **evaluation}, schema="evaluation")
        write_json(run.evaluation(f"{part}_curves"), {"part": part, **drawn}, schema="curves")
        evaluations[part] = {"part": part, **evaluation}
    write_table(run.metrics, metric_table(evaluations, run=run), columns=METRIC_COLUMNS)
    return evaluations


def evaluate_part(
    predictions: pd.DataFrame,
    *,
    classes: Classes,
    config: EvaluateConfig,
    unit: str = "group",
    threshold: float | None = None,
    stratified: bool = True,
) -> dict[str, Any]:
    """Metrics of the positive class on the labelled rows, each as ``{"value", "low", "high"}``.

    What is undefined is None, with its reason under ``undefined``.

    Args:
        predictions: Table with the columns `PREDICTION_COLUMNS`.
        classes: Names of the classes; every metric is of the positive one.
        config: Level, resamples and seed of the intervals, and the threshold where none is given.
        unit: Column whose values are resampled; ``row`` takes rows as independent.
        threshold: Probability from which a row is called positive, None for the one of `config`.
        stratified: Whether units are drawn by class: the intervals then hold for the share of units a class that
            these rows have. False where that share came about by chance and is not known from elsewhere.

    Raises:
        RunFolderError: The table cannot be evaluated; the message names the frames.
    """
    cut = config.threshold if threshold is None else threshold
    table = labelled_rows(predictions, classes=classes)
    rows, units = scored(table, classes=classes, threshold=cut), units_of(table, unit=unit)
    intervals = metric_intervals(
        rows,
        groups=units,
        confidence=config.confidence,
        resamples=config.resamples,
        seed=config.seed,
        stratified=stratified,
    )
    calibration = _calibration(rows, units=units, config=config)
    return {
        "n": rows.n,
        "n_positive": int(rows.targets.sum()),
        "n_unlabelled": len(predictions) - rows.n,
        "positive_class": classes.positive,
        "negative_class": classes.negative,
        "threshold": cut,
        "unit": unit,
        "n_units": len(np.unique(units)),
        "confidence": config.confidence,
        "resamples": config.resamples,
        "seed": config.seed,
        "interval_method": INTERVAL_METHOD,
        "stratified": stratified,
        **{name: _as_json(interval) for name, interval in intervals.items()},
        "confusion": confusion(rows),
        "calibration": {"bins": RELIABILITY_BINS, **{name: _as_json(found) for name, found in calibration.items()}},
        "independent": _independent(rows, units=units, config=config),
        "undefined": {name: found.reason for name, found in {**intervals, **calibration}.items() if found.reason},
        "notes": notes(rows, table=table, classes=classes, units=units),
    }


def curves_of_part(
    predictions: pd.DataFrame, *, classes: Classes, config: EvaluateConfig, unit: str = "group"
) -> dict[str, Any]:
    """Points of the curves of the labelled rows; the decision curve is None where a class is missing."""
    table = labelled_rows(predictions, classes=classes)
    rows = scored(table, classes=classes, threshold=config.threshold)
    benefit = None
    if 0 < rows.targets.sum() < rows.n:
        found = decision_curve(
            rows,
            groups=units_of(table, unit=unit),
            confidence=config.confidence,
            resamples=config.resamples,
            seed=config.seed,
        )
        benefit = dataclasses.asdict(found)
    return {"positive_class": classes.positive, **curves(rows), "decision_curve": benefit}


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


def _calibration(rows: ScoredRows, *, units: npt.NDArray[np.str_], config: EvaluateConfig) -> dict[str, Interval]:
    error = calibration_errors(
        rows, groups=units, confidence=config.confidence, resamples=config.resamples, seed=config.seed
    )
    return {"calibration_error": error, **cox_calibration(rows, groups=units, confidence=config.confidence)}


def _independent(rows: ScoredRows, *, units: npt.NDArray[np.str_], config: EvaluateConfig) -> dict[str, Any]:
    """DeLong's and exact intervals, or why they do not hold."""
    found = independent_intervals(rows, groups=units, confidence=config.confidence)
    if isinstance(found, str):
        return {"reason": found}
    return {name: _as_json(interval) for name, interval in found.items()}


def _as_json(interval: Interval) -> dict[str, float | None]:
    numbers = {"value": interval.value, "low": interval.low, "high": interval.high}
    return {key: float(number) if np.isfinite(number) else None for key, number in numbers.items()}
