"""What a finished run prints: the table of metrics, and where to look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sonoproof.parts import Part
from sonoproof.reporting.wording.tables import metrics_table, seeds_table
from sonoproof.runfolder import RunFolder, read_json
from sonoproof.types import Json


def summary_lines(run: RunFolder) -> list[str]:
    """The metrics of every part that was evaluated, and the path of the report."""
    evaluations = {
        part: read_json(run.evaluation(part), schema="evaluation") for part in Part if run.evaluation(part).is_file()
    }
    lines = _metrics(evaluations) if evaluations else []
    if evaluations and run.seeds.is_file():
        lines += _seeds(read_json(run.seeds, schema="seeds"))
    return [*lines, *(["", f"report: {run.report}"] if run.report.is_file() else [])]


def audit_lines(run: RunFolder) -> list[str]:
    """The findings of an audit, most severe first, and the path of its report."""
    lines = []
    for finding in read_json(run.audit, schema="audit")["findings"]:
        lines += [f"{finding['level']:8s} {finding['title']}", f"         {finding['detail']}"]
    return [*lines, "", f"report: {run.report}"]


def _metrics(evaluations: Mapping[Part, Json]) -> list[str]:
    first = next(iter(evaluations.values()))
    confidence = f"{float(first.get('confidence') or 0.95):.0%} confidence intervals in brackets"
    lines = [f"positive class: {first['positive_class']}; {confidence}"]
    for part, entry in evaluations.items():
        lines.append(
            f"{part.title}: {entry['n']:,} frames, {entry['n_positive']:,} of them {entry['positive_class']}, "
            f"{entry['n_units']:,} groups resampled"
        )
    rows = [
        (label, *cells) for label, cells in metrics_table({part.value: entry for part, entry in evaluations.items()})
    ]
    notes = [(part.title.lower(), note) for part, entry in evaluations.items() for note in entry.get("notes") or []]
    warnings = [f"warning ({name}): {note}" for name, note in notes]
    lines += ["", *aligned([("", *(part.title for part in evaluations)), *rows])]
    return [*lines, *(["", *warnings] if warnings else [])]


def _seeds(seeds: Json) -> list[str]:
    lines = []
    for part in seeds["parts"]:
        lines += ["", f"{Part(part).title}, {len(seeds['seeds'])} trainings on the same split:"]
        lines += aligned(seeds_table(seeds, part=part))
    return lines


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells in columns, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
