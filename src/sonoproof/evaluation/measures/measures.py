"""Measures of calibration and predictive values of one set of rows, each with its interval."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.config import EvaluateConfig
from sonoproof.evaluation.intervals.intervals import Interval, metric_intervals
from sonoproof.evaluation.measures.predictive_values import predictive_value_metrics
from sonoproof.evaluation.measures.reliability import calibration_errors, cox_calibration
from sonoproof.evaluation.metrics.metrics import METRICS, Metric
from sonoproof.evaluation.scores.rows import ScoredRows

__all__ = ["answer_shares", "calibration_measures", "intervals_of", "predictive_values", "rows_before"]

Units = npt.NDArray[np.str_]


def intervals_of(
    rows: ScoredRows, *, units: Units, config: EvaluateConfig, metrics: Mapping[str, Metric] = METRICS
) -> dict[str, Interval]:
    """Metrics with the intervals that the settings ask for.

    Args:
        rows: The rows.
        units: What each row is resampled with, shape (N,).
        config: Level, resamples, seed, and whether units are drawn by class.
        metrics: The metrics by name.
    """
    return metric_intervals(
        rows,
        groups=units,
        metrics=metrics,
        confidence=config.confidence,
        resamples=config.resamples,
        seed=config.effective_seed,
        stratified=config.stratified,
    )


def calibration_measures(rows: ScoredRows, *, units: Units, config: EvaluateConfig) -> dict[str, Interval]:
    """Calibration error, slope, intercept, calibration in the large, Brier score and loss.

    Args:
        rows: The rows.
        units: What each row is resampled with, shape (N,).
        config: Level, resamples and seed.
    """
    error = calibration_errors(
        rows, groups=units, confidence=config.confidence, resamples=config.resamples, seed=config.effective_seed
    )
    proper = intervals_of(rows, units=units, config=config, metrics={name: METRICS[name] for name in ("brier", "loss")})
    return {
        "calibration_error": error,
        **cox_calibration(rows, groups=units, confidence=config.confidence),
        **proper,
    }


def rows_before(table: pd.DataFrame, *, rows: ScoredRows) -> ScoredRows | None:
    """The rows with the network's own logits; None where these were not calibrated.

    Args:
        table: The labelled rows of the prediction table.
        rows: The same rows as they are reported.
    """
    own = pd.to_numeric(table["logit"]).to_numpy(dtype=np.float64)
    if "calibrated_logit" not in table.columns or np.array_equal(own, rows.logits):
        return None
    return ScoredRows(rows.targets, own, own >= 0)


def predictive_values(
    rows: ScoredRows, *, units: Units, prevalence: float, config: EvaluateConfig
) -> dict[str, Interval]:
    """PPV and NPV, ``ppv`` and ``npv``, where a share `prevalence` of cases is positive."""
    found = intervals_of(rows, units=units, config=config, metrics=predictive_value_metrics(prevalence))
    return {"ppv": found["ppv_at_prevalence"], "npv": found["npv_at_prevalence"]}


def answer_shares(
    rows: ScoredRows, *, answered: npt.NDArray[np.bool_], units: Units, config: EvaluateConfig
) -> dict[str, Interval]:
    """How many rows are answered, how many of all are answered wrongly, and how many of the answered.

    Args:
        rows: The rows.
        answered: True where a class is named, shape (N,).
        units: What each row is resampled with, shape (N,).
        config: Level, resamples and seed.
    """
    wrong = rows.called != rows.targets
    return {
        "answered": _share(answered, units=units, config=config),
        "wrong_answers": _share(answered & wrong, units=units, config=config),
        "wrong_among_answered": _share(wrong[answered], units=units[answered], config=config),
        "wrong_among_not_sure": _share(wrong[~answered], units=units[~answered], config=config),
    }


def _share(which: npt.NDArray[np.bool_], *, units: Units, config: EvaluateConfig) -> Interval:
    """Share of rows for which something holds: the accuracy of a forecast that it always does."""
    rows = ScoredRows(which, np.zeros(len(which)), np.ones(len(which), dtype=np.bool_))
    unstratified = dataclasses.replace(config, stratified=False)
    found = intervals_of(rows, units=units, config=unstratified, metrics={"accuracy": METRICS["accuracy"]})
    return found["accuracy"]
