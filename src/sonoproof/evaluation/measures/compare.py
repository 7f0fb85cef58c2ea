"""Two or more sets of predictions on the same rows: is one better, by how much, and how sure is that?

Every resample of groups is given to all of them, so that what they share cancels.

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
from sonoproof.evaluation.intervals.intervals import (
    MAX_UNDEFINED,
    STRATUM_RESAMPLES,
    degrees_of_freedom,
    standard_deviation,
)
from sonoproof.evaluation.intervals.resampling import GroupedRows, Grouping, chunk_sizes
from sonoproof.evaluation.metrics.metrics import METRICS, Metric
from sonoproof.evaluation.scores.labelled import labelled_rows, scored, thresholds_of, units_of

__all__ = ["Comparison", "Difference", "compare", "holm", "paired_differences"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """First less second in one metric.

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
    """What the predictions' difference is.

    Attributes:
        n: Number of rows.
        unit: What was resampled.
        n_units: How many of them.
        positive_class: The class that the metrics are of.
        differences: Every pair in every metric.
        delong: DeLong's test of the AUC of each pair, where rows are independent.
        why_no_delong: Why there is none, else empty.
        adjustment: What p was adjusted for, in words.
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
    thresholds: Mapping[str, float] | None = None,
    metrics: Mapping[str, Metric] = METRICS,
) -> Comparison:
    """Compare prediction tables of the same labelled rows.

    Args:
        tables: Name to prediction table, two or more.
        classes: The class names.
        config: Threshold, level, resamples and seed.
        unit: Column whose values are resampled, see `units_of`.
        thresholds: Threshold of a table where it is not that of its rows, or of `config` where they have none.
        metrics: What to compare.

    Raises:
        RunFolderError: A table cannot be evaluated, or rows, labels or units differ between the tables.
    """
    if len(tables) < 2:
        raise ValueError("two or more prediction tables are needed")
    aligned = _aligned({name: labelled_rows(table, classes=classes) for name, table in tables.items()}, unit=unit)
    cuts = {
        name: (thresholds or {}).get(name, thresholds_of(table, otherwise=config.threshold))
        for name, table in aligned.items()
    }
    rows = {name: scored(table, classes=classes, threshold=cuts[name]) for name, table in aligned.items()}
    first = next(iter(aligned))
    units = units_of(aligned[first], unit=unit)
    grouping = Grouping.of(units, targets=rows[first].targets, stratified=config.stratified)
    models = {name: GroupedRows(scores, grouping) for name, scores in rows.items()}
    pairs = list(itertools.combinations(models, 2))
    independent = grouping.independent
    return Comparison(
        n=rows[first].n,
        unit=unit,
        n_units=grouping.n_groups,
        positive_class=classes.positive,
        differences=tuple(paired_differences(models, metrics=list(metrics.values()), config=config)),
        delong={(a, b): delong_test(rows[a], second=rows[b], confidence=config.confidence) for a, b in pairs}
        if independent
        else {},
        why_no_delong="" if independent else f"{rows[first].n} rows come from {grouping.n_groups} units",
        adjustment=f"Holm over the {len(pairs)} pairs of each metric; metrics are not adjusted for each other",
    )


def paired_differences(
    models: Mapping[str, GroupedRows], *, metrics: Sequence[Metric], config: EvaluateConfig
) -> list[Difference]:
    """Difference of every pair in each metric by the paired cluster bootstrap, adjusted over the pairs.

    The limits are d ± t s, with s the standard deviation of the resampled differences and t of Student with the
    degrees of freedom of `degrees_of_freedom`.

    Args:
        models: Name to rows; all with one grouping and the same targets.
        metrics: What to compare.
        config: Level, resamples and seed.
    """
    grouping = next(iter(models.values())).grouping
    rng = np.random.default_rng(config.effective_seed)
    joint = _resampled(models, metrics=metrics, resamples=config.resamples, rng=rng)
    alone = [
        _resampled(models, metrics=metrics, resamples=STRATUM_RESAMPLES, rng=rng, only=stratum)
        for stratum in range(len(grouping.strata))
    ]
    differences: list[Difference] = []
    for metric in metrics:
        of_metric = []
        for a, b in itertools.combinations(models, 2):
            drawn, *by_stratum = (part[a][metric.name] - part[b][metric.name] for part in (joint, *alone))
            test = _test(models[a], models[b], metric=metric, drawn=drawn, by_stratum=by_stratum, config=config)
            of_metric.append(Difference(a, b, metric.name, test, test.p))
        differences.extend(_adjusted(of_metric))
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
                raise RunFolderError(f"{whose!r} lacks {len(missing)} labelled rows, among them {shown}")
        same = table.set_index("image_id").loc[reference["image_id"]].reset_index()
        differing = (same["label"] != reference["label"]) | (
            units_of(same, unit=unit) != units_of(reference, unit=unit)
        )
        if differing.any():
            frame = reference.loc[differing, "image_id"].iloc[0]
            raise RunFolderError(f"{first!r} and {name!r} disagree on the label or {unit} of {frame}")
        aligned[name] = same
    return aligned


def _resampled(
    models: Mapping[str, GroupedRows],
    *,
    metrics: Sequence[Metric],
    resamples: int,
    rng: np.random.Generator,
    only: int | None = None,
) -> dict[str, dict[str, FloatArray]]:
    """Model to metric to values, shape (R,), under the same resamples."""
    grouping = next(iter(models.values())).grouping
    rngs = rng.spawn(len(grouping.strata))
    parts: dict[str, list[dict[str, FloatArray]]] = {name: [] for name in models}
    for size in chunk_sizes(resamples, width=len(grouping.group_of_row)):
        weights = grouping.draw(size, rngs=rngs, only=only)
        for name, model in models.items():
            parts[name].append(model.evaluate(metrics, weights=weights))
    return {
        name: {metric.name: np.concatenate([part[metric.name] for part in chunks]) for metric in metrics}
        for name, chunks in parts.items()
    }


def _test(
    first: GroupedRows,
    second: GroupedRows,
    *,
    metric: Metric,
    drawn: FloatArray,
    by_stratum: Sequence[FloatArray],
    config: EvaluateConfig,
) -> PairedTest:
    nan = float("nan")
    difference = float(metric(first.rows) - metric(second.rows))
    reason = metric.reason(first.rows) or metric.reason(second.rows)
    if reason:
        return PairedTest(nan, nan, nan, nan, reason)
    if min(len(members) for members in first.grouping.strata) < 2:
        return PairedTest(difference, nan, nan, nan, "no limits: fewer than two groups of a class")
    if np.isnan(drawn).mean() > MAX_UNDEFINED:
        return PairedTest(difference, nan, nan, nan, "no limits: too many resamples left it undefined")
    error = standard_deviation(drawn)
    if not error > 1e-12:
        return PairedTest(difference, nan, nan, nan, "no limits: every resample gave the same difference")
    variances = np.array([standard_deviation(part) ** 2 for part in by_stratum])
    # The called rows differ between the two: count groups by class instead.
    counted = replace(metric, over="all") if metric.over.startswith("called") else metric
    freedom = degrees_of_freedom(counted, first, variance_by_stratum=variances)
    reach = float(stats.t.ppf((1 + config.confidence) / 2, freedom)) * error
    p = 2 * float(stats.t.sf(abs(difference) / error, freedom))
    return PairedTest(difference, difference - reach, difference + reach, p)


def _adjusted(differences: Sequence[Difference]) -> list[Difference]:
    adjusted = holm([difference.test.p for difference in differences])
    return [replace(difference, p_holm=p) for difference, p in zip(differences, adjusted, strict=True)]
