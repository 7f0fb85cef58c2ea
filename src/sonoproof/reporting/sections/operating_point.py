"""Section "Operating point": from where a frame is called positive, what that is worth, and when nothing is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sonoproof.reporting.figures import decision_figures as figures
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.page.blocks import Block, Gallery, Notice, Picture, Prose, Section, Table
from sonoproof.reporting.page.evidence import Evidence, PartEvidence
from sonoproof.reporting.sections.performance import evaluation_source
from sonoproof.reporting.wording.tables import PART_NAMES, format_interval
from sonoproof.reporting.wording.text import format_number
from sonoproof.wording import counted

__all__ = ["operating_point_section"]

_POLICIES = {
    "fixed": "set before training",
    "youden": "the greatest sum of sensitivity and specificity (Youden)",
    "sensitivity": "a sensitivity of at least {target}",
    "specificity": "a specificity of at least {target}",
    "cost": "the lowest expected cost of errors",
}
_ANSWERS = (
    ("answered", "Answered"),
    ("wrong_answers", "Answered wrongly, of all frames"),
    ("wrong_among_answered", "Wrong, of those answered"),
    ("wrong_among_not_sure", "Would have been wrong, of those not answered"),
)


def operating_point_section(evidence: Evidence, easel: FigureWriter) -> Section:
    """The threshold and its policy, predictive values, net benefit, and abstention."""
    blocks: list[Block] = [Prose(_threshold(evidence.model, positive=evidence.class_names[1]))]
    if not evidence.evaluated:
        blocks.append(Notice("Nothing was evaluated: what the operating point is worth is not known."))
    else:
        blocks.append(_worth(evidence))
    pictures = [picture for part in evidence.evaluated for picture in _net_benefit(part, evidence, easel)]
    if pictures:
        blocks += [Gallery(tuple(pictures), title="Net benefit"), Prose(_NET_BENEFIT)]
    return Section("operating-point", "Operating point", (*blocks, *_abstention(evidence)))


_NET_BENEFIT = (
    "Net benefit counts true positives a frame, less false positives weighed by the odds of the threshold (Vickers and "
    "Elkin 2006). Where the model's curve lies above both others, calling by the model does more good than calling "
    "every frame or none. The band is the pointwise interval."
)


def _threshold(model: Mapping[str, Any], *, positive: str) -> str:
    point = model.get("operating_point") or {}
    policy = str(point.get("policy", "fixed"))
    words = _POLICIES.get(policy, policy).format(target=format_number(point.get("target"), decimals=2))
    threshold = {"value": point.get("threshold", 0.5), "low": point.get("low"), "high": point.get("high")}
    said = f"A frame is called “{positive}” from a probability of "
    if policy == "fixed":
        return f"{said}{format_number(threshold['value'])} on ({point.get('chosen_on', words)})."
    return (
        f"{said}{format_interval(threshold)} on: {words}. It was chosen on: {point.get('chosen_on', 'not said')}; "
        f"{point.get('n', 0):,} frames of {counted(int(point.get('n_groups', 0)), 'group')}. In brackets: how far "
        "the choice moves when these groups are resampled."
    )


def _worth(evidence: Evidence) -> Table:
    parts = evidence.evaluated
    stated = next((p.evaluation["predictive_values"] for p in parts if p.evaluation.get("predictive_values")), None)
    rows = [
        ("Threshold", *(_thresholds(part.evaluation) for part in parts)),
        *((name, *(format_interval(part.evaluation.get(key)) for part in parts)) for key, name in _RATES),
        ("Prevalence in these frames", *(_prevalence(part.evaluation) for part in parts)),
    ]
    if stated is not None:
        where = f"at a prevalence of {stated['prevalence']:.1%}"
        rows += [
            (f"{name} {where}", *(format_interval((part.evaluation.get("predictive_values") or {}).get(key))
                                  for part in parts))
            for key, name in (("ppv", "Positive predictive value"), ("npv", "Negative predictive value"))
        ]  # fmt: skip
    note = (
        ""
        if stated
        else "Predictive values hold for the prevalence of these frames; evaluate.prevalence states another."
    )
    return Table(
        "At the operating point.",
        ("", *(PART_NAMES[part.name] for part in parts)),
        tuple(rows),
        sources=tuple(evaluation_source(part) for part in parts),
        numeric=True,
        note=note,
    )


_RATES = (
    ("recall", "Sensitivity"),
    ("specificity", "Specificity"),
    ("precision", "Positive predictive value"),
    ("npv", "Negative predictive value"),
)


def _thresholds(evaluation: Mapping[str, Any]) -> str:
    each = evaluation.get("thresholds")
    if not each:
        return format_number(evaluation.get("threshold"))
    return f"{format_number(min(each))} to {format_number(max(each))}, by fold"


def _prevalence(evaluation: Mapping[str, Any]) -> str:
    return f"{evaluation['n_positive'] / evaluation['n']:.1%}" if evaluation.get("n") else "–"


def _net_benefit(part: PartEvidence, evidence: Evidence, easel: FigureWriter) -> list[Picture]:
    curve = part.curves.get("decision_curve")
    if not curve:
        return []
    columns = {
        key: np.array([np.nan if value is None else value for value in curve[key]], dtype=np.float64)
        for key in ("thresholds", "model", "low", "high", "treat_all")
    }
    threshold = float(part.evaluation.get("threshold", 0.5))
    figure = figures.decision_curve(**columns, operating_threshold=threshold, positive_class=evidence.class_names[1])
    better = columns["thresholds"][columns["low"] > np.maximum(columns["treat_all"], 0)]
    span = (
        f"The lower limit lies above both others at thresholds from {better.min():.2f} to {better.max():.2f}"
        if len(better)
        else "At no threshold does the lower limit lie above both others"
    )
    caption = f"{PART_NAMES[part.name]}: net benefit at each threshold, against calling every frame or none. {span}."
    return [
        easel.vector(
            figure,
            name=f"{part.name}-net-benefit",
            caption=caption,
            alt=caption,
            sources=(f"evaluation/{part.name}_curves.json",),
        )
    ]


def _abstention(evidence: Evidence) -> list[Block]:
    abstention = evidence.model.get("abstention") or {}
    parts = [part for part in evidence.evaluated if part.evaluation.get("answers")]
    if not abstention:
        return []
    if not abstention.get("error"):
        return [Prose(f"The model answers every frame ({abstention.get('chosen_on', 'not said')}).")]
    prose = (
        f"The model may say that it is not sure. Promised: {abstention['guarantee']}. Chosen on: "
        f"{abstention['chosen_on']}; {abstention['n']:,} frames of {counted(int(abstention['n_groups']), 'group')}."
    )
    rows = [(name, *(format_interval(part.evaluation["answers"].get(key)) for part in parts)) for key, name in _ANSWERS]
    unlike = [str(part.evaluation["answers"]["unanswered"].get("unlike the training frames", 0)) for part in parts]
    table = Table(
        "When the model may say that it is not sure.",
        ("Share of frames", *(PART_NAMES[part.name] for part in parts)),
        (*rows, ("Frames called unlike the training frames", *unlike)),
        sources=tuple(evaluation_source(part) for part in parts),
        numeric=True,
    )
    return [Prose(prose), *([table] if parts else [])]
