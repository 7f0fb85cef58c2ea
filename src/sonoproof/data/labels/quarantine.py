"""Rows that cannot be used: each with its place, its value and every reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from sonoproof.runfolder import QUARANTINE_COLUMNS

__all__ = ["Check", "empty_quarantine", "quarantine_failed"]


@dataclass(frozen=True)
class Check:
    """A test that rows may fail.

    Attributes:
        failed: Whether each row fails, bool, indexed like the rows.
        reason: Why, for all rows or for each.
        column: Column of the rows table that holds the value at fault.
        letters: Letters of that column in the spreadsheet program, "" if it has none.
    """

    failed: pd.Series[bool]
    reason: str | pd.Series[str]
    column: str = "reference"
    letters: str = ""


def quarantine_failed(
    rows: pd.DataFrame, checks: Sequence[Check], *, worksheet: str, origin: str = "sheet"
) -> pd.DataFrame:
    """One row of `QUARANTINE_COLUMNS` for every row that fails a check: all its reasons, the place of the first.

    Args:
        rows: Columns ``sheet_row`` and ``reference`` and those that the checks name.
        checks: The checks, the most serious first.
        worksheet: Name of the worksheet.
        origin: "sheet" or "test".

    Returns:
        The table, indexed like the rows it holds.
    """
    failed = pd.Series(False, index=rows.index)
    for check in checks:
        failed |= check.failed
    if not failed.any():
        return empty_quarantine()
    table = rows.loc[failed, ["sheet_row", "reference"]].assign(
        reason="", origin=origin, sheet=worksheet, cell="", value=""
    )
    for check in checks:
        _note(table, rows, check)
    return table[list(QUARANTINE_COLUMNS)]


def empty_quarantine() -> pd.DataFrame:
    """A quarantine without rows."""
    return pd.DataFrame({column: pd.Series(dtype="str") for column in QUARANTINE_COLUMNS}).astype(
        {"sheet_row": "int64"}
    )


def _note(table: pd.DataFrame, rows: pd.DataFrame, check: Check) -> None:
    hit = table.index[check.failed.loc[table.index]]
    if hit.empty:
        return
    reason = (
        pd.Series(check.reason, index=rows.index).loc[hit] if isinstance(check.reason, str) else check.reason.loc[hit]
    )
    before = table.loc[hit, "reason"]
    first = hit[before == ""]
    table.loc[hit, "reason"] = before.where(before == "", before + "; ") + reason
    table.loc[first, "value"] = rows.loc[first, check.column]
    if check.letters:
        table.loc[first, "cell"] = check.letters + rows.loc[first, "sheet_row"].astype("str")
