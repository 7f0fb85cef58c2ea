"""The checks that a row of a label sheet must pass before any file is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from openpyxl.utils import get_column_letter

from sonoproof.config import SheetConfig
from sonoproof.data.labels.agreement import find_contradictions
from sonoproof.data.labels.cells import check_cells
from sonoproof.data.labels.columns import Layout
from sonoproof.data.labels.givensplit import read_given_parts
from sonoproof.data.labels.quarantine import Check
from sonoproof.data.spreadsheets.grid import DATE, Grid
from sonoproof.errors import SheetError, SheetFault

# Beyond this share of the rows the columns, or the values, do not mean what they seem to mean.
MAX_CONTRADICTED = 0.25
MAX_WITHOUT_PART = 0.25


@dataclass(frozen=True)
class SheetRows:
    """The rows of a worksheet with what is needed to check them.

    Attributes:
        grid: The worksheet.
        layout: What is where on it.
        rows: Every row of data, indexed by its 0-based row on the worksheet: `columns`, ``sheet_row``.
        columns: "reference", "value", the group columns -> their column on the worksheet.
    """

    grid: Grid
    layout: Layout
    rows: pd.DataFrame
    columns: Mapping[str, int]
    _contradictions: dict[int, pd.Series[bool]] = field(default_factory=dict, repr=False, compare=False)

    def cells(self, column: int) -> pd.Series[str]:
        """A further column of these rows, as text."""
        return self.grid.cleaned(column).loc[self.rows.index]

    def contradictions(self, column: int) -> pd.Series[bool]:
        """Which rows another column of labels contradicts."""
        if column not in self._contradictions:
            names = (self.layout.names[self.layout.label], self.layout.names[column])
            found = find_contradictions(self.rows["value"], self.cells(column), names=names)
            self._contradictions[column] = found
        return self._contradictions[column]

    def letters(self, column: int) -> str:
        """The letters of a column in the spreadsheet program."""
        return get_column_letter(column + 1)


def check_rows(sheet: SheetRows, *, config: SheetConfig, required: Sequence[str]) -> list[Check]:
    """The checks of each row, the most serious first.

    Args:
        sheet: The rows.
        config: The policy for hidden rows.
        required: Group columns that must be filled in.

    Raises:
        SheetError: So many rows name no part of the given split that its column is not what it seems.
    """
    grid, rows, columns = sheet.grid, sheet.rows, sheet.columns

    def check(name: str, failed: pd.Series[bool], reason: str | pd.Series[str]) -> Check:
        return Check(failed, reason, name, sheet.letters(columns[name]))

    def is_date(name: str) -> pd.Series[bool]:
        return pd.Series(grid.kinds[rows.index, columns[name]] == DATE, index=rows.index)

    def troubled(name: str) -> Check:
        reasons = pd.Series({row: why for (row, at), why in grid.troubled.items() if at == columns[name]}, dtype="str")
        reasons = reasons.reindex(rows.index, fill_value="")
        return check(name, (reasons != "") & (rows[name] == ""), reasons)

    return [
        check("reference", _repeats_header(sheet), "repeats the column names"),
        troubled("reference"),
        check("reference", rows["reference"] == "", "has no image reference"),
        check("reference", is_date("reference"), "image reference is a date; format the column as text"),
        troubled("value"),
        *(check(name, failed, reason) for name, failed, reason in check_cells(grid, rows, columns)),
        check("value", rows["value"] == "", "has no label"),
        check("value", is_date("value"), "label is a date; did the spreadsheet program change it?"),
        *(check(name, rows[name] == "", f"has no {name}") for name in required),
        check("reference", _left_out(sheet, config), "is hidden in the sheet"),
        *_check_split(sheet),
    ]


def read_split(sheet: SheetRows) -> pd.Series[str]:
    """The part that the sheet gives each row; "" where it gives none or an unknown one."""
    column = sheet.layout.split
    if column is None:
        return pd.Series("", index=sheet.rows.index, dtype="str")
    return read_given_parts(sheet.layout.names[column], sheet.cells(column))


def _left_out(sheet: SheetRows, config: SheetConfig) -> pd.Series[bool]:
    """Which rows are left out because they are hidden."""
    hidden = sheet.rows.index.isin(sheet.grid.hidden_rows) & (config.hidden_rows == "drop")
    return pd.Series(hidden, index=sheet.rows.index)


def _repeats_header(sheet: SheetRows) -> pd.Series[bool]:
    layout, rows = sheet.layout, sheet.rows
    if layout.header_row is None:
        return pd.Series(False, index=rows.index)
    return (rows["reference"] == layout.names[layout.image]) & (rows["value"] == layout.names[layout.label])


def find_doubts(sheet: SheetRows, *, config: SheetConfig) -> pd.Series[str]:
    """Why the label of each row is in doubt, "" if no other column of labels contradicts it.

    Args:
        sheet: The rows.
        config: The policies for contradicting labels and hidden rows.

    Raises:
        SheetError: So many rows are contradicted that one of the columns is not what it seems.
    """
    reasons = pd.Series("", index=sheet.rows.index, dtype="str")
    if config.label_conflicts == "keep":
        return reasons
    for column in sheet.layout.other_labels:
        wrong = sheet.contradictions(column) & ~_left_out(sheet, config)
        if config.label_conflicts == "ask" or wrong.sum() > MAX_CONTRADICTED * len(wrong):
            _ask_about(sheet, column, wrong)
        if not wrong.any():
            continue
        said = sheet.cells(column).map(repr) + f" in {sheet.letters(column)}" + sheet.rows["sheet_row"].astype("str")
        found = f"label contradicts {sheet.layout.names[column]!r}: it says " + said
        reasons = reasons.where(~wrong, reasons.where(reasons == "", reasons + "; ") + found)
    return reasons


def _ask_about(sheet: SheetRows, column: int, wrong: pd.Series[bool]) -> None:
    """Raise if rows are contradicted, and list them."""
    if not wrong.any():
        return
    label, other = sheet.layout.names[sheet.layout.label], sheet.layout.names[column]
    cells = zip(sheet.rows["sheet_row"][wrong], sheet.rows["value"][wrong], sheet.cells(column)[wrong], strict=True)
    faults = [
        SheetFault(
            f"{label!r} says {ours!r}, {other!r} says {theirs!r}", sheet.grid.name, int(row), sheet.letters(column)
        )
        for row, ours, theirs in cells
    ]
    raise SheetError(
        f"the columns {label!r} and {other!r} contradict each other in {int(wrong.sum())} of {len(wrong)} rows; correct"
        f" them, or use {label!r} alone with --label-column {label!r} --set sheet.label_conflicts=keep",
        faults=faults,
    )


def _check_split(sheet: SheetRows) -> list[Check]:
    """The check that the given split names a part for each row."""
    column = sheet.layout.split
    if column is None:
        return []
    unknown = read_split(sheet) == ""
    written = sheet.cells(column)
    if unknown.sum() > MAX_WITHOUT_PART * len(unknown):
        counts = written[unknown].value_counts()
        shown = ", ".join(
            f"{value!r} ({count} rows)" if value else f"empty ({count} rows)" for value, count in counts.head(6).items()
        )
        raise SheetError(
            f"worksheet {sheet.grid.name!r}: column {sheet.layout.names[column]!r} ({sheet.letters(column)}) names no"
            f" part of a split in {int(unknown.sum())} of {len(unknown)} rows: {shown}; write train, val or test, or"
            " the numbers of folds in a column named fold, or yes and no in a column named is_test"
        )
    reason = written.map(
        lambda value: f"split is not known: {value!r}; write train, val or test" if value else "has no split"
    )
    return [Check(unknown, reason.astype("str"), "reference", sheet.letters(column))]
