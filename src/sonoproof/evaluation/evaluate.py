"""The stage that turns predictions into metrics with intervals, for each part of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.config import EvaluateConfig
from sonoproof.evaluation.curves import curves
from sonoproof.evaluation.intervals import Interval, metric_intervals
from sonoproof.evaluation.labelled import Classes, labelled_rows, scored, units_of
from sonoproof.evaluation.metrics import METRICS, ScoredRows, confusion
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_json, read_table, write_json, write_table

__all__ = ["METRIC_COLUMNS", "evaluate_part", "evaluate_run"]

METRIC_COLUMNS = (
    "part", "metric", "label", "value", "low", "high", "n", "unit", "n_units", "positive_class", "file",
)  # fmt: skip
INTERVAL_METHOD = (
    "cluster bootstrap, whole units drawn by class; limits symmetric on the log-odds scale (loss: logarithm), "
    "Student's t with the effective number of units"
)
_FEW_UNITS = 20


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
        threshold: Probability from which a row is called positive, None for the one of `config`.

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
        evaluation = evaluate_part(predictions, classes=classes, config=config, unit=unit, threshold=threshold)
        drawn = curves_of_part(predictions, classes=classes)
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
) -> dict[str, Any]:
    """Metrics of the positive class on the labelled rows, each as ``{"value", "low", "high"}``.

    What is undefined is None, with its reason under ``undefined``.

    Args:
        predictions: Table with the columns `PREDICTION_COLUMNS`.
        classes: Names of the classes; every metric is of the positive one.
        config: Level, resamples and seed of the intervals, and the threshold where none is given.
        unit: Column whose values are resampled; ``row`` takes rows as independent.
        threshold: Probability from which a row is called positive, None for the one of `config`.

    Raises:
        RunFolderError: The table cannot be evaluated; the message names the frames.
    """
    cut = config.threshold if threshold is None else threshold
    table = labelled_rows(predictions, classes=classes)
    rows, units = scored(table, classes=classes, threshold=cut), units_of(table, unit=unit)
    intervals = metric_intervals(
        rows, groups=units, confidence=config.confidence, resamples=config.resamples, seed=config.seed
    )
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
        **{name: _as_json(interval) for name, interval in intervals.items()},
        "confusion": confusion(rows),
        "undefined": {name: interval.reason for name, interval in intervals.items() if interval.reason},
        "notes": notes(rows, table=table, classes=classes, units=units),
    }


def curves_of_part(predictions: pd.DataFrame, *, classes: Classes) -> dict[str, Any]:
    """Points of the curves of the labelled rows, see `sonoproof.evaluation.curves`."""
    table = labelled_rows(predictions, classes=classes)
    return {"positive_class": classes.positive, **curves(scored(table, classes=classes, threshold=0.5))}


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


def notes(rows: ScoredRows, *, table: pd.DataFrame, classes: Classes, units: npt.NDArray[np.str_]) -> list[str]:
    """What a reader must know before believing the numbers, one sentence each."""
    said = [*_notes_on_scores(rows), *_notes_on_units(rows, units=units)]
    predicted = np.where(rows.called, classes.positive, classes.negative)
    differing = int((table["predicted"].to_numpy() != predicted).sum())
    if differing:
        said.append(
            f"{differing} rows are called otherwise in the prediction table, which was written at another threshold."
        )
    return said


def _notes_on_scores(rows: ScoredRows) -> list[str]:
    said = []
    auc = float(METRICS["auc"](rows))
    if rows.n and (rows.called == rows.targets).all():
        said.append(
            f"All {rows.n} predictions equal their labels. Real frames seldom allow it: look for a leak (the label in "
            "the file name or the border, frames of one source on both sides) before believing it."
        )
    elif auc == 1:
        said.append("The scores separate the classes without error; look for a leak before believing it.")
    if auc < 0.5:
        said.append("The scores rank the classes the wrong way round (AUC below 0.5): check the coding of the labels.")
    if rows.n and np.ptp(rows.logits) == 0:
        said.append("Every row has the same score: the model tells nothing apart.")
    elif rows.n and (rows.called.all() or not rows.called.any()):
        said.append(f"Every row is called {'positive' if rows.called.all() else 'negative'} at this threshold.")
    if rows.targets.all() or not rows.targets.any():
        said.append("The labelled rows are all of one class: metrics that compare the classes are undefined.")
    return said


def _notes_on_units(rows: ScoredRows, *, units: npt.NDArray[np.str_]) -> list[str]:
    n_units = len(np.unique(units))
    if rows.n and n_units == rows.n:
        return ["Every row is a unit of its own: if frames share a source, the intervals are too narrow."]
    if n_units < _FEW_UNITS:
        return [f"Only {n_units} units were resampled: the intervals are rough."]
    return []


def _as_json(interval: Interval) -> dict[str, float | None]:
    numbers = {"value": interval.value, "low": interval.low, "high": interval.high}
    return {key: float(number) if np.isfinite(number) else None for key, number in numbers.items()}
