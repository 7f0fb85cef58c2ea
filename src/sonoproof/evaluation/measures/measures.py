"""Calibration and shares of answers of one set of rows, each with its interval."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.evaluation.intervals.intervals import Interval, metric_intervals
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.evaluation.measures.reliability import calibration_errors, cox_calibration
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.types import BoolArray

Units = npt.NDArray[np.str_]
"""What each row is resampled with, shape (N,)."""


def calibration_measures(rows: ScoredRows, *, units: Units, bootstrap: Bootstrap) -> dict[str, Interval]:
    """Calibration error, slope, intercept, calibration in the large, Brier score and loss."""
    proper = {name: METRICS[name] for name in ("brier", "loss")}
    return {
        "calibration_error": calibration_errors(rows, groups=units, bootstrap=bootstrap),
        **cox_calibration(rows, groups=units, confidence=bootstrap.confidence),
        **metric_intervals(rows, groups=units, metrics=proper, bootstrap=bootstrap),
    }


def rows_before(table: pd.DataFrame, *, rows: ScoredRows) -> ScoredRows | None:
    """The rows with the network's own logits; None if these were not calibrated.

    Args:
        table: The labelled rows of the prediction table.
        rows: The same rows as they are reported.
    """
    own = pd.to_numeric(table["logit"]).to_numpy(dtype=np.float64)
    if "calibrated_logit" not in table.columns or np.array_equal(own, rows.logits):
        return None
    return ScoredRows(rows.targets, own, own >= 0)


def answer_shares(rows: ScoredRows, *, answered: BoolArray, units: Units, bootstrap: Bootstrap) -> dict[str, Interval]:
    """How many rows are answered, how many of all are answered wrongly, and how many of those answered.

    Args:
        rows: The rows.
        answered: True where a class is named, shape (N,).
        units: What each row is resampled with.
        bootstrap: How units are resampled, never by class, and the level.
    """

    def share(which: BoolArray, among: BoolArray | slice = slice(None)) -> Interval:
        """Share of rows for which something holds: the accuracy of a forecast that it always does."""
        held = which[among]
        forecast = ScoredRows(held, np.zeros(len(held)), np.ones(len(held), dtype=np.bool_))
        unstratified = dataclasses.replace(bootstrap, stratified=False)
        metrics = {"accuracy": METRICS["accuracy"]}
        return metric_intervals(forecast, groups=units[among], metrics=metrics, bootstrap=unstratified)["accuracy"]

    wrong = rows.predicted_positive != rows.targets
    return {
        "answered": share(answered),
        "wrong_answers": share(answered & wrong),
        "wrong_among_answered": share(wrong, among=answered),
        "wrong_among_not_sure": share(wrong, among=~answered),
    }
