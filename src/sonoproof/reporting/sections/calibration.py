"""Section "Calibration": whether a probability of 0.8 means eight in ten, before and after calibration."""

from __future__ import annotations

from sonoproof.reporting.figures.decision_figures import Bin, reliability_diagram
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.page.blocks import Gallery, Notice, Picture, Prose, Section, Table
from sonoproof.reporting.page.runfiles import PartFiles, RunFiles
from sonoproof.reporting.wording.tables import format_interval
from sonoproof.reporting.wording.text import format_number
from sonoproof.types import Json
from sonoproof.wording import counted

# The measures of calibration, with the value of each for ideal probabilities.
_MEASURES = (
    ("brier", "Brier score", "lower is better"),
    ("loss", "Log loss", "lower is better"),
    ("calibration_error", "Expected calibration error", "0"),
    ("slope", "Slope", "1; below 1 is overconfident"),
    ("intercept", "Intercept", "0"),
    ("in_the_large", "Calibration in the large", "0; above 0, probabilities are too low"),
)


def calibration_section(files: RunFiles, writer: FigureWriter) -> Section:
    """How the model was calibrated, the measures of every part, and their reliability diagrams."""
    pictures = [picture for part in files.evaluated for picture in _reliability(part, files, writer)]
    if not pictures:
        missing = "No calibration was computed: the run has no reliability curve."
        return Section("calibration", "Calibration", (Notice(missing),))
    tables = [_measures(part) for part in files.evaluated if part.evaluation.get("calibration")]
    return Section("calibration", "Calibration", (Prose(_method(files.model)), *tables, Gallery(tuple(pictures))))


def _method(model: Json) -> str:
    calibration = model.get("calibration") or {}
    method, chosen_on = calibration.get("method", "none"), calibration.get("chosen_on", "not recorded")
    if method == "none":
        return f"The probabilities are the network's own ({chosen_on})."
    frames = f"{calibration.get('n', 0):,} frames of {counted(int(calibration.get('n_groups', 0)), 'group')}"
    if method != "temperature":
        return f"The probabilities were calibrated by {method} scaling, fitted on {frames}: {chosen_on}."
    low, high = (format_number(calibration.get(limit)) for limit in ("low", "high"))
    return (
        f"The network's logits were divided by a temperature of {format_number(1 / calibration['slope'])}, fitted on "
        f"{frames}: {chosen_on}. These groups alone ask for a temperature between {low} and {high}. A temperature "
        "above 1 tempers an overconfident network. It changes no ranking."
    )


def _measures(part: PartFiles) -> Table:
    after, before = part.evaluation["calibration"], part.evaluation.get("calibration_before")
    columns = [after] if before is None else [before, after]
    rows = [(name, *(format_interval(column.get(key)) for column in columns), ideal) for key, name, ideal in _MEASURES]
    headings = ("As reported",) if before is None else ("Network's own", "Calibrated")
    return Table(
        f"{part.title}: measures of calibration.",
        ("Measure", *headings, "Ideal"),
        tuple(rows),
        sources=(part.evaluation_file,),
        numeric=True,
        note=f"The calibration error uses {after.get('bins', 10)} equally wide bins. Chance alone raises it above 0; "
        "the interval allows for that, so its upper limit may equal the value itself.",
    )


def _reliability(part: PartFiles, files: RunFiles, writer: FigureWriter) -> list[Picture]:
    bins = _filled_bins(part.curves.get("reliability") or {})
    if not bins:
        return []
    before = _filled_bins(part.curves.get("reliability_before") or {})
    brier = format_interval(part.evaluation.get("brier"))
    caption = f"{part.title}: observed share against predicted probability. Brier score {brier}."
    caption += " Dashed: before calibration." if before else ""
    by_bin = "; ".join(
        f"predicted {format_number(bin_.mean, decimals=2)}, observed {format_number(bin_.observed, decimals=2)}, "
        f"{bin_.count} rows"
        for bin_ in bins
    )
    picture = writer.vector(
        reliability_diagram(bins, before=before, positive_class=files.class_names[1]),
        name=f"{part.name}-reliability",
        caption=caption,
        alt=f"{caption} By bin: {by_bin}.",
        sources=(part.evaluation_file, part.curves_file),
    )
    return [picture]


def _filled_bins(reliability: Json) -> list[Bin]:
    """The bins of ``PART_curves.json`` that hold rows."""
    edges = reliability.get("edges") or []
    columns = (reliability.get(key) or [] for key in ("mean_probability", "share_positive", "n"))
    bins = zip(edges[:-1], edges[1:], *columns, strict=True)
    return [Bin(low, high, mean, share, int(n)) for low, high, mean, share, n in bins if n]
