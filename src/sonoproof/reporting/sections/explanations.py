"""Sections "Explanations" and "Errors": what the model looked at, and where it was wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.page.blocks import Block, Gallery, Notice, Picture, Prose, Section, Table
from sonoproof.reporting.page.evidence import Evidence, PartEvidence
from sonoproof.reporting.sections.survey import SURVEY_WORDS, survey_blocks
from sonoproof.reporting.wording.captions import gate_method
from sonoproof.reporting.wording.tables import PART_NAMES
from sonoproof.reporting.wording.text import format_number
from sonoproof.wording import humanise

__all__ = ["errors_section", "explained_frames", "explanations_section", "worst_errors"]

ERRORS_SHOWN = 10
_HOW_TO_READ = (
    "Every figure explains one number: the logit of the class that was predicted. It shows the frame as the network "
    "receives it, the saliency map (where a small change would move the logit), the integrated gradients from each "
    "baseline (what moved it on the way from the baseline to the frame) and how the probability and its gradient "
    "run along that way. The completeness gap is the share of the logit that the map does not account for."
)


def explained_frames(part: PartEvidence, kind: str) -> list[Mapping[str, Any]]:
    """The explained frames of a part of one kind: ``top`` or ``error``."""
    return [frame for frame in part.explanations.get("frames") or [] if frame.get("kind") == kind]


def explanations_section(evidence: Evidence, easel: FigureWriter) -> Section:
    """Where the model looked over each part; then the frames that it is surest of, after the gate."""
    explained = [part for part in evidence.parts if part.explanations]
    blocks: list[Block] = [block for part in evidence.parts for block in survey_blocks(part, easel)]
    if blocks:
        blocks.insert(0, Prose(SURVEY_WORDS))
    blocks.append(Prose(_HOW_TO_READ) if explained else Notice("No frame was explained."))
    for part in explained:
        blocks += _gate(part)
        blocks += _gallery(part, "top", easel)
    return Section("explanations", "Explanations", tuple(blocks))


def errors_section(evidence: Evidence, easel: FigureWriter) -> Section:
    """The worst errors of each part: those that the model was surest of."""
    blocks: list[Block] = []
    for part in evidence.parts:
        errors = worst_errors(part.predictions)
        if errors is None:
            continue
        blocks.append(
            _error_table(part, errors, evidence) if len(errors) else Prose(f"{PART_NAMES[part.name]}: no error.")
        )
        blocks += _gallery(part, "error", easel)
    if not blocks:
        blocks.append(Notice("No labelled frame was predicted: there are no errors to show."))
    return Section("errors", "Worst errors", tuple(blocks))


def worst_errors(predictions: pd.DataFrame | None) -> pd.DataFrame | None:
    """The labelled rows called wrongly, the surest first; None where no row has a label."""
    if predictions is None:
        return None
    labelled = predictions[predictions["target"].notna()]
    if labelled.empty:
        return None
    wrong = labelled[labelled["predicted"] != labelled["label"]]
    missed = (wrong["target"] - wrong["probability"]).abs()
    return wrong.assign(missed=missed).sort_values(["missed", "image_id"], ascending=[False, True], kind="stable")


def _error_table(part: PartEvidence, errors: pd.DataFrame, evidence: Evidence) -> Table:
    rows = tuple(
        (
            str(row["image_id"]),
            str(row["group"]) or "–",
            str(row["label"]),
            str(row["predicted"]),
            format_number(row["probability"]),
        )
        for row in errors.head(ERRORS_SHOWN).to_dict("records")
    )
    header = ("Frame", "Group", "Label", "Predicted", f"Probability of {evidence.class_names[1]}")
    caption = f"{PART_NAMES[part.name]}: the {len(rows)} errors that the model was surest of, of {len(errors):,}."
    return Table(caption, header, rows, sources=(f"predictions/{part.name}.csv",))


def _gate(part: PartEvidence) -> list[Block]:
    name, gate = PART_NAMES[part.name], part.explanations.get("gate")
    if not isinstance(gate, Mapping):
        return [
            Notice(f"{name}: the trust gate was not run, so nothing says that these maps can be relied on.", "warning")
        ]
    gates = [gate, *(part.explanations.get("further_gates") or [])]
    return [block for entry in gates for block in _judged(part, entry)]


def _judged(part: PartEvidence, gate: Mapping[str, Any]) -> list[Block]:
    """The checks of one method, and a warning where it failed one."""
    name, method = PART_NAMES[part.name], gate_method(gate)
    checks = gate.get("checks") or []
    rows = tuple(
        (_check_name(check), "passed" if check.get("passed") else "FAILED", _details(check)) for check in checks
    )
    caption = f"{name}, trust gate: {method}."
    table = Table(caption, ("Check", "Result", "Detail"), rows, sources=(_source(part),))
    if all(check.get("passed") for check in checks):
        return [table]
    return [table, Notice(f"{name}: {method} FAILED the trust gate; do not rely on these maps.", "warning")]


def _check_name(check: Mapping[str, Any]) -> str:
    return str(check.get("name", "")).replace("_", " ").capitalize()


def _details(check: Mapping[str, Any]) -> str:
    """What was measured and where it would fail; the numbers behind it are in the file."""
    detail, value, threshold = (check.get(key) for key in ("detail", "value", "threshold"))
    if detail is None or threshold is None:
        return humanise({key: value for key, value in check.items() if key not in ("name", "passed", "series")})
    reached = check.get("passed") and value == threshold
    limit = f"passes {'at' if reached else check.get('passes', 'above')} {format_number(threshold)}"
    return f"{detail}: {format_number(value) if value is not None else 'not a number'} ({limit})"


def _gallery(part: PartEvidence, kind: str, easel: FigureWriter) -> list[Block]:
    pictures = tuple(_picture(part, frame, easel) for frame in explained_frames(part, kind))
    titles = {"top": "frames that the model is surest of", "error": "errors explained"}
    title = f"{PART_NAMES[part.name]}: {titles[kind]}"
    return [Gallery(pictures, wide=True, title=title)] if pictures else []


def _picture(part: PartEvidence, frame: Mapping[str, Any], easel: FigureWriter) -> Picture:
    folder = f"explanations/{part.name}"
    names = (("PNG at full resolution", "png"), ("PDF", "pdf"), ("arrays", "arrays"))
    links = [(name, f"{folder}/{frame[key]}") for name, key in names if frame.get(key)]
    if frame.get("png"):
        links.append(("caption", f"{folder}/{PurePosixPath(str(frame['png'])).stem}.txt"))
    caption = _caption(frame)
    return easel.photograph(
        f"{folder}/{frame.get('preview', '')}",
        caption=caption,
        alt=f"Frame, saliency map, integrated gradients and saturation curve. {caption}",
        sources=(_source(part),),
        links=tuple(links),
        facts=tuple(_baseline(result) for result in frame.get("baselines") or []),
    )


def _caption(frame: Mapping[str, Any]) -> str:
    explained, label = frame.get("explained_class", ""), frame.get("label")
    said = f"{frame.get('image_id')}: explains the logit of “{explained}”, the class predicted"
    probability = f"probability {format_number(frame.get('probability'))}"
    return f"{said} ({probability}); the label is {f'“{label}”' if label else 'unknown'}."


def _baseline(result: Mapping[str, Any]) -> tuple[str, str]:
    gap = result.get("gap")
    share = "undefined" if gap is None else f"{100 * gap:.2g}%"
    reached = "converged" if result.get("converged") else "not converged"
    return f"Completeness gap, {result.get('name')} baseline", f"{share}, {reached}"


def _source(part: PartEvidence) -> str:
    return f"explanations/{part.name}/explanations.json"
