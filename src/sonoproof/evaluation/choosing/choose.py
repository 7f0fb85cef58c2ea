"""Choosing calibration, threshold and abstention on rows that they are not reported on."""

from __future__ import annotations

import dataclasses

from sonoproof.config import CalibrateConfig
from sonoproof.evaluation.choosing.abstention import choose_abstention
from sonoproof.evaluation.choosing.calibration import (
    ISOTONIC_GROUPS,
    calibration_gain,
    fit_calibration,
    separates,
    temperature_interval,
)
from sonoproof.evaluation.choosing.operating_point import choose_operating_point
from sonoproof.evaluation.choosing.rows import CalibrationRows, format_groups
from sonoproof.evaluation.intervals.resampling import BOOTSTRAP, Bootstrap
from sonoproof.training.verdict import Abstention, Calibration, Decision, Method, OperatingPoint

_CALIBRATIONS = {"temperature": "a temperature", "platt": "Platt scaling", "isotonic": "isotonic calibration"}
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

    With fewer than ``config.least_groups`` effective groups of a class nothing is chosen. Otherwise a calibration is
    taken if groups that had no part in it are better off with it, and likewise a threshold. Whatever was not chosen
    says why.

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
            dataclasses.replace(rows, logits=calibration.apply(rows.logits)),
            config=config,
            threshold=threshold,
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
    found = min(rows.effective_groups)
    return f"one class has {format_groups(found)}, and {least} are needed" if found < least else ""


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
    if separates(rows):
        why = f"the scores either separate the classes or do not rank them, on {chosen_on}"
        return Calibration(chosen_on=f"not calibrated: {why}")
    reason, why_not = calibration_gain(rows, method=method).verdict(_CALIBRATIONS[method], loss="the log loss")
    if why_not:
        return Calibration(chosen_on=f"not calibrated: {why_not}")
    limits = temperature_interval(rows, confidence=confidence) if method == "temperature" else None
    return dataclasses.replace(
        fit_calibration(rows, method=method),
        low=limits.low if limits else None,
        high=limits.high if limits else None,
        chosen_on=chosen_on + reason,
        n=len(rows.logits),
        n_groups=rows.n_groups,
    )
