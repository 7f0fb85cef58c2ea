"""Section "Data": what the sheet said, where every row went, what could not be used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.figures.flow import flow_figure
from sonoproof.reporting.page.blocks import Block, Flow, FlowBox, FlowStep, Notice, Prose, Section, Table
from sonoproof.reporting.page.evidence import Evidence
from sonoproof.reporting.wording.tables import reason_counts
from sonoproof.reporting.wording.text import format_count, format_share
from sonoproof.wording import counted, humanise

__all__ = ["PART_TITLES", "USE_WORDS", "cohort_section", "with_labels"]

QUARANTINE_ROWS_SHOWN = 60
REASONS_IN_FLOW = 4
PART_TITLES = {"fit": "Fit", "val": "Validation", "test": "Test"}
USE_WORDS = {"train": "to learn from", "stop": "to choose the checkpoint", "report": "to report on"}


def cohort_section(evidence: Evidence, easel: FigureWriter) -> Section:
    """What was read, accounted for row by row."""
    blocks: list[Block] = []
    if evidence.cohort:
        blocks.append(Prose(_reading(evidence)))
    if evidence.cohort or evidence.records is not None:
        blocks.append(_flow(evidence, easel))
    else:
        blocks.append(Notice("The run holds no cohort.json and no records.csv: the rows cannot be accounted for."))
    blocks += _inferred(evidence.cohort.get("inferred"), caption="How the sheet was understood.")
    test = evidence.cohort.get("test") or {}
    blocks += _inferred(test.get("inferred"), caption="How the test folder was understood.")
    blocks += _quarantine(evidence)
    return Section("data", "Data", tuple(blocks))


def _reading(evidence: Evidence) -> str:
    cohort = evidence.cohort
    negative, positive = evidence.class_names
    read, used, quarantined = (_count(cohort, key) for key in ("rows_read", "rows_used", "rows_quarantined"))
    balance = f"{read} were read: {used} are used and {quarantined} are quarantined."
    return f"{balance} The positive class is “{positive}”, the negative class “{negative}”."


def _count(cohort: Mapping[str, Any], key: str) -> str:
    number = cohort.get(key)
    noun = {"rows_read": "rows"}.get(key, "")
    return f"{format_count(number)} {noun}".strip() if number is not None else "an unknown number"


def _flow(evidence: Evidence, easel: FigureWriter) -> Flow:
    steps = [_read_step(evidence), _used_step(evidence)]
    if evidence.split is not None:
        steps.append(_parts_step(evidence))
    present = (
        (evidence.run.cohort, bool(evidence.cohort)),
        (evidence.run.records, evidence.records is not None),
        (evidence.run.quarantine, evidence.quarantine is not None),
        (evidence.run.split, evidence.split is not None),
    )
    sources = tuple(evidence.run.relative(path) for path, there in present if there)
    caption = "Flow of the rows from the sheet to the parts."
    figure = easel.vector(flow_figure(steps), name="flow", caption=caption, alt=caption, sources=sources)
    return Flow(caption, tuple(steps), sources, links=figure.links)


def _read_step(evidence: Evidence) -> FlowStep:
    cohort = evidence.cohort
    origins = (("sheet", "of the sheet"), ("test", "of the test folder"))
    lines = tuple(f"{cohort[key]['rows_read']:,} {words}" for key, words in origins if key in cohort)
    read = FlowBox("Rows read", format_count(cohort.get("rows_read")), lines if len(lines) > 1 else ())
    return FlowStep((read,), aside=_quarantine_box(evidence))


def _quarantine_box(evidence: Evidence) -> FlowBox:
    table = evidence.quarantine
    number = evidence.cohort.get("rows_quarantined", None if table is None else len(table))
    lines: list[str] = []
    if table is not None:
        reasons = reason_counts(table["reason"])
        lines = [f"{count:,} × {reason}" for reason, count in list(reasons.items())[:REASONS_IN_FLOW]]
        if len(reasons) > REASONS_IN_FLOW:
            further = len(reasons) - REASONS_IN_FLOW
            lines.append(f"and {counted(further, 'further reason')}")
    return FlowBox("Quarantined", format_count(number), tuple(lines))


def _used_step(evidence: Evidence) -> FlowStep:
    records = evidence.records
    used = evidence.cohort.get("rows_used", None if records is None else len(records))
    lines = () if records is None else (*_by_class(records, evidence), _groups(records))
    return FlowStep((FlowBox("Frames used", format_count(used), tuple(lines)),))


def _parts_step(evidence: Evidence) -> FlowStep:
    split = evidence.split
    assert split is not None
    labelled = with_labels(split, evidence)
    parts = [part for part in PART_TITLES if part in set(split["part"])]
    return FlowStep(tuple(_part_box(labelled[labelled["part"] == part], part, evidence) for part in parts))


def with_labels(split: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    """The split with the ``label`` of each frame; "" where it is not known."""
    records = evidence.records
    labels = {} if records is None else dict(zip(records["image_id"], records["label"], strict=True))
    return split.assign(label=[labels.get(image_id, "") for image_id in split["image_id"]])


def _part_box(rows: pd.DataFrame, part: str, evidence: Evidence) -> FlowBox:
    uses = [f"{count:,} {USE_WORDS.get(str(use), use)}" for use, count in rows["use"].value_counts().items()]
    if members := evidence.model.get("members"):
        uses = [f"{members} members, each learns", "from all folds but its own"]
    lines = (*_by_class(rows, evidence), _groups(rows), *(uses if part == "fit" else ()))
    return FlowBox(PART_TITLES[part], f"{len(rows):,}", tuple(lines))


def _by_class(rows: pd.DataFrame, evidence: Evidence) -> list[str]:
    counts = rows["label"].value_counts()
    names = [*evidence.class_names[::-1], ""]
    return [
        f"{counts[name]:,} {name or 'without a label'} ({format_share(counts[name], len(rows))})"
        for name in names
        if name in counts
    ]


def _groups(rows: pd.DataFrame) -> str:
    return f"in {counted(rows['group'].nunique(), 'group')}"


def _inferred(inferred: Any, *, caption: str) -> list[Block]:
    if not isinstance(inferred, Mapping):
        return []
    told = {key: value for key, value in inferred.items() if value not in ("", None, [], {})}
    rows = tuple((str(key).replace("_", " ").capitalize(), humanise(value)) for key, value in told.items())
    return [Table(caption, ("What", "Found"), rows, sources=("cohort.json",))] if rows else []


def _quarantine(evidence: Evidence) -> list[Block]:
    table = evidence.quarantine
    if table is None:
        return [Notice("The run holds no quarantine.csv.")]
    if table.empty:
        return [Prose("No row was quarantined.")]
    shown = table.head(QUARANTINE_ROWS_SHOWN)
    left_out = len(table) - len(shown)
    note = f"The first {len(shown)} rows; {left_out:,} more are in quarantine.csv." if left_out else ""
    rows = tuple(_quarantine_row(row) for row in shown.to_dict("records"))
    header = ("Cell", "Reference as written", "Reason", "Value")
    return [Table("Rows that could not be used.", header, rows, sources=("quarantine.csv",), note=note)]


def _quarantine_row(row: Mapping[Any, Any]) -> tuple[str, ...]:
    where = row["cell"] or (f"row {row['sheet_row']:.0f}" if pd.notna(row["sheet_row"]) else "–")
    place = f"{row['sheet']}!{where}" if row["sheet"] else str(where)
    return (place, str(row["reference"]) or "–", str(row["reason"]), str(row["value"]) or "–")
