"""Metrics, comparisons and calibration with intervals, for the predictions of any model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sonoproof.api.results import Calibration, Differences, Metrics
from sonoproof.config import Config, EvaluateConfig, override
from sonoproof.data.labels.scoretable import read_score_table
from sonoproof.evaluation.evaluate.notes import notes_on_rows
from sonoproof.evaluation.intervals.intervals import metric_intervals
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.evaluation.measures.compare import compare_rows
from sonoproof.evaluation.measures.measures import calibration_measures
from sonoproof.evaluation.metrics.curves import reliability_bins
from sonoproof.evaluation.metrics.metrics import confusion
from sonoproof.evaluation.scores.given import (
    GivenLabels,
    count_certain,
    given_labels,
    given_rows,
    one_dimensional,
    require_same_rows,
)
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.wording import counted


def metrics(
    y_true: Any,
    y_score: Any,
    *,
    groups: Any = None,
    positive: Any = None,
    threshold: float = 0.5,
    logits: bool = False,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Metrics:
    """Metrics of the positive class with their intervals, for the predictions of any model.

    Args:
        y_true: The labels: two different values, shape (N,).
        y_score: Probability of the positive class, shape (N,); log-odds with `logits`.
        groups: Patient, clip or other source of each row, shape (N,). Whole groups are resampled. Without groups every
            row counts as independent, and the intervals are too narrow where rows share a source.
        positive: The label that is positive; may be left out for 0 and 1, and for False and True.
        threshold: Probability at or above which a row is predicted positive.
        logits: Whether the scores are log-odds.
        confidence: Level of the intervals, between 0.5 and 0.999.
        resamples: Bootstrap resamples, 100 or more.
        seed: Seed of the resampling.

    Raises:
        ScoreError: Labels, scores or groups cannot be measured: one is missing, a score is not between 0 and 1, there
            is only one class, or it is not clear which label is positive.
        ConfigError: Another argument is out of range.

    Example:
        >>> import sonoproof as sp
        >>> sp.metrics([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], resamples=100)["auc"].value
        0.75
    """
    config = _config(threshold=threshold, confidence=confidence, resamples=resamples, seed=seed)
    require_same_rows(y_true=y_true, y_score=y_score, groups=groups)
    given = given_labels(y_true, groups=groups, positive=positive)
    return _measure(given, y_score, config=config, logits=logits)


def compare(
    y_true: Any,
    a: Any,
    b: Any,
    *,
    groups: Any = None,
    positive: Any = None,
    threshold: float = 0.5,
    logits: bool = False,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Differences:
    """How two models differ on the same rows: `a` minus `b` in each metric, paired, with intervals and p-values.

    Args:
        y_true: The labels: two different values, shape (N,).
        a: Scores of the first model, as for `metrics`.
        b: Scores of the second model.
        groups: Patient, clip or other source of each row, shape (N,).
        positive: The label that is positive.
        threshold: Probability at or above which a row is predicted positive.
        logits: Whether the scores are log-odds.
        confidence: Level of the intervals.
        resamples: Bootstrap resamples.
        seed: Seed of the resampling.

    Raises:
        ScoreError: Labels, scores or groups cannot be measured.
        ConfigError: Another argument is out of range.
    """
    config = _config(threshold=threshold, confidence=confidence, resamples=resamples, seed=seed)
    require_same_rows(y_true=y_true, a=a, b=b, groups=groups)
    given = given_labels(y_true, groups=groups, positive=positive)
    rows = {name: _rows(given, scores, config=config, logits=logits) for name, scores in (("a", a), ("b", b))}
    found = compare_rows(rows, units=given.units, unit=given.unit, positive_class=given.classes.positive, config=config)
    return Differences(found, config=config)


def calibration(
    y_true: Any,
    y_score: Any,
    *,
    groups: Any = None,
    positive: Any = None,
    logits: bool = False,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Calibration:
    """How well probabilities are calibrated: error, slope and intercept with intervals, and the reliability diagram.

    Args:
        y_true: The labels: two different values, shape (N,).
        y_score: Probability of the positive class, shape (N,); log-odds with `logits`.
        groups: Patient, clip or other source of each row, shape (N,).
        positive: The label that is positive.
        logits: Whether the scores are log-odds.
        confidence: Level of the intervals.
        resamples: Bootstrap resamples.
        seed: Seed of the resampling.

    Raises:
        ScoreError: Labels, scores or groups cannot be measured.
        ConfigError: Another argument is out of range.
    """
    config = _config(confidence=confidence, resamples=resamples, seed=seed)
    require_same_rows(y_true=y_true, y_score=y_score, groups=groups)
    given = given_labels(y_true, groups=groups, positive=positive)
    rows = _rows(given, y_score, config=config, logits=logits)
    intervals = calibration_measures(rows, units=given.units, bootstrap=Bootstrap.from_config(config))
    return Calibration(intervals, bins=reliability_bins(rows), given=given, config=config)


def metrics_of_table(
    path: Path, *, label: str, score: str, group: str | None, positive: str | None, config: Config, logits: bool = False
) -> Metrics:
    """Metrics of a csv, xlsx, xls or ods file that another tool wrote; see `metrics`.

    Args:
        path: The file.
        label: Name of the column with the labels.
        score: Name of the column with the scores.
        group: Name of the column with the groups.
        positive: The label that is positive.
        config: Threshold, level, resamples and seed; encoding and worksheet of the file.
        logits: Whether the scores are log-odds.

    Raises:
        SheetError: The file cannot be read, or a cell cannot be used.
        ScoreError: There is only one class, or it is not clear which label is positive.
    """
    encoding, worksheet = config.sheet.encoding, config.sheet.worksheet
    table = read_score_table(
        path, label=label, score=score, group=group, logits=logits, encoding=encoding, worksheet=worksheet
    )
    given = given_labels(table.labels, groups=table.groups, positive=positive)
    return _measure(given, table.scores, config=config.evaluate, logits=logits)


def _measure(given: GivenLabels, scores: Any, *, config: EvaluateConfig, logits: bool) -> Metrics:
    rows = _rows(given, scores, config=config, logits=logits)
    notes = notes_on_rows(rows, units=given.units)
    if not logits and (certain := count_certain(scores)):
        notes.append(f"{counted(certain, 'score')} of exactly 0 or 1: in the loss they count as 2.2e-16 away from it.")
    return Metrics(
        metric_intervals(rows, groups=given.units, bootstrap=Bootstrap.from_config(config)),
        confusion=confusion(rows),
        notes=tuple(notes),
        given=given,
        config=config,
    )


def _rows(given: GivenLabels, scores: Any, *, config: EvaluateConfig, logits: bool) -> ScoredRows:
    return given_rows(
        one_dimensional(scores, what="scores"), targets=given.targets, threshold=config.threshold, logits=logits
    )


def _config(**values: Any) -> EvaluateConfig:
    return override(Config(), {"evaluate": values}, origin="sonoproof").evaluate
