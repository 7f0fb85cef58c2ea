"""Choosing calibration, threshold and abstention on rows that they are not reported on."""

from __future__ import annotations

import dataclasses

from sonoproof.config import CalibrateConfig
from sonoproof.evaluation.choosing.abstention import choose_abstention
from sonoproof.evaluation.choosing.calibration import ISOTONIC_GROUPS, SLOPES, fit_calibration, temperature_interval
from sonoproof.evaluation.choosing.operating_point import choose_operating_point
from sonoproof.evaluation.choosing.rows import CalibrationRows
from sonoproof.evaluation.intervals.resampling import BOOTSTRAP, Bootstrap
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.training.verdict import Abstention, Calibration, Decision, Method, OperatingPoint

NO_ROWS = "there are no labelled rows besides those that are reported"


def choose_decision(
    rows: CalibrationRows,
    *,
    config: CalibrateConfig,
    threshold: float,
    chosen_on: str,
    bootstrap: Bootstrap = BOOTSTRAP,
) -> Decision:
    """Choose calibration, operating point and abstention on rows that they will not be reported on.

    With fewer than ``config.least_groups`` groups of a class nothing is calibrated and the threshold is the fixed one;
    whatever was not chosen says why.

    Args:
        rows: The rows.
        config: What to fit, by which policy, and how many wrong answers are allowed.
        threshold: The threshold of the policy ``fixed``.
        chosen_on: Which rows these are, in words, for the record.
        bootstrap: Level of the limits of temperature and threshold, and the resamples for those of the threshold.
    """
    missing = _too_few(rows, least=config.least_groups)
    calibration = _calibration(
        rows, config=config, missing=missing, chosen_on=chosen_on, confidence=bootstrap.confidence
    )
    if config.policy == "fixed":
        point = OperatingPoint(threshold)
    elif missing:
        why = f"set before training: policy {config.policy!r} was asked for, but {missing}"
        point = OperatingPoint(threshold, chosen_on=why)
    else:
        point = choose_operating_point(
            ScoredRows.from_logits(rows.targets, logits=calibration.apply(rows.logits)),
            groups=rows.groups,
            config=config,
            chosen_on=chosen_on,
            bootstrap=bootstrap,
        )
    if not config.error:
        abstention = Abstention(chosen_on="not chosen: every frame is answered, as requested")
    elif missing:
        abstention = Abstention(chosen_on=f"not chosen: {missing}")
    else:
        abstention = choose_abstention(rows, error=config.error, chosen_on=chosen_on)
    return Decision(calibration, point, abstention)


def _too_few(rows: CalibrationRows, *, least: int) -> str:
    """Why nothing can be chosen on these rows; empty where it can."""
    if not len(rows.logits):
        return NO_ROWS
    found = rows.groups_of_rarer_class
    return f"one class has {found} groups, and {least} are needed" if found < least else ""


def _calibration(
    rows: CalibrationRows, *, config: CalibrateConfig, missing: str, chosen_on: str, confidence: float
) -> Calibration:
    method: Method = config.method
    if method == "none":
        return Calibration(chosen_on="not calibrated, as requested")
    if missing:
        return Calibration(chosen_on=f"not calibrated: {missing}")
    if method == "isotonic" and rows.n_groups < ISOTONIC_GROUPS:
        method, chosen_on = "temperature", f"{chosen_on} (too few groups for isotonic: {ISOTONIC_GROUPS} are needed)"
    fitted = fit_calibration(rows, method=method)
    if method != "isotonic" and not SLOPES[0] < fitted.slope < SLOPES[1]:
        why = f"the scores either separate the classes or do not rank them, on {chosen_on}"
        return Calibration(chosen_on=f"not calibrated: {why}")
    low = high = None
    if method == "temperature":
        limits = temperature_interval(rows, confidence=confidence)
        low, high = limits.low, limits.high
    return dataclasses.replace(
        fitted, low=low, high=high, chosen_on=chosen_on, n=len(rows.logits), n_groups=rows.n_groups
    )
