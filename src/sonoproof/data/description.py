"""What was understood of a sheet and a folder, in words for a person."""

from __future__ import annotations

from typing import Any

from sonoproof.data.cohort import Cohort

__all__ = ["describe_cohort"]


def describe_cohort(cohort: Cohort) -> list[str]:
    """What was inferred and how the rows are accounted for, as lines for a person."""
    said = cohort.inferred
    lines = [
        f"{name.replace('_', ' ')}: {_as_text(value)}" for name, value in said.items() if value not in ([], {}, "")
    ]
    counts = ", ".join(
        f"{count} {label or 'unlabelled'}" for label, count in cohort.records["label"].value_counts().items()
    )
    lines += [
        f"classes: {cohort.classes.positive!r} is positive, {cohort.classes.negative!r} is negative ({counts})",
        f"rows: {cohort.rows_read} read = {len(cohort.records)} used + {len(cohort.quarantine)} quarantined",
    ]
    if said.get("unused_group_columns"):
        columns = ", ".join(map(repr, said["unused_group_columns"]))
        lines.append(f"warning: {columns} may name patients or clips; keep them together with --group-column")
    return lines


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_as_text(item)}" for name, item in value.items())
    return ", ".join(map(_as_text, value)) if isinstance(value, list) else str(value)
