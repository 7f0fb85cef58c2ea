"""Comparison of two or more sets of predictions on the same rows.

Every resample of groups is given to all of them, so that what they have in common cancels.

References:
    Holm (1979), A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6:65.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from sonoproof.classes import Classes
from sonoproof.config import EvaluateConfig
from sonoproof.errors import RunFolderError
from sonoproof.evaluation.intervals.delong import PairedTest, delong_test
from sonoproof.evaluation.intervals.intervals import MAX_UNDEFINED, degrees_of_freedom, standard_deviation
from sonoproof.evaluation.intervals.resampling import Bootstrap, GroupedRows, Grouping, resample, resample_each_stratum
from sonoproof.evaluation.metrics.metrics import METRICS, Metric
from sonoproof.evaluation.scores.labelled import labelled_rows, resampling_units, row_thresholds, scored
from sonoproof.evaluation.scores.rows import ScoredRows
from sonoproof.types import FloatArray


@dataclass(frozen=True)
class Difference:
    """First minus second in one metric.

    Attributes:
        first: Name of the first predictions.
        second: Name of the second.
        metric: Name of the metric.
        test: Difference, limits and p by the paired cluster bootstrap.
        p_holm: p after Holm's adjustment over all pairs in this metric.
    """

    first: str
    second: str
    metric: str
    test: PairedTest
    p_holm: float


@dataclass(frozen=True)
class Comparison:
    """How sets of predictions differ.

    Attributes:
        n: Number of rows.
        unit: Column whose values were resampled.
        n_units: Number of those values.
        positive_class: The class that the metrics refer to.
        differences: Every pair in every metric.
        delong: DeLong's test of the AUC of each pair, if rows are independent.
        why_no_delong: Why there is none; empty if there is.
        adjustment: How p was adjusted, in words.
    """

    n: int
    unit: str
    n_units: int
    positive_class: str
    differences: tuple[Difference, ...]
    delong: Mapping[tuple[str, str], PairedTest]
    why_no_delong: str
    adjustment: str


def compare(
    tables: Mapping[str, pd.DataFrame],
    *,
    classes: Classes,
    config: EvaluateConfig,
    unit: str = "group",
    metrics: Mapping[str, Metric] = METRICS,
) -> Comparison:
    """Compare prediction tables of the same labelled rows.

    Args:
        tables: Name to prediction table, two or more.
        classes: The class names.
        config: Threshold, level, resamples and seed.
        unit: Column whose values are resampled, see `resampling_units`.
        metrics: What to compare.

    Raises:
        RunFolderError: A table cannot be evaluated, or rows, labels or units differ between the tables.
    """
    if len(tables) < 2:
        raise ValueError("two or more prediction tables are needed")
    aligned = _aligned({name: labelled_rows(table, classes=classes) for name, table in tables.items()}, unit=unit)
    rows = {
        name: scored(table, classes=classes, threshold=row_thresholds(table, otherwise=config.threshold))
        for name, table in aligned.items()
    }
    units = resampling_units(next(iter(aligned.values())), unit=unit)
    return compare_rows(rows, units=units, unit=unit, positive_class=classes.positive, config=config, metrics=metrics)


def compare_rows(
    rows: Mapping[str, ScoredRows],
    *,
    units: npt.NDArray[np.str_],
    unit: str,
    positive_class: str,
    config: EvaluateConfig,
    metrics: Mapping[str, Metric] = METRICS,
) -> Comparison:
    """Compare scores of the same rows, in the same order.

    Args:
        rows: Name to scores, two or more, all with the same targets.
        units: What each row is resampled with, shape (N,).
        unit: What the units are.
        positive_class: The class that the metrics refer to.
        config: Level, resamples and seed.
        metrics: What to compare.
    """
    first = next(iter(rows.values()))
    grouping = Grouping.from_names(units, targets=first.targets, stratified=config.stratified)
    models = {name: GroupedRows(scores, grouping) for name, scores in rows.items()}
    pairs = list(itertools.combinations(models, 2))
    return Comparison(
        n=first.n,
        unit=unit,
        n_units=grouping.n_groups,
        positive_class=positive_class,
        differences=tuple(
            paired_differences(models, metrics=list(metrics.values()), bootstrap=Bootstrap.from_config(config))
        ),
        delong={(a, b): delong_test(rows[a], second=rows[b], confidence=config.confidence) for a, b in pairs}
        if grouping.independent
        else {},
        why_no_delong="" if grouping.independent else f"{first.n} rows come from {grouping.n_groups} units",
        adjustment=f"Holm over the {len(pairs)} pairs of each metric; metrics are not adjusted for each other",
    )


def paired_differences(
    models: Mapping[str, GroupedRows], *, metrics: Sequence[Metric], bootstrap: Bootstrap
) -> list[Difference]:
    """Difference of every pair in each metric by the paired cluster bootstrap, adjusted over the pairs.

    The limits are d ± t s, with s the standard deviation of the resampled differences and t of Student with the
    degrees of freedom of `degrees_of_freedom`.

    Args:
        models: Name to rows; all with one grouping and the same targets.
        metrics: What to compare.
        bootstrap: How groups are resampled, and the level.
    """
    rows, rng = list(models.values()), np.random.default_rng(bootstrap.seed)
    joint = resample(rows, metrics=metrics, resamples=bootstrap.resamples, rng=rng)
    alone = resample_each_stratum(rows, metrics=metrics, rng=rng)
    differences: list[Difference] = []
    for metric in metrics:
        tests = {}
        for (i, a), (j, b) in itertools.combinations(enumerate(models), 2):
            resampled, *by_stratum = (part[i][metric.name] - part[j][metric.name] for part in (joint, *alone))
            tests[a, b] = _test(
                rows[i], rows[j], metric=metric, resampled=resampled, by_stratum=by_stratum,
                confidence=bootstrap.confidence,
            )  # fmt: skip
        adjusted = holm([test.p for test in tests.values()])
        differences += [
            Difference(*pair, metric.name, test, p) for (pair, test), p in zip(tests.items(), adjusted, strict=True)
        ]
    return differences


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted by Holm's step-down procedure; NaN stays NaN and is not counted."""
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full_like(values, np.nan)
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known])]
    steps = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in adjusted]


def _aligned(tables: Mapping[str, pd.DataFrame], *, unit: str) -> dict[str, pd.DataFrame]:
    """All tables in the row order of the first, after checking that rows, labels and units are the same."""
    (first, reference), *others = tables.items()
    aligned = {first: reference}
    for name, table in others:
        for here, there, whose in ((reference, table, name), (table, reference, first)):
            missing = here.loc[~here["image_id"].isin(there["image_id"]), "image_id"].astype(str).tolist()
            if missing:
                shown = ", ".join(missing[:3])
                raise RunFolderError(f"{whose!r} lacks {len(missing)} labelled rows, such as {shown}")
        same = table.set_index("image_id").loc[reference["image_id"]].reset_index()
        differing = (same["label"] != reference["label"]) | (
            resampling_units(same, unit=unit) != resampling_units(reference, unit=unit)
        )
        if differing.any():
            frame = reference.loc[differing, "image_id"].iloc[0]
            raise RunFolderError(f"{first!r} and {name!r} disagree on the label or {unit} of {frame}")
        aligned[name] = same
    return aligned


def _test(
    first: GroupedRows,
    second: GroupedRows,
    *,
    metric: Metric,
    resampled: FloatArray,
    by_stratum: Sequence[FloatArray],
    confidence: float,
) -> PairedTest:
    difference = float(metric(first.rows) - metric(second.rows))
    reason = metric.reason(first.rows) or metric.reason(second.rows)
    if reason:
        return PairedTest(reason=reason)
    if first.grouping.smallest_stratum < 2:
        return PairedTest(difference, reason="no limits: fewer than two groups of a class")
    if np.isnan(resampled).mean() > MAX_UNDEFINED:
        return PairedTest(difference, reason="no limits: undefined in too many resamples")
    error = standard_deviation(resampled)
    if not error > 1e-12:
        return PairedTest(difference, reason="no limits: every resample gave the same difference")
    # The rows predicted positive differ between the two: count groups by class instead.
    counted = replace(metric, over="all") if metric.over.startswith("predicted") else metric
    freedom = degrees_of_freedom(counted, first, by_stratum=by_stratum)
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    p = 2 * float(stats.t.sf(abs(difference) / error, freedom))
    return PairedTest(difference, difference - reach, difference + reach, p)
