"""Section "Exams": the frames of a clip or patient as one prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.reporting.page.blocks import Block, Notice, Prose, Section, Table
from sonoproof.reporting.page.evidence import Evidence
from sonoproof.reporting.sections.performance import evaluation_source
from sonoproof.reporting.wording.tables import PART_NAMES, format_interval
from sonoproof.reporting.wording.text import format_count

__all__ = ["exams_section"]

_SHOWN = ("auc", "recall", "specificity", "precision", "npv", "accuracy", "brier")
_HOW = {
    "mean_logit": "the mean of the frames' calibrated logits",
    "mean_probability": "the mean of the frames' probabilities",
    "max": "the frame most likely positive",
    "vote": "the share of frames called positive",
}


def exams_section(evidence: Evidence) -> Section:
    """Metrics by exam, a table for each column that names exams."""
    columns = list(dict.fromkeys(by for part in evidence.evaluated for by in part.evaluation.get("exams") or {}))
    blocks = [block for column in columns for block in _by(column, evidence)]
    if not blocks:
        return Section("exams", "Exams", (Notice("No column of the sheet names exams: only frames were measured."),))
    return Section("exams", "Exams", tuple(blocks))


def _by(column: str, evidence: Evidence) -> list[Block]:
    found = {
        part.name: part.evaluation["exams"][column]
        for part in evidence.evaluated
        if column in (part.evaluation.get("exams") or {})
    }
    reasons = [
        f"{PART_NAMES[name]}, by {column}: {facts['reason']}." for name, facts in found.items() if "reason" in facts
    ]
    measured = {name: facts for name, facts in found.items() if "reason" not in facts}
    blocks: list[Block] = [Notice(reason) for reason in reasons]
    return [*_measured(column, measured, evidence), *blocks] if measured else blocks


def _measured(column: str, measured: Mapping[str, Mapping[str, Any]], evidence: Evidence) -> list[Block]:
    how = _HOW.get(str(next(iter(measured.values()))["how"]), "")
    prose = (
        f"Frames with one value of “{column}” form an exam. Its score is {how}; it is called at the threshold of the "
        "frames. That threshold was not chosen for exams, and the probability of an exam was not calibrated anew."
    )
    counts = [f"{format_count(facts['n'])} ({format_count(facts['n_positive'])})" for facts in measured.values()]
    rows = [
        (METRICS[name].label, *(format_interval(facts.get(name)) for facts in measured.values())) for name in _SHOWN
    ]
    parts = [part for part in evidence.evaluated if part.name in measured]
    table = Table(
        f"By {column}.",
        ("Metric", *(PART_NAMES[name] for name in measured)),
        (("Exams (of the positive class)", *counts), *rows),
        sources=(*(evaluation_source(part) for part in parts), *(facts["file"] for facts in measured.values())),
        numeric=True,
    )
    return [Prose(prose), table]
