"""Section "Exams": the frames of a clip or patient as one prediction."""

from __future__ import annotations

from collections.abc import Iterator

from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.reporting.page.blocks import Block, Notice, Prose, Section, Table
from sonoproof.reporting.page.runfiles import RunFiles
from sonoproof.reporting.wording.tables import format_interval
from sonoproof.reporting.wording.text import format_count

_SHOWN = ("auc", "recall", "specificity", "precision", "npv", "accuracy", "brier")
_SCORES = {
    "mean_logit": "the mean of the frames' calibrated logits",
    "mean_probability": "the mean of the frames' probabilities",
    "max": "the highest probability of a frame",
    "vote": "the share of frames called positive",
}


def exams_section(files: RunFiles) -> Section:
    """Metrics by exam, a table for each column that identifies exams."""
    columns = dict.fromkeys(by for part in files.evaluated for by in part.evaluation.get("exams") or {})
    blocks = [block for column in columns for block in _by(column, files)]
    missing = Notice("No column of the sheet identifies exams: only single frames were evaluated.")
    return Section("exams", "Exams", tuple(blocks or [missing]))


def _by(column: str, files: RunFiles) -> Iterator[Block]:
    found = [
        (part, part.evaluation["exams"][column])
        for part in files.evaluated
        if column in (part.evaluation.get("exams") or {})
    ]
    measured = [(part, exams) for part, exams in found if "reason" not in exams]
    if measured:
        score = _SCORES.get(str(measured[0][1]["how"]), "")
        yield Prose(
            f"All frames with the same “{column}” form one exam. Its score is {score}; the frames' threshold applies "
            "to it. That threshold was not chosen for exams, and their probability was not calibrated separately."
        )
        counts = [f"{format_count(exams['n'])} ({format_count(exams['n_positive'])})" for _, exams in measured]
        rows = [(METRICS[name].label, *(format_interval(exams.get(name)) for _, exams in measured)) for name in _SHOWN]
        yield Table(
            f"By {column}.",
            ("Metric", *(part.title for part, _ in measured)),
            (("Exams (positive class)", *counts), *rows),
            sources=(*(part.evaluation_file for part, _ in measured), *(exams["file"] for _, exams in measured)),
            numeric=True,
        )
    for part, exams in found:
        if "reason" in exams:
            yield Notice(f"{part.title}, by {column}: {exams['reason']}.")
