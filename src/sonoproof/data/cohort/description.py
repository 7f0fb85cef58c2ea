"""What was understood from a sheet and a folder, as lines for the terminal."""

from __future__ import annotations

from typing import Any

from sonoproof.data.cohort.cohort import Cohort


def describe_cohort(cohort: Cohort) -> list[str]:
    """What was inferred and how the rows are accounted for, one line each."""
    told = {key.replace("_", " "): value for key, value in cohort.inferred.items() if value not in ([], {}, "")}
    counts = cohort.records["label"].replace("", "unlabelled").value_counts()
    return [
        *(f"{name}: {_as_text(value)}" for name, value in told.items()),
        f"classes: {cohort.classes.positive!r} is positive, {cohort.classes.negative!r} is negative"
        f" ({', '.join(f'{count} {label}' for label, count in counts.items())})",
        f"rows: {cohort.rows_read} read = {len(cohort.records)} used + {len(cohort.quarantine)} quarantined",
        *(f"warning: {warning}" for warning in _warnings(cohort.inferred)),
    ]


def _warnings(inferred: dict[str, Any]) -> list[str]:
    warnings = [
        f"column {name!r} may identify patients or clips, but it {why}; to keep their frames together, name it with"
        " --group-column"
        for name, why in inferred.get("unused_group_columns", {}).items()
    ]
    if inferred.get("hidden_rows") and inferred.get("hidden_rows_policy") != "drop":
        warnings.append(
            f"{inferred['hidden_rows']} hidden rows were read like any other row; leave them out with"
            " --set sheet.hidden_rows=drop"
        )
    warnings += [
        f"column {name!r} is calculated: {count} of its cells hold formulas, whose results saved in the file were read"
        for name, count in inferred.get("calculated_columns", {}).items()
    ]
    warnings += [_about_unused(name, what) for name, what in inferred.get("unused_columns", {}).items()]
    kept = inferred.get("rows_contradicted_policy") == "keep"
    warnings += [
        f"column {name!r} contradicts the labels in {count} rows, which "
        + ("were used as they are" if kept else "were quarantined")
        for name, count in inferred.get("rows_contradicted", {}).items()
    ]
    warnings += [
        f"the reader of column {name!r} differs from the labels in {count} rows"
        for name, count in inferred.get("rows_where_readers_differ", {}).items()
    ]
    if inferred.get("references_unmatched", 0) > sum(inferred.get("references_matched", {}).values()):
        warnings.append("most references match no image; is it the right folder?")
    return warnings


def _about_unused(name: str, what: str) -> str:
    if what == "split":
        return f"column {name!r} gives a split, which is not used; use it with --split-column {name!r}"
    return f"column {name!r} seems to say which rows to leave out; its rows were read like any other row"


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_as_text(item)}" for name, item in value.items())
    return ", ".join(map(_as_text, value)) if isinstance(value, list) else str(value)
