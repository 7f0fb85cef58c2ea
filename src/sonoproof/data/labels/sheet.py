"""The label sheet: which worksheet, which columns, which rows; what a row says, before any file is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from openpyxl.utils import get_column_letter

from sonoproof.classes import Classes
from sonoproof.config import SheetConfig
from sonoproof.data.folder.severalnames import split_names
from sonoproof.data.labels.cells import (
    calculated_columns,
    holds_numbers,
    numbers_of_csv,
    read_as_shown,
    shown_references,
)
from sonoproof.data.labels.coding import LabelCoding, code_labels, label_values
from sonoproof.data.labels.columns import Layout, find_layout
from sonoproof.data.labels.givensplit import GIVEN_SPLIT
from sonoproof.data.labels.labelvalues import LabelColumn
from sonoproof.data.labels.quarantine import quarantine_failed
from sonoproof.data.labels.rowchecks import SheetRows, check_rows, find_doubts, read_split
from sonoproof.data.labels.spelling import unify_groups
from sonoproof.data.labels.vocabulary import word_set
from sonoproof.data.labels.worksheets import choose_worksheet
from sonoproof.data.spreadsheets.grid import Grid
from sonoproof.data.spreadsheets.workbook import read_grids
from sonoproof.errors import CohortError
from sonoproof.runfolder import RECORD_COLUMNS

# Group column of the rows whose cell listed several images: they stay on one side of the split.
IMAGES_OF_ROW = "images_of_row"
DOUBT = "doubt"
# Names that the tables of a run give to columns of their own.
RESERVED_NAMES = (
    frozenset(RECORD_COLUMNS)
    | {GIVEN_SPLIT, DOUBT}
    | word_set("sheet_row reference value is_number shown lost_zeros link format mode file_bytes")
)


@dataclass(frozen=True)
class LabelSheet:
    """What a sheet says.

    Attributes:
        rows: The rows that can be used: ``sheet_row`` (1-based, as the spreadsheet program shows it), ``reference``
            (text), ``value`` (the label cell as text), ``is_number`` (whether the reference's cell holds a number),
            ``shown`` (the text that such a cell shows, if its format is not the general one), ``lost_zeros`` (whether
            it may have been a number in another program), ``link`` (the target of a link, or ""), then the group
            columns (text), then ``given_split`` (``fit``, ``val``, ``test``, ``fold 3``, … or "") and
            ``doubt`` (why another column of labels contradicts the label, or "").
        faults: The rows that cannot, as `QUARANTINE_COLUMNS`.
        rows_read: Rows of data; rows without any value are not counted.
        label_column: Name of the label column.
        group_columns: Names of the group columns in ``rows``.
        group_headers: Their names in the sheet.
        worksheet: Name of the worksheet.
        split_column: Name of the column that gives the split; "" if none is used.
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
    split_column: str = ""
    letters: dict[str, str] = field(default_factory=dict)
    inferred: dict[str, Any] = field(default_factory=dict)

    def code_labels(self, config: SheetConfig, *, classes: Classes | None = None) -> LabelCoding:
        """Settle the classes and what each value of the label column says; see `coding.code_labels`.

        Raises:
            CohortError: No row can be used.
        """
        if self.rows.empty and self.rows_read:
            reasons = self.faults["reason"].value_counts().head(3)
            why = "; ".join(f"{count} × {reason}" for reason, count in reasons.items())
            raise CohortError(f"worksheet {self.worksheet!r}: none of its {self.rows_read} rows can be used: {why}")
        return code_labels(
            label_values(self.rows),
            column=LabelColumn(self.label_column, self.letters["value"], self.worksheet),
            positive=config.positive,
            negative=config.negative,
            excluded=config.exclude_labels,
            classes=classes,
        )


def read_sheet(
    path: Path, *, config: SheetConfig, in_folder: Callable[[str], bool] = lambda _: False, groups_required: bool = True
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

    grid, layout = choose_worksheet(
        path, read_grids(path, encoding=config.encoding), wanted=config.worksheet, find=find
    )
    groups = tuple(table_name(layout.names[column]) for column in layout.groups)
    columns = {"reference": layout.image, "value": layout.label, **dict(zip(groups, layout.groups, strict=True))}
    rows, unified = unify_groups(_read_rows(grid, layout, columns), groups)
    required = groups if groups_required and layout.groups_named else ()
    sheet = SheetRows(grid, layout, rows, columns)
    faults = quarantine_failed(rows, check_rows(sheet, config=config, required=required), worksheet=grid.name)
    rows = rows.assign(**{GIVEN_SPLIT: read_split(sheet), DOUBT: find_doubts(sheet, config=config)})
    usable = rows.drop(index=faults.index)
    names = usable["reference"].map(
        lambda cell: split_names(cell, in_folder) if config.several_images == "rows" else ()
    )
    usable = _one_row_per_image(usable, names)
    return LabelSheet(
        rows=usable.reset_index(drop=True),
        faults=faults.reset_index(drop=True),
        rows_read=len(faults) + len(usable),
        label_column=layout.names[layout.label],
        group_columns=(*groups, *([IMAGES_OF_ROW] if IMAGES_OF_ROW in usable else [])),
        group_headers=tuple(layout.names[column] for column in layout.groups),
        worksheet=grid.name,
        letters={name: get_column_letter(column + 1) for name, column in columns.items()},
        split_column="" if layout.split is None else layout.names[layout.split],
        inferred={**_describe(sheet, groups, config), "group_spellings_unified": unified},
    )


def _one_row_per_image(rows: pd.DataFrame, names: pd.Series[Any]) -> pd.DataFrame:
    """A row for each name of a cell that lists several; rows from one cell share a value of `IMAGES_OF_ROW`."""
    several = names.map(len) > 1
    if not several.any():
        return rows
    listed = names.where(several, rows["reference"].map(lambda reference: (reference,)))
    marks = ("row " + rows["sheet_row"].astype("str")).where(several, "")
    longer = rows.assign(reference=listed, **{IMAGES_OF_ROW: marks}).explode("reference")
    return longer.astype({"reference": "str", IMAGES_OF_ROW: "str"})


def table_name(header: str) -> str:
    """The name that a column of the sheet has in our tables, which have columns of their own."""
    return f"sheet_{header}" if header in RESERVED_NAMES else header


def _read_rows(grid: Grid, layout: Layout, columns: Mapping[str, int]) -> pd.DataFrame:
    """Every row of data that has a value anywhere, indexed by its 0-based row on the worksheet."""
    data = np.flatnonzero(grid.kinds.any(axis=1))
    data = data[data >= layout.first_row]
    rows = pd.DataFrame({"sheet_row": data.astype(np.int64) + 1}, index=pd.Index(data))
    rows = rows.assign(**{name: read_as_shown(grid, column, data) for name, column in columns.items()})
    rows.insert(3, "is_number", holds_numbers(grid, layout.image, data) & (rows["reference"] != ""))
    rows.insert(4, "shown", shown_references(grid, layout.image, data))
    rows.insert(5, "lost_zeros", numbers_of_csv(grid, rows["reference"]))
    rows.insert(6, "link", [grid.marks.links.get((row, layout.image), "") for row in data.tolist()])
    return rows


def _describe(sheet: SheetRows, groups: Sequence[str], config: SheetConfig) -> dict[str, Any]:
    grid, layout, rows = sheet.grid, sheet.layout, sheet.rows

    def describe_column(column: int, role: str) -> dict[str, str]:
        return {"name": layout.names[column], "letters": sheet.letters(column), "chosen": layout.reasons.get(role, "")}

    chosen = "named by the user" if layout.groups_named else "by name and content"
    return {
        "worksheet": grid.name,
        "header_row": None if layout.header_row is None else layout.header_row + 1,
        "image_column": describe_column(layout.image, "image_column"),
        "label_column": describe_column(layout.label, "label_column"),
        "group_columns": list(groups),
        "group_columns_chosen": chosen if groups else "",
        "missing_group_columns": list(layout.missing_groups),
        "unused_group_columns": {layout.names[column]: why for column, why in layout.groups_left.items()},
        "other_label_columns": [layout.names[column] for column in layout.other_labels],
        "rows_contradicted": _count_contradictions(sheet, layout.other_labels),
        "rows_contradicted_policy": config.label_conflicts if layout.other_labels else "",
        "hidden_rows_policy": config.hidden_rows if grid.hidden_rows else "",
        "rows_where_readers_differ": _count_contradictions(sheet, layout.readers),
        "calculated_columns": calculated_columns(grid, {layout.names[at]: at for at in sheet.columns.values()}),
        "split_column": "" if layout.split is None else layout.names[layout.split],
        "unused_columns": {layout.names[column]: what for column, what in layout.set_aside.items()},
        "last_row": int(rows["sheet_row"].max()) if len(rows) else None,
        "blank_rows_skipped": int((~grid.kinds[layout.first_row :].any(axis=1)).sum()),
        **grid.notes,
    }


def _count_contradictions(sheet: SheetRows, columns: Sequence[int]) -> dict[str, int]:
    """For each column of labels that contradicts the chosen one, in how many rows it does."""
    counts = {sheet.layout.names[column]: int(sheet.contradictions(column).sum()) for column in columns}
    return {name: count for name, count in counts.items() if count}
