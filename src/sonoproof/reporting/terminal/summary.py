"""What a finished run prints: the table of metrics, and where to look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sonoproof.reporting.wording.tables import PART_NAMES, metrics_table, seeds_table
from sonoproof.runfolder import RunFolder, read_json

__all__ = ["audit_lines", "summary_lines"]


def summary_lines(run: RunFolder) -> list[str]:
    """The metrics of every part that was evaluated, and the path of the report."""
    evaluations = {
        part: read_json(run.evaluation(part), schema="evaluation")
        for part in PART_NAMES
        if run.evaluation(part).is_file()
    }
    lines = _table(evaluations) if evaluations else []
    if evaluations and run.seeds.is_file():
        lines += _seeds(read_json(run.seeds, schema="seeds"))
    if run.report.is_file():
        lines += ["", f"report: {run.report}"]
    return lines


def audit_lines(run: RunFolder) -> list[str]:
    """The findings of an audit, most severe first, and the path of its report."""
    audit = read_json(run.audit, schema="audit")
    lines = []
    for finding in audit["findings"]:
        lines += [f"{finding['level']:8s} {finding['title']}", f"         {finding['detail']}"]
    return [*lines, "", f"report: {run.report}"]


def _seeds(seeds: dict[str, Any]) -> list[str]:
    lines = []
    for part in seeds["parts"]:
        lines += ["", f"{PART_NAMES[part]}, {len(seeds['seeds'])} trainings on the same split:"]
        lines += _aligned(seeds_table(seeds, part=part))
    return lines


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells in columns, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _table(evaluations: dict[str, dict[str, Any]]) -> list[str]:
    first = next(iter(evaluations.values()))
    head = [f"positive class: {first['positive_class']}; 95 % intervals in brackets"]
    for part, entry in evaluations.items():
        head.append(
            f"{PART_NAMES[part]}: {entry['n']:,} frames, {entry['n_positive']:,} of them {entry['positive_class']}, "
            f"{entry['n_units']:,} groups resampled"
        )
    rows = [("", [PART_NAMES[part] for part in evaluations]), *metrics_table(evaluations)]
    body = _aligned([(label, *cells) for label, cells in rows])
    beware = [f"beware, {PART_NAMES[part].lower()}: {note}" for part, entry in evaluations.items()
              for note in entry.get("notes") or []]  # fmt: skip
    return [*head, "", *body, *(["", *beware] if beware else [])]
