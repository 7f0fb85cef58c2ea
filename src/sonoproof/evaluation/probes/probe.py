"""The parts of the audit that need cross-validation: shortcuts, naive against honest splits, label noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from sonoproof.classes import Classes
from sonoproof.data.audit.findings import Finding
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.evaluation.probes.honesty import SplitComparison, compare_splits, gap_finding
from sonoproof.evaluation.probes.label_noise import LabelDoubts, doubts_finding, rank_label_doubts, reviewed_rows
from sonoproof.evaluation.probes.models import probe_findings, probe_inputs, run_probes
from sonoproof.groups import groups_of_rarer_class
from sonoproof.types import Float32Array

DOUBT_COLUMNS: Final = ("image_id", "reference", "path", "group", "label", "suggestion", "doubt", "why")

REVIEW_WORKBOOK: Final = "audit/label_review.xlsx"
"""Where the workbook for the clinician is in the run folder."""

RESAMPLES: Final = 1000


@dataclass(frozen=True)
class ProbeOutcome:
    """What the cross-validated part of the audit found.

    Attributes:
        findings: The findings.
        summary: Entries for the summary of ``audit.json``.
        doubts: Every labelled row of the sheet by falling doubt, `DOUBT_COLUMNS`; empty if there are too few groups.
        review: How many of them a clinician should look at.
    """

    findings: tuple[Finding, ...]
    summary: Mapping[str, Any]
    doubts: pd.DataFrame
    review: int


def probe_cohort(
    records: pd.DataFrame,
    *,
    measures: pd.DataFrame,
    features: Float32Array,
    classes: Classes,
    features_are: str = "frozen features",
    bootstrap: Bootstrap = Bootstrap(resamples=RESAMPLES),  # noqa: B008 - frozen
) -> ProbeOutcome:
    """Probe for shortcuts, compare the splits and rank the labels.

    Args:
        records: Rows with ``image_id``, ``origin``, ``label``, ``group`` and the facts of the files; only labelled
            rows of the sheet are used.
        measures: Measures of the frames (``audit/frames.csv``), with ``image_id``.
        features: Frozen features in the order of `records`, (N, D) float32.
        classes: The two classes.
        features_are: What the features are, in words that follow "on".
        bootstrap: Level and resamples of the intervals; its seed is also that of the folds and forests.
    """
    used = ((records["origin"] == "sheet") & records["label"].isin(classes.names)).to_numpy()
    rows = records[used].reset_index(drop=True)
    targets = (rows["label"] == classes.positive).to_numpy()
    groups = rows["group"].to_numpy(dtype=str)
    seen = measures.set_index("image_id").loc[rows["image_id"]].reset_index()
    probes = probe_inputs(rows, measures=seen)
    findings = probe_findings(run_probes(probes, targets=targets, groups=groups, bootstrap=bootstrap))
    if groups_of_rarer_class(groups, targets=targets) < 2:
        return ProbeOutcome(tuple(findings), {}, pd.DataFrame(columns=list(DOUBT_COLUMNS)), 0)
    comparison = compare_splits(features[used], targets=targets, groups=groups, bootstrap=bootstrap)
    doubts = rank_label_doubts(comparison.logits, targets=targets, groups=groups)
    findings += [gap_finding(comparison, features_are=features_are), doubts_finding(doubts, workbook=REVIEW_WORKBOOK)]
    table = _doubts_table(rows, doubts, classes=classes)
    return ProbeOutcome(tuple(findings), _summary(comparison, doubts, features_are), table, reviewed_rows(len(rows)))


def _summary(comparison: SplitComparison, doubts: LabelDoubts, features_are: str) -> dict[str, Any]:
    gap = comparison.to_dict(features_are=features_are)
    return {"honest_against_naive": gap, "labels_suspected": doubts.n_suspected}


def _doubts_table(rows: pd.DataFrame, doubts: LabelDoubts, *, classes: Classes) -> pd.DataFrame:
    other = np.where(rows["label"] == classes.positive, classes.negative, classes.positive)
    table = pd.DataFrame(
        {
            "image_id": rows["image_id"],
            "reference": rows.get("reference", rows["image_id"]),
            "path": rows["path"],
            "group": rows["group"],
            "label": rows["label"],
            "suggestion": np.where(doubts.doubt > 0.5, other, rows["label"]),
            "doubt": doubts.doubt.round(4),
            "why": [_why(model, group) for model, group in zip(doubts.by_model, doubts.by_group, strict=True)],
        }
    )
    return table.iloc[doubts.order].reset_index(drop=True)


def _why(by_model: float, by_group: float) -> str:
    model = f"the model gives the other class a probability of {100 * by_model:.0f} %"
    if np.isnan(by_group):
        return model
    return f"{model}; {100 * by_group:.0f} % of the rest of its group has the other label"
