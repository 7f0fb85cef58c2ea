"""Where the model looked over a whole part: the search for shortcuts in the model, beside the audit's in the data."""

from __future__ import annotations

from sonoproof.explanation.regions import REGIONS
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.figures.survey import survey_figure
from sonoproof.reporting.page.blocks import Block, Gallery, Notice, Prose, Table
from sonoproof.reporting.page.runfiles import PartFiles
from sonoproof.reporting.wording.tables import format_interval
from sonoproof.types import Json
from sonoproof.wording import counted

_PLACES = {"outside_sector": "Outside the sector", "border": "Border of the picture", "overlay": "Burnt-in overlays"}
SURVEY_WORDS = (
    "Where the model looks is measured on a sample of each part's frames. Attribution grows with contrast, so a bright "
    "mark gets some from any model. It is therefore compared with the share of the frame's structure in the same "
    "place, which is what a model that weighs all structure alike would give."
)


def survey_blocks(part: PartFiles, writer: FigureWriter) -> list[Block]:
    """What was surveyed, the verdict, the figure and its table; nothing where no frame was surveyed."""
    survey = part.survey
    if not survey.get("frames_surveyed"):
        return []
    rows = [(name, survey["regions"][name]) for name in REGIONS]
    blocks: list[Block] = [Prose(_extent(part)), *_verdict(part)]
    if present := [(_PLACES[name], entry) for name, entry in rows if entry["frames"]]:
        caption = f"{part.title}: where the attribution lies, mean over frames with its interval."
        alt = f"{caption} " + " ".join(f"{place}: {_shares(entry)}." for place, entry in present)
        name, figure = f"{part.name}-survey", survey_figure(present)
        picture = writer.vector(figure, name=name, caption=caption, alt=alt, sources=(_source(part),))
        blocks.append(Gallery((picture,), wide=True))
    return [*blocks, _table(part, rows)]


def survey_alarms(part: PartFiles) -> list[Notice]:
    """A warning for each kind of place that the model looks at and should not."""
    return [
        Notice(
            f"{part.title}: the model looks at {REGIONS[name]}. {_shares(part.survey['regions'][name])}.",
            level="warning",
        )
        for name in part.survey.get("looks_at") or []
    ]


def _source(part: PartFiles) -> str:
    return f"{part.explanations_folder}/survey.json"


def _extent(part: PartFiles) -> str:
    survey = part.survey
    frames = f"{survey['frames_surveyed']:,} of {counted(survey['frames_in_part'], 'frame')}"
    return f"{part.title}: measured on {frames}, from {counted(survey['groups'], 'group')}, by {survey['method']}."


def _verdict(part: PartFiles) -> list[Block]:
    if alarms := survey_alarms(part):
        return list(alarms)
    margin = f"{100 * part.survey['most_excess']:.0f} percentage points"
    clean = f"In no such place does the attribution exceed the structure's share by more than {margin}"
    return [Prose(f"{clean} (lower limit of the interval).")]


def _shares(entry: Json) -> str:
    structure, area = (_percent(entry[key], interval=False) for key in ("structure", "area"))
    return (
        f"{_percent(entry['attribution'])} of the attribution lies there, with {structure} of the structure and {area} "
        f"of the area ({counted(entry['frames'], 'frame')})"
    )


def _percent(estimate: Json, *, interval: bool = True) -> str:
    value = f"{100 * estimate['value']:.1f} %"
    if not interval or estimate["low"] is None:
        return value
    return f"{value} ({100 * estimate['low']:.1f}–{100 * estimate['high']:.1f})"


def _table(part: PartFiles, rows: list[tuple[str, Json]]) -> Table:
    shares = ("attribution", "structure", "area")
    cells = tuple(
        (
            _PLACES[name],
            f"{entry['frames']:,}",
            *(format_interval(entry[kind]) if entry["frames"] else "–" for kind in shares),
        )
        for name, entry in rows
    )
    note = (
        "Frames without such a place do not count. The sector and overlays are detected from grey levels and colours."
    )
    if mask := part.survey.get("mask"):
        note += (
            f" Compared with the given masks ({counted(mask['frames'], 'frame')}): mass inside "
            f"{format_interval(mask['mass'])}, lift over area {format_interval(mask['lift'], decimals=2)}, "
            f"largest pixel inside {format_interval(mask['pointing'])}."
        )
    header = ("Place", "Frames", *map(str.capitalize, shares))
    caption = f"{part.title}: shares of attribution, structure and area."
    return Table(caption, header, cells, sources=(_source(part),), numeric=True, note=note)
