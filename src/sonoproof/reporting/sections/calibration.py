"""Section "Calibration": whether a probability of 0.8 means eight in ten, before and after it was calibrated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sonoproof.reporting.figures import decision_figures as figures
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.page.blocks import Block, Gallery, Notice, Picture, Prose, Section, Table
from sonoproof.reporting.page.evidence import Evidence, PartEvidence
from sonoproof.reporting.sections.performance import evaluation_source
from sonoproof.reporting.wording.tables import PART_NAMES, format_interval
from sonoproof.reporting.wording.text import format_number

__all__ = ["calibration_section", "reliability_bins"]

# The measures of calibration, with what each would be if the probabilities were right.
_MEASURES = (
    ("brier", "Brier score", "lower is better"),
    ("loss", "Log loss", "lower is better"),
    ("calibration_error", "Expected calibration error", "0"),
    ("slope", "Slope", "1; below 1 is overconfident"),
    ("intercept", "Intercept", "0"),
    ("in_the_large", "Calibration in the large", "0; above 0 too few are called positive"),
)


def calibration_section(evidence: Evidence, easel: FigureWriter) -> Section:
    """How it was calibrated, the measures of every part, and their reliability diagrams."""
    pictures = [picture for part in evidence.evaluated for picture in _reliability(part, evidence, easel)]
    if not pictures:
        missing = "No calibration was computed: the run holds no reliability curve."
        return Section("calibration", "Calibration", (Notice(missing),))
    blocks: list[Block] = [Prose(_how_calibrated(evidence.model))]
    blocks += [_measures(part) for part in evidence.evaluated if part.evaluation.get("calibration")]
    return Section("calibration", "Calibration", (*blocks, Gallery(tuple(pictures))))


def _how_calibrated(model: Mapping[str, Any]) -> str:
    calibration = model.get("calibration") or {}
    method, chosen_on = calibration.get("method", "none"), calibration.get("chosen_on", "not said")
    if method == "none":
        return f"The probabilities are the network's own ({chosen_on})."
    groups = f"{chosen_on}; {calibration.get('n', 0):,} frames of {calibration.get('n_groups', 0):,} groups"
    if method != "temperature":
        return f"The probabilities were calibrated by {method} scaling, fitted on: {groups}."
    limits = {"value": 1 / calibration["slope"], "low": calibration.get("low"), "high": calibration.get("high")}
    return (
        f"The network's logits were divided by a temperature of {format_interval(limits)}, fitted on: {groups}. "
        "A temperature above 1 tempers an overconfident network. It changes no ranking."
    )


def _measures(part: PartEvidence) -> Table:
    after, before = part.evaluation["calibration"], part.evaluation.get("calibration_before")
    columns = [after] if before is None else [before, after]
    rows = [(name, *(format_interval(column.get(key)) for column in columns), ideal) for key, name, ideal in _MEASURES]
    headings = ("As reported",) if before is None else ("The network's own", "Calibrated")
    return Table(
        f"{PART_NAMES[part.name]}: calibration.",
        ("Measure", *headings, "If right"),
        tuple(rows),
        sources=(evaluation_source(part),),
        numeric=True,
        note=f"The calibration error is over {after.get('bins', 10)} equally wide bins. Chance alone lifts it above 0; "
        "its limits allow for that, so that the upper one may lie at the value itself.",
    )


def _reliability(part: PartEvidence, evidence: Evidence, easel: FigureWriter) -> list[Picture]:
    bins = reliability_bins(part.curves.get("reliability") or {})
    if not bins:
        return []
    before = reliability_bins(part.curves.get("reliability_before") or {})
    figure = figures.reliability_diagram(bins, before=before, positive_class=evidence.class_names[1])
    brier = format_interval(part.evaluation.get("brier"))
    caption = f"{PART_NAMES[part.name]}: observed share over predicted probability. Brier score {brier}."
    if before:
        caption += " Dashed: before calibration."
    words = "; ".join(
        f"predicted {format_number(bin_.mean, decimals=2)}, observed {format_number(bin_.observed, decimals=2)}, "
        f"{bin_.count} rows"
        for bin_ in bins
    )
    return [
        easel.vector(
            figure,
            name=f"{part.name}-reliability",
            caption=caption,
            alt=f"{caption} By bin: {words}.",
            sources=(evaluation_source(part), f"evaluation/{part.name}_curves.json"),
        )
    ]


def reliability_bins(reliability: Mapping[str, Any]) -> list[figures.Bin]:
    """The bins of ``PART_curves.json`` that hold rows."""
    edges = reliability.get("edges") or []
    columns = (reliability.get(key) or [] for key in ("mean_probability", "share_positive", "n"))
    bins = zip(edges[:-1], edges[1:], *columns, strict=True)
    return [figures.Bin(low, high, mean, share, int(n)) for low, high, mean, share, n in bins if n]
