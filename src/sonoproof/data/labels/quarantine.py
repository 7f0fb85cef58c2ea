"""Rows that cannot be used: each with its place, its value and every reason."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from sonoproof.runfolder import QUARANTINE_COLUMNS


@dataclass(frozen=True)
class Check:
    """A test that rows may fail.

    Attributes:
        failed: Whether each row fails, bool, indexed like the rows.
        reason: Why, for all rows or for each.
        column: Column of the rows table that holds the value at fault.
        letters: Letters of that column in the spreadsheet program.
    """

    failed: pd.Series[bool]
    reason: str | pd.Series[str]
    column: str
    letters: str


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
    tables = [_find_failures(rows, check) for check in checks if check.failed.any()]
    if not tables:
        return empty_quarantine()
    failures = pd.concat(tables)
    failed = failures[~failures.index.duplicated()].sort_index()
    several = failures.loc[failures.index.duplicated(keep=False), "reason"].groupby(level=0).agg("; ".join)
    failed.loc[several.index, "reason"] = several
    table = rows.loc[failed.index, ["sheet_row", "reference"]].join(failed)
    return table.assign(origin=origin, sheet=worksheet)[list(QUARANTINE_COLUMNS)]


def empty_quarantine() -> pd.DataFrame:
    """A quarantine without rows."""
    return _empty_quarantine().copy()


@functools.cache
def _empty_quarantine() -> pd.DataFrame:
    return pd.DataFrame({column: pd.Series(dtype="str") for column in QUARANTINE_COLUMNS}).astype(
        {"sheet_row": "int64"}
    )


def _find_failures(rows: pd.DataFrame, check: Check) -> pd.DataFrame:
    failed = rows[check.failed]
    reason = check.reason if isinstance(check.reason, str) else check.reason[check.failed]
    cell = check.letters + failed["sheet_row"].astype("str")
    return pd.DataFrame({"reason": reason, "cell": cell, "value": failed[check.column]}, index=failed.index)
