"""Metrics of exams: the frames of a clip or patient become one prediction, which is then measured like a frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from sonoproof.classes import Classes
from sonoproof.config import EvaluateConfig
from sonoproof.errors import RunFolderError
from sonoproof.evaluation.intervals.intervals import metric_intervals
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.evaluation.metrics.metrics import confusion
from sonoproof.evaluation.scores.aggregate import OF_LOGITS, Aggregation, aggregate
from sonoproof.evaluation.scores.labelled import labelled_rows, resampling_units, scored


def exam_columns(table: pd.DataFrame, *, group_columns: Sequence[str]) -> list[str]:
    """The columns by which frames form exams: those of the sheet, or else the groups that were kept together.

    Args:
        table: Predictions, with the group columns if they are known.
        group_columns: Columns of the sheet whose values were kept together.
    """
    named = [column for column in group_columns if column in table.columns]
    return named or ["group"]


def exam_file(part: str, *, column: str) -> str:
    """Name of the file with the predictions of exams."""
    plain = re.sub(r"[^\w-]+", "_", column)
    return f"{part}_by_{plain}.csv"


def measure_exams(
    table: pd.DataFrame, *, by: str, classes: Classes, threshold: float, config: EvaluateConfig
) -> tuple[dict[str, Any], pd.DataFrame | None]:
    """Metrics of exams with their intervals, and the exams' predictions.

    The means are of calibrated logits. Exams are ranked, as frames are, by the network's own logits, if the prediction
    of an exam is computed from logits. The threshold is that of frames: it was not chosen for exams, and the
    probability of an exam is not calibrated again.

    Args:
        table: Predictions of frames with the column `by`.
        by: Column that names the exam of each frame.
        classes: The class names.
        threshold: Probability at or above which an exam is predicted positive.
        config: Level, resamples and seed of the intervals, and how frames become an exam.

    Returns:
        ``n``, ``n_positive``, ``how``, ``confusion`` and every metric; or ``reason`` if frames form no exams, with None
        instead of predictions.
    """
    frames = labelled_rows(table, classes=classes)
    try:
        exams = _exams(frames, by=by, classes=classes, threshold=threshold, how=config.exam)
    except RunFolderError as error:
        return {"how": config.exam, "reason": str(error)}, None
    if len(exams) == len(frames):
        return {"how": config.exam, "reason": "every frame is an exam on its own"}, None
    rows, units = scored(exams, classes=classes, threshold=threshold), resampling_units(exams, unit="group")
    found = metric_intervals(rows, groups=units, bootstrap=Bootstrap.from_config(config))
    facts = {
        "how": config.exam,
        "n": rows.n,
        "n_positive": int(rows.targets.sum()),
        "n_frames": len(frames),
        "threshold": threshold,
        "unit": "group",
        "n_units": exams["group"].nunique(),
        **{name: interval.to_dict() for name, interval in found.items()},
        "confusion": confusion(rows),
        "undefined": {name: interval.reason for name, interval in found.items() if interval.reason},
    }
    return facts, exams


def _exams(frames: pd.DataFrame, *, by: str, classes: Classes, threshold: float, how: Aggregation) -> pd.DataFrame:
    """Predictions of exams; for calibrated frames with ``calibrated_logit`` beside the ``logit`` of the network."""
    if "calibrated_logit" not in frames.columns:
        return aggregate(frames, by=by, classes=classes, how=how, threshold=threshold)
    calibrated = frames.assign(logit=frames["calibrated_logit"])
    exams = aggregate(calibrated, by=by, classes=classes, how=how, threshold=threshold)
    own = exams if how not in OF_LOGITS else aggregate(frames, by=by, classes=classes, how=how, threshold=threshold)
    return exams.assign(calibrated_logit=exams["logit"], logit=own["logit"])
