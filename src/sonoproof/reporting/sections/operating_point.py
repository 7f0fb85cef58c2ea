"""Section "Operating point": when a frame is called positive, what that is worth, and when the model declines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sonoproof.reporting.figures.decision_figures import decision_curve
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.page.blocks import Block, Gallery, Notice, Picture, Prose, Section, Table
from sonoproof.reporting.page.runfiles import PartFiles, RunFiles
from sonoproof.reporting.wording.tables import format_interval
from sonoproof.reporting.wording.text import format_number
from sonoproof.training.verdict import NOT_SURE
from sonoproof.types import Json
from sonoproof.wording import counted

_POLICIES = {
    "fixed": "set before training",
    "youden": "the greatest sum of sensitivity and specificity (Youden)",
    "sensitivity": "a sensitivity of at least {target}",
    "specificity": "a specificity of at least {target}",
    "cost": "the lowest expected cost of errors",
}
_RATES = (
    ("recall", "Sensitivity"),
    ("specificity", "Specificity"),
    ("precision", "Positive predictive value"),
    ("npv", "Negative predictive value"),
)
_ANSWERS = (
    ("answered", "Answered"),
    ("wrong_answers", "Wrong answers, of all frames"),
    ("wrong_among_answered", "Wrong answers, of answered frames"),
    ("wrong_among_not_sure", "Would have been wrong, of frames not answered"),
)
_NET_BENEFIT = (
    "Net benefit is the number of true positives per frame, minus false positives weighted by the odds of the "
    "threshold (Vickers and Elkin 2006). Where the model's curve is above the other two, using the model does more "
    "good than calling every frame positive, or none. The band is the pointwise interval."
)


def operating_point_section(files: RunFiles, writer: FigureWriter) -> Section:
    """The threshold and its policy, predictive values, net benefit, and abstention."""
    blocks: list[Block] = [Prose(_threshold(files.model, positive=files.class_names[1]))]
    if files.evaluated:
        blocks.append(_worth(files.evaluated))
    else:
        blocks.append(Notice("Nothing was evaluated: what the operating point is worth is unknown."))
    pictures = [picture for part in files.evaluated for picture in _net_benefit(part, files, writer)]
    if pictures:
        blocks += [Gallery(tuple(pictures), title="Net benefit"), Prose(_NET_BENEFIT)]
    return Section("operating-point", "Operating point", (*blocks, *_abstention(files)))


def _threshold(model: Json, *, positive: str) -> str:
    point = model.get("operating_point") or {}
    policy = str(point.get("policy", "fixed"))
    words = _POLICIES.get(policy, policy).format(target=format_number(point.get("target"), decimals=2))
    threshold = {"value": point.get("threshold", 0.5), "low": point.get("low"), "high": point.get("high")}
    called = f"A frame is called “{positive}” if its probability is at least "
    if policy == "fixed":
        return f"{called}{format_number(threshold['value'])} ({point.get('chosen_on', words)})."
    frames = f"{point.get('n', 0):,} frames of {counted(int(point.get('n_groups', 0)), 'group')}"
    return (
        f"{called}{format_interval(threshold)}: {words}. It was chosen on {frames}: "
        f"{point.get('chosen_on', 'not recorded')}. In brackets: how far the choice moves when these groups are "
        "resampled."
    )


def _worth(parts: tuple[PartFiles, ...]) -> Table:
    values = [part.evaluation.get("predictive_values") or {} for part in parts]
    rows = [
        ("Threshold", *(_thresholds(part.evaluation) for part in parts)),
        *((name, *(format_interval(part.evaluation.get(key)) for part in parts)) for key, name in _RATES),
        ("Prevalence in these frames", *(_prevalence(part.evaluation) for part in parts)),
    ]
    prevalence = next((value["prevalence"] for value in values if value), None)
    if prevalence is not None:
        for key, name in (("ppv", "Positive predictive value"), ("npv", "Negative predictive value")):
            cells = [format_interval(value.get(key)) for value in values]
            rows.append((f"{name} at a prevalence of {prevalence:.1%}", *cells))
    note = "Predictive values hold for the prevalence of these frames; set evaluate.prevalence to see them for another."
    return Table(
        "At the operating point.",
        ("", *(part.title for part in parts)),
        tuple(rows),
        sources=tuple(part.evaluation_file for part in parts),
        numeric=True,
        note=note if prevalence is None else "",
    )


def _thresholds(evaluation: Json) -> str:
    each = evaluation.get("thresholds")
    if not each:
        return format_number(evaluation.get("threshold"))
    return f"{format_number(min(each))} to {format_number(max(each))}, by fold"


def _prevalence(evaluation: Json) -> str:
    return f"{evaluation['n_positive'] / evaluation['n']:.1%}" if evaluation.get("n") else "–"


def _net_benefit(part: PartFiles, files: RunFiles, writer: FigureWriter) -> list[Picture]:
    curve = part.curves.get("decision_curve")
    if not curve:
        return []
    columns = {
        key: np.array([np.nan if value is None else value for value in curve[key]], dtype=np.float64)
        for key in ("thresholds", "model", "low", "high", "treat_all")
    }
    threshold = float(part.evaluation.get("threshold", 0.5))
    figure = decision_curve(**columns, operating_threshold=threshold, positive_class=files.class_names[1])
    better = columns["thresholds"][columns["low"] > np.maximum(columns["treat_all"], 0)]
    span = (
        f"The lower limit is above both at thresholds from {better.min():.2f} to {better.max():.2f}"
        if len(better)
        else "At no threshold is the lower limit above both"
    )
    caption = (
        f"{part.title}: net benefit at each threshold, compared with calling every frame positive, or none. {span}."
    )
    return [writer.vector(figure, name=f"{part.name}-net-benefit", caption=caption, sources=(part.curves_file,))]


def _abstention(files: RunFiles) -> Iterator[Block]:
    abstention = files.model.get("abstention") or {}
    if not abstention:
        return
    if not abstention.get("error"):
        yield Prose(f"The model answers every frame ({abstention.get('chosen_on', 'not recorded')}).")
        return
    yield Prose(
        f"The model may answer that it is not sure. Guarantee: {abstention['guarantee']}. Chosen on: "
        f"{abstention['chosen_on']}; {abstention['n']:,} frames of {counted(int(abstention['n_groups']), 'group')}."
    )
    parts = [part for part in files.evaluated if part.evaluation.get("answers")]
    answers = [part.evaluation["answers"] for part in parts]
    rows = [(name, *(format_interval(found.get(key)) for found in answers)) for key, name in _ANSWERS]
    novel = [sum(count for why, count in found["unanswered"].items() if why != NOT_SURE) for found in answers]
    if parts:
        yield Table(
            "When the model may answer that it is not sure.",
            ("Share of frames", *(part.title for part in parts)),
            (*rows, ("Frames that do not resemble the training frames", *map(str, novel))),
            sources=tuple(part.evaluation_file for part in parts),
            numeric=True,
        )
