"""What was understood of a sheet and a folder, in words for a person."""

from __future__ import annotations

from typing import Any

from sonoproof.data.cohort.cohort import Cohort

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
    return lines + [f"warning: {warning}" for warning in _warnings(cohort)]


def _warnings(cohort: Cohort) -> list[str]:
    said = cohort.inferred
    warnings = []
    for name, why in said.get("unused_group_columns", {}).items():
        warnings.append(f"{name!r} may name patients or clips; it {why}; keep them together with --group-column")
    if said.get("hidden_rows"):
        warnings.append(f"{said['hidden_rows']} hidden rows were read like any other")
    if said.get("references_unmatched", 0) > sum(said.get("references_matched", {}).values()):
        warnings.append("most references name no image; is it the right folder?")
    return warnings


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_as_text(item)}" for name, item in value.items())
    return ", ".join(map(_as_text, value)) if isinstance(value, list) else str(value)
