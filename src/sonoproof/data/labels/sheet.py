"""The label sheet: which worksheet, which columns, which rows; what a row says, before any file is looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from openpyxl.utils import get_column_letter

from sonoproof.classes import Classes
from sonoproof.config import SheetConfig
from sonoproof.data.labels.coding import LabelCoding, LabelColumn, code_labels, label_values
from sonoproof.data.labels.columns import Layout, find_layout
from sonoproof.data.labels.quarantine import Check, quarantine_failed
from sonoproof.data.labels.spelling import unified_groups
from sonoproof.data.labels.worksheets import choose_worksheet
from sonoproof.data.spreadsheets.grid import DATE, NUMBER, Grid
from sonoproof.data.spreadsheets.workbook import read_grids
from sonoproof.runfolder import RECORD_COLUMNS

__all__ = ["LabelSheet", "read_sheet", "table_name"]

# Names that tables of a run give to columns of their own.
RESERVED_NAMES = frozenset(RECORD_COLUMNS) | {
    "sheet_row",
    "reference",
    "value",
    "is_number",
    "format",
    "mode",
    "file_bytes",
}


@dataclass(frozen=True)
class LabelSheet:
    """What a sheet says.

    Attributes:
        rows: The rows that can be used: ``sheet_row`` (1-based, as the spreadsheet program shows it), ``reference``
            (text), ``value`` (the label cell as text), ``is_number`` (whether the reference's cell holds a number),
            then the group columns (text).
        faults: The rows that cannot, as `QUARANTINE_COLUMNS`.
        rows_read: Rows of data; rows without any value are not counted.
        label_column: Name of the label column.
        group_columns: Names of the group columns in ``rows``.
        group_headers: Their names as the sheet has them.
        worksheet: Name of the worksheet.
        letters: "reference", "value" and each group column -> its letters in the spreadsheet program.
        inferred: What was inferred, JSON-able.
    """

    rows: pd.DataFrame
    faults: pd.DataFrame
    rows_read: int
    label_column: str
    group_columns: tuple[str, ...] = ()
    group_headers: tuple[str, ...] = ()
    worksheet: str = ""
    letters: dict[str, str] = field(default_factory=dict)
    inferred: dict[str, Any] = field(default_factory=dict)

    def code_labels(self, *, positive: str | None, classes: Classes | None = None) -> LabelCoding:
        """Settle the classes and what each value of the label column says; see `coding.code_labels`."""
        column = LabelColumn(self.label_column, self.letters["value"], self.worksheet)
        return code_labels(label_values(self.rows), column=column, positive=positive, classes=classes)


def read_sheet(
    path: Path,
    *,
    config: SheetConfig,
    in_folder: Callable[[str], bool] = lambda _: False,
    groups_required: bool = True,
) -> LabelSheet:
    """Read a label sheet (xlsx, xls, ods, csv): find the worksheet, the header and the columns, and check every row.

    Args:
        path: The sheet.
        config: What the user named; the rest is found by name and content.
        in_folder: Whether a reference names a file of the image folder, which helps to find the image column.
        groups_required: Whether group columns that the user named must exist and be filled in on every row.

    Raises:
        SheetError: The sheet cannot be read, or what it says is not clear.
    """

    def find(grid: Grid) -> Layout:
        return find_layout(grid, config=config, in_folder=in_folder, groups_required=groups_required)

    grid, layout = choose_worksheet(path, read_grids(path), wanted=config.worksheet, find=find)
    names = _group_names(layout)
    rows = _rows(grid, layout, names)
    letters = _letters(layout, names)
    inferred = _inferred(grid, layout, rows, names)
    rows, inferred["group_spellings_unified"] = unified_groups(rows, names)
    filled = names if groups_required and layout.groups_named else ()
    faults = quarantine_failed(rows, _checks(grid, layout, rows, letters, groups=filled), worksheet=grid.name)
    return LabelSheet(
        rows=rows.drop(index=faults.index).reset_index(drop=True),
        faults=faults.reset_index(drop=True),
        rows_read=len(rows),
        label_column=layout.names[layout.label],
        group_columns=names,
        group_headers=tuple(layout.names[column] for column in layout.groups),
        worksheet=grid.name,
        letters=letters,
        inferred=inferred,
    )


def _group_names(layout: Layout) -> tuple[str, ...]:
    """Names of the group columns in our tables."""
    return tuple(table_name(layout.names[column]) for column in layout.groups)


def table_name(header: str) -> str:
    """The name that a column of the sheet has in our tables, which have columns of their own."""
    return f"sheet_{header}" if header in RESERVED_NAMES else header


def _letters(layout: Layout, names: Sequence[str]) -> dict[str, str]:
    columns = {"reference": layout.image, "value": layout.label, **dict(zip(names, layout.groups, strict=True))}
    return {name: get_column_letter(column + 1) for name, column in columns.items()}


def _rows(grid: Grid, layout: Layout, names: Sequence[str]) -> pd.DataFrame:
    """Every row of data that has a value anywhere, indexed by its 0-based row on the worksheet."""
    data = np.flatnonzero(grid.kinds.any(axis=1))
    data = data[data >= layout.first_row]
    return pd.DataFrame(
        {
            "sheet_row": data.astype(np.int64) + 1,
            "reference": grid.cleaned(layout.image).iloc[data],
            "value": grid.cleaned(layout.label).iloc[data],
            "is_number": grid.kinds[data, layout.image] == NUMBER,
            **{name: grid.cleaned(column).iloc[data] for name, column in zip(names, layout.groups, strict=True)},
        },
        index=pd.Index(data),
    )


def _checks(
    grid: Grid, layout: Layout, rows: pd.DataFrame, letters: dict[str, str], *, groups: Sequence[str]
) -> list[Check]:
    image_kind, label_kind = (
        pd.Series(grid.kinds[rows.index, column], index=rows.index) for column in (layout.image, layout.label)
    )
    checks = [
        Check(_repeats_header(layout, rows), "repeats the column names", "reference", letters["reference"]),
        *_trouble(grid, rows, "reference", layout.image),
        Check(rows["reference"] == "", "has no image reference", "reference", letters["reference"]),
        Check(
            image_kind == DATE,
            "image reference is a date; format the column as text",
            "reference",
            letters["reference"],
        ),
        *_trouble(grid, rows, "value", layout.label),
        Check(rows["value"] == "", "has no label", "value", letters["value"]),
        Check(
            label_kind == DATE, "label is a date; was it changed by the spreadsheet program?", "value", letters["value"]
        ),
    ]
    return checks + [Check(rows[name] == "", f"has no {name}", name, letters[name]) for name in groups]


def _repeats_header(layout: Layout, rows: pd.DataFrame) -> pd.Series[bool]:
    if layout.header_row is None:
        return pd.Series(False, index=rows.index)
    return (rows["reference"] == layout.names[layout.image]) & (rows["value"] == layout.names[layout.label])


def _trouble(grid: Grid, rows: pd.DataFrame, name: str, column: int) -> list[Check]:
    """Checks for the cells of a column that read as empty though they are not."""
    reasons = pd.Series({row: why for (row, at), why in grid.troubled.items() if at == column}, dtype="str")
    reasons = reasons.reindex(rows.index, fill_value="")
    failed = (reasons != "") & (rows[name] == "")
    return [Check(failed, reasons, name, get_column_letter(column + 1))] if failed.any() else []


def _inferred(grid: Grid, layout: Layout, rows: pd.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    blank = int((~grid.kinds[layout.first_row :].any(axis=1)).sum())
    return {
        "worksheet": grid.name,
        "header_row": None if layout.header_row is None else layout.header_row + 1,
        "image_column": _described(layout, layout.image, "image_column"),
        "label_column": _described(layout, layout.label, "label_column"),
        "group_columns": list(names),
        "group_columns_chosen": ("named by the user" if layout.groups_named else "by name and content")
        if names
        else "",
        "missing_group_columns": list(layout.missing_groups),
        "unused_group_columns": {layout.names[column]: why for column, why in layout.groups_left.items()},
        "other_label_columns": [layout.names[column] for column in layout.other_labels],
        "last_row": int(rows["sheet_row"].max()) if len(rows) else None,
        "blank_rows_skipped": blank,
        **grid.notes,
    }


def _described(layout: Layout, column: int, role: str) -> dict[str, str]:
    return {
        "name": layout.names[column],
        "letters": get_column_letter(column + 1),
        "chosen": layout.reasons.get(role, ""),
    }
