"""Where the model looked over a whole part: the shortcut finding for the model, beside the audit's for the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sonoproof.explanation.survey import REGION_WORDS, REGIONS
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.figures.survey import survey_figure
from sonoproof.reporting.page.blocks import Block, Gallery, Notice, Prose, Table
from sonoproof.reporting.page.evidence import PartEvidence
from sonoproof.reporting.wording.tables import PART_NAMES, format_interval
from sonoproof.wording import counted

__all__ = ["SURVEY_WORDS", "survey_alarms", "survey_blocks", "survey_source"]

Json = Mapping[str, Any]

_ROW_WORDS = {"outside_sector": "Outside the sector", "border": "Border of the picture", "overlay": "Burnt-in overlays"}
SURVEY_WORDS = (
    "Where the model looked over a whole part is measured on a sample of its frames. Attribution grows with contrast: "
    "a bright mark gets some from any model. It is therefore held against the share "
    "of the frame's structure in the same place, which is what a model would give that weighs all structure alike."
)


def survey_source(part: PartEvidence) -> str:
    """The file that the shares come from."""
    return f"explanations/{part.name}/survey.json"


def survey_blocks(part: PartEvidence, easel: FigureWriter) -> list[Block]:
    """What was surveyed, the verdict, the figure and its table; nothing where no frame was surveyed."""
    survey = part.survey
    if not survey.get("frames_surveyed"):
        return []
    rows = [(name, survey["regions"][name]) for name in REGIONS]
    present = [(name, entry) for name, entry in rows if entry["frames"]]
    blocks: list[Block] = [Prose(_what(part)), *_verdict(part)]
    if present:
        figure = survey_figure([(_ROW_WORDS[name], entry) for name, entry in present])
        caption = f"{PART_NAMES[part.name]}: where the attribution lies, mean over frames with its interval."
        alt = f"{caption} " + " ".join(f"{_ROW_WORDS[name]}: {_words(entry)}." for name, entry in present)
        picture = easel.vector(
            figure, name=f"{part.name}-survey", caption=caption, alt=alt, sources=(survey_source(part),)
        )
        blocks.append(Gallery((picture,), wide=True))
    return [*blocks, _table(part, rows)]


def survey_alarms(part: PartEvidence) -> list[Notice]:
    """A warning for each kind of place that the model looks at and should not."""
    return [
        Notice(
            f"{PART_NAMES[part.name]}: the model looks at {REGION_WORDS[name]}. "
            f"{_words(part.survey['regions'][name]).capitalize()}.",
            level="warning",
        )
        for name in part.survey.get("looks_at") or []
    ]


def _what(part: PartEvidence) -> str:
    survey = part.survey
    frames, groups = counted(survey["frames_surveyed"], "frame"), counted(survey["groups"], "group")
    name, whole = PART_NAMES[part.name], f"{survey['frames_in_part']:,} in the part"
    return f"{name}: measured on {frames} of {groups} ({whole}), by {survey['method']}."


def _verdict(part: PartEvidence) -> list[Block]:
    alarms = survey_alarms(part)
    if alarms:
        return list(alarms)
    margin = f"{100 * part.survey['most_excess']:.0f} percentage points"
    return [
        Prose(
            f"In no such place does the attribution surpass the structure's share by more than {margin} "
            "(by the lower limit of the interval)."
        )
    ]


def _words(entry: Json) -> str:
    return (
        f"{_percent(entry['attribution'])} of the attribution lies there, of the structure "
        f"{_percent(entry['structure'], interval=False)}, of the area {_percent(entry['area'], interval=False)} "
        f"({counted(entry['frames'], 'frame')})"
    )


def _percent(estimate: Json, *, interval: bool = True) -> str:
    value = f"{100 * estimate['value']:.1f} %"
    if not interval or estimate["low"] is None:
        return value
    return f"{value} ({100 * estimate['low']:.1f}–{100 * estimate['high']:.1f})"


def _table(part: PartEvidence, rows: list[tuple[str, Json]]) -> Table:
    cells = [
        (
            _ROW_WORDS[name],
            f"{entry['frames']:,}",
            *(
                format_interval(entry[kind]) if entry["frames"] else "–"
                for kind in ("attribution", "structure", "area")
            ),
        )
        for name, entry in rows
    ]
    mask = part.survey.get("mask")
    note = (
        "Frames without such a place do not count. The sector and overlays are found from the grey levels and colours."
    )
    if mask:
        note += (
            f" Against the masks given ({counted(mask['frames'], 'frame')}): mass inside "
            f"{format_interval(mask['mass'])}, lift over area {format_interval(mask['lift'], decimals=2)}, "
            f"largest pixel inside {format_interval(mask['pointing'])}."
        )
    header = ("Place", "Frames", "Attribution", "Structure", "Area")
    caption = f"{PART_NAMES[part.name]}: shares of attribution, structure and area."
    return Table(caption, header, tuple(cells), sources=(survey_source(part),), numeric=True, note=note)
