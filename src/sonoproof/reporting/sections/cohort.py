"""Section "Data": how the sheet was read, where every row went, and what could not be used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from sonoproof.parts import REPORTED, Part
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.figures.flow import flow_figure
from sonoproof.reporting.page.blocks import Block, Flow, FlowBox, FlowStep, Notice, Prose, Section, Table
from sonoproof.reporting.page.runfiles import RunFiles
from sonoproof.reporting.wording.tables import USES, reason_counts, reason_kind
from sonoproof.reporting.wording.text import format_count, format_share
from sonoproof.wording import counted, humanise

# More quarantined rows than this are counted by reason instead of listed.
MAX_ROWS_LISTED = 10
MAX_REASONS_LISTED = 60
EXAMPLES_PER_REASON = 3
REASONS_IN_FLOW = 4


def cohort_section(files: RunFiles, writer: FigureWriter) -> Section:
    """What was read, accounted for row by row."""
    blocks: list[Block] = [Prose(_reading(files))] if files.cohort else []
    if files.cohort or files.records is not None:
        blocks.append(_flow(files, writer))
    else:
        blocks.append(Notice("The run has no cohort.json and no records.csv: the rows cannot be accounted for."))
    blocks += _inferred(files.cohort.get("inferred"), caption="How the sheet was read.")
    blocks += _inferred((files.cohort.get("test") or {}).get("inferred"), caption="How the test folder was read.")
    return Section("data", "Data", (*blocks, _quarantine(files.quarantine)))


def _reading(files: RunFiles) -> str:
    negative, positive = files.class_names
    counts = [files.cohort.get(key) for key in ("rows_read", "rows_used", "rows_quarantined")]
    read, used, quarantined = ("an unknown number" if count is None else format_count(count) for count in counts)
    balance = f"Of {read} rows read, {used} were used and {quarantined} were quarantined."
    return f"{balance} The positive class is “{positive}”, the negative class “{negative}”."


def _flow(files: RunFiles, writer: FigureWriter) -> Flow:
    steps = (_read_step(files), _used_step(files), *_parts_step(files))
    run = files.run
    present = (
        (run.cohort, bool(files.cohort)),
        (run.records, files.records is not None),
        (run.quarantine, files.quarantine is not None),
        (run.split, files.split is not None),
    )
    sources = tuple(run.relative(path) for path, there in present if there)
    caption = "Flow of the rows from the sheet to the parts."
    figure = writer.vector(flow_figure(steps), name="flow", caption=caption, sources=sources)
    return Flow(caption, steps, sources, links=figure.links)


def _read_step(files: RunFiles) -> FlowStep:
    origins = (("sheet", "in the sheet"), ("test", "in the test folder"))
    lines = tuple(f"{files.cohort[key]['rows_read']:,} {words}" for key, words in origins if key in files.cohort)
    read = FlowBox("Rows read", format_count(files.cohort.get("rows_read")), lines if len(lines) > 1 else ())
    return FlowStep((read,), aside=_quarantine_box(files))


def _quarantine_box(files: RunFiles) -> FlowBox:
    table = files.quarantine
    number = files.cohort.get("rows_quarantined", None if table is None else len(table))
    reasons = [] if table is None else list(reason_counts(table["reason"]).items())
    lines = [f"{count:,} × {reason}" for reason, count in reasons[:REASONS_IN_FLOW]]
    if (further := len(reasons) - REASONS_IN_FLOW) > 0:
        lines.append(f"and {counted(further, 'other reason')}")
    return FlowBox("Quarantined", format_count(number), tuple(lines))


def _used_step(files: RunFiles) -> FlowStep:
    records = files.records
    used = files.cohort.get("rows_used", None if records is None else len(records))
    lines = () if records is None else (*_by_class(records, files), _groups(records))
    return FlowStep((FlowBox("Frames used", format_count(used), lines),))


def _parts_step(files: RunFiles) -> list[FlowStep]:
    split = files.labelled_split()
    if split is None:
        return []
    parts = [part for part in (Part.FIT, *REPORTED) if part in set(split["part"])]
    return [FlowStep(tuple(_part_box(split[split["part"] == part], part, files) for part in parts))]


def _part_box(rows: pd.DataFrame, part: Part, files: RunFiles) -> FlowBox:
    uses = [f"{count:,} {USES.get(str(use), use)}" for use, count in rows["use"].value_counts().items()]
    if members := files.model.get("members"):
        uses = [f"{members} members, each learns", "from all folds but its own"]
    lines = (*_by_class(rows, files), _groups(rows), *(uses if part == Part.FIT else ()))
    return FlowBox(part.title, f"{len(rows):,}", lines)


def _by_class(rows: pd.DataFrame, files: RunFiles) -> list[str]:
    counts = rows["label"].value_counts()
    names = [name for name in (*files.class_names[::-1], "") if name in counts]
    return [f"{counts[name]:,} {name or 'without a label'} ({format_share(counts[name], len(rows))})" for name in names]


def _groups(rows: pd.DataFrame) -> str:
    return f"in {counted(rows['group'].nunique(), 'group')}"


def _inferred(inferred: Any, *, caption: str) -> list[Block]:
    if not isinstance(inferred, Mapping):
        return []
    known = {key: value for key, value in inferred.items() if value not in ("", None, [], {})}
    rows = tuple((str(key).replace("_", " ").capitalize(), humanise(value)) for key, value in known.items())
    return [Table(caption, ("Item", "Found"), rows, sources=("cohort.json",))] if rows else []


def _quarantine(table: pd.DataFrame | None) -> Block:
    if table is None:
        return Notice("The run has no quarantine.csv.")
    if table.empty:
        return Prose("No row was quarantined.")
    if len(table) > MAX_ROWS_LISTED:
        return _reasons(table)
    rows = tuple(
        (_cell(row), str(row["reference"]) or "–", str(row["reason"]), str(row["value"]) or "–")
        for row in table.to_dict("records")
    )
    header = ("Cell", "Reference as written", "Reason", "Value")
    return Table("Rows that could not be used.", header, rows, sources=("quarantine.csv",))


def _reasons(table: pd.DataFrame) -> Table:
    """A line for each kind of reason, the most frequent first: many rows with the same reason say no more than one."""
    kinds = table.groupby(table["reason"].map(reason_kind), sort=False)
    ordered = sorted(kinds, key=lambda kind: len(kind[1]), reverse=True)
    rows = tuple((str(reason), f"{len(found):,}", _examples(found)) for reason, found in ordered[:MAX_REASONS_LISTED])
    left_out = len(ordered) - len(rows)
    note = "Every row is in quarantine.csv."
    note += f" {counted(left_out, 'rarer reason')} left out here." if left_out else ""
    caption = f"Rows that could not be used: {len(table):,}, by reason."
    return Table(caption, ("Reason", "Rows", "First examples"), rows, sources=("quarantine.csv",), note=note)


def _examples(rows: pd.DataFrame) -> str:
    shown = rows.head(EXAMPLES_PER_REASON).to_dict("records")
    return ", ".join(f"{row['reference'] or '–'} ({_cell(row)})" for row in shown)


def _cell(row: Mapping[Any, Any]) -> str:
    where = row["cell"] or (f"row {row['sheet_row']:.0f}" if pd.notna(row["sheet_row"]) else "–")
    return f"{row['sheet']}!{where}" if row["sheet"] else str(where)
