"""Sections "Explanations" and "Errors": what the model looked at, and where it was wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import pandas as pd

from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.page.blocks import Block, Gallery, Notice, Picture, Prose, Section, Table
from sonoproof.reporting.page.runfiles import PartFiles, RunFiles
from sonoproof.reporting.sections.survey import SURVEY_WORDS, survey_blocks
from sonoproof.reporting.wording.captions import baseline_title, format_percent, gate_method
from sonoproof.reporting.wording.text import format_number
from sonoproof.types import Json
from sonoproof.wording import humanise

ERRORS_SHOWN = 10
_HOW_TO_READ = (
    "Every figure explains one number: the logit of the predicted class. It shows the frame as the network sees it, "
    "the saliency map (where a small change would move the logit), the integrated gradients from each baseline (what "
    "moved the logit on the path from the baseline to the frame), and how the probability and its gradient change "
    "along that path. The completeness gap is the share of the logit difference that the map does not account for."
)


def explained_frames(part: PartFiles, kind: str) -> list[Json]:
    """The explained frames of a part of one kind: ``top`` or ``error``."""
    return [frame for frame in part.explanations.get("frames") or [] if frame.get("kind") == kind]


def explanations_section(files: RunFiles, writer: FigureWriter) -> Section:
    """Where the model looked over each part; then its most confident frames, after the gate."""
    explained = [part for part in files.parts if part.explanations]
    surveyed = [block for part in files.parts for block in survey_blocks(part, writer)]
    blocks: list[Block] = [Prose(SURVEY_WORDS), *surveyed] if surveyed else []
    blocks.append(Prose(_HOW_TO_READ) if explained else Notice("No frame was explained."))
    for part in explained:
        blocks += [*_gates(part), *_gallery(part, "top", writer)]
    return Section("explanations", "Explanations", tuple(blocks))


def errors_section(files: RunFiles, writer: FigureWriter) -> Section:
    """The worst errors of each part: those that the model was most confident of."""
    blocks: list[Block] = []
    for part in files.parts:
        errors = _worst_errors(part.predictions)
        if errors is not None:
            told = _error_table(part, errors, files) if len(errors) else Prose(f"{part.title}: no errors.")
            blocks += [told, *_gallery(part, "error", writer)]
    if not blocks:
        blocks.append(Notice("No labelled frame was predicted: there are no errors to show."))
    return Section("errors", "Worst errors", tuple(blocks))


def _worst_errors(predictions: pd.DataFrame | None) -> pd.DataFrame | None:
    """The labelled rows called wrongly, the most confident first; None where no row has a label."""
    if predictions is None:
        return None
    labelled = predictions[predictions["target"].notna()]
    if labelled.empty:
        return None
    wrong = labelled[labelled["predicted"] != labelled["label"]]
    missed = (wrong["target"] - wrong["probability"]).abs()
    return wrong.assign(missed=missed).sort_values(["missed", "image_id"], ascending=[False, True], kind="stable")


def _error_table(part: PartFiles, errors: pd.DataFrame, files: RunFiles) -> Table:
    rows = tuple(
        (
            *(str(row[key]) or "–" for key in ("image_id", "group", "label", "predicted")),
            format_number(row["probability"]),
        )
        for row in errors.head(ERRORS_SHOWN).to_dict("records")
    )
    header = ("Frame", "Group", "Label", "Predicted", f"Probability of {files.class_names[1]}")
    caption = f"{part.title}: the {len(rows)} most confident of {len(errors):,} errors."
    return Table(caption, header, rows, sources=(part.predictions_file,))


def _gates(part: PartFiles) -> Iterator[Block]:
    """The checks of each method, with a warning where it failed one."""
    if not part.gates:
        missing = "the trust gate was not run, so nothing shows that these maps can be relied on."
        yield Notice(f"{part.title}: {missing}", "warning")
    for gate in part.gates:
        method, checks = gate_method(gate), gate.get("checks") or []
        rows = tuple(
            (_check_name(check), "passed" if check.get("passed") else "FAILED", _details(check)) for check in checks
        )
        caption = f"{part.title}, trust gate: {method}."
        yield Table(caption, ("Check", "Result", "Detail"), rows, sources=(part.explanations_file,))
        if not all(check.get("passed") for check in checks):
            yield Notice(f"{part.title}: {method} FAILED the trust gate; do not rely on these maps.", "warning")


def _check_name(check: Json) -> str:
    return str(check.get("name", "")).replace("_", " ").capitalize()


def _details(check: Json) -> str:
    """What was measured and where it would fail; the numbers behind it are in the file."""
    detail, value, threshold = (check.get(key) for key in ("detail", "value", "threshold"))
    if detail is None or threshold is None:
        return humanise({key: value for key, value in check.items() if key not in ("name", "passed", "series")})
    reached = check.get("passed") and value == threshold
    limit = f"passes {'at' if reached else check.get('passes', 'above')} {format_number(threshold)}"
    return f"{detail}: {format_number(value) if value is not None else 'not a number'} ({limit})"


def _gallery(part: PartFiles, kind: str, writer: FigureWriter) -> list[Block]:
    pictures = tuple(_picture(part, frame, writer) for frame in explained_frames(part, kind))
    titles = {"top": "most confident frames", "error": "errors explained"}
    return [Gallery(pictures, wide=True, title=f"{part.title}: {titles[kind]}")] if pictures else []


def _picture(part: PartFiles, frame: Json, writer: FigureWriter) -> Picture:
    folder = part.explanations_folder
    names = (("PNG at full resolution", "png"), ("PDF", "pdf"), ("arrays", "arrays"))
    links = [(name, f"{folder}/{frame[key]}") for name, key in names if frame.get(key)]
    if frame.get("png"):
        links.append(("caption", f"{folder}/{PurePosixPath(str(frame['png'])).stem}.txt"))
    caption = _caption(frame)
    return writer.photograph(
        f"{folder}/{frame.get('preview', '')}",
        caption=caption,
        alt=f"Frame, saliency map, integrated gradients and saturation curve. {caption}",
        sources=(part.explanations_file,),
        links=tuple(links),
        facts=tuple(_completeness(result) for result in frame.get("baselines") or []),
    )


def _caption(frame: Json) -> str:
    explained, label = frame.get("explained_class", ""), frame.get("label")
    probability = f"probability {format_number(frame.get('probability'))}"
    told = f"{frame.get('image_id')}: explains the logit of the predicted class, “{explained}” ({probability})"
    return f"{told}; the label is {f'“{label}”' if label else 'unknown'}."


def _completeness(result: Json) -> tuple[str, str]:
    gap = result.get("gap")
    share = "undefined" if gap is None else format_percent(gap)
    reached = "converged" if result.get("converged") else "not converged"
    return f"Completeness gap, {baseline_title(str(result.get('name')))}", f"{share}, {reached}"
