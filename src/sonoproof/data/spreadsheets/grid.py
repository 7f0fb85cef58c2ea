"""A worksheet as a grid of texts, with the kind each cell had: what all sheet formats are read into."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from openpyxl.utils import get_column_letter

from sonoproof.data.spreadsheets.marks import CellMarks
from sonoproof.data.spreadsheets.numberformats import shown_number
from sonoproof.data.spreadsheets.visible import BLANK, INVISIBLE, clean_text
from sonoproof.errors import SheetError

EMPTY, TEXT, NUMBER, LOGICAL, DATE = range(5)

Kinds = npt.NDArray[np.uint8]
TextArray = Any  # a pandas string array: its class depends on whether pyarrow is installed
MergedRange = tuple[tuple[int, int], tuple[int, int]]

CHUNK_ROWS = 20_000
NOTED_COLUMNS = 50
MAX_COLUMNS = 16_384  # as many as spreadsheet programs have
MAX_WHOLE = 1e15  # beyond it a number of a spreadsheet no longer holds every digit


class DateText(str):
    """A date that arrives as text but was a date in the sheet."""


@dataclass(frozen=True)
class Grid:
    """A worksheet.

    Attributes:
        name: The worksheet's name (for a csv file the file's name).
        columns: For each spreadsheet column, its cells as text from row 1 on; "" where empty.
        kinds: Kind of each cell (`EMPTY`, `TEXT`, `NUMBER`, `LOGICAL`, `DATE`), uint8 of shape (rows, columns).
        visible: Whether the worksheet is shown.
        troubled: Cells that read as empty though they are not: (row, column), 0-based -> why.
        hidden_rows: Rows (0-based) that are hidden, by hand, by a filter or by a folded outline.
        hidden_columns: Columns (0-based) that are hidden.
        marks: Number formats, formulas and links of the cells.
        notes: What a person should know about the worksheet, JSON-able (hidden rows, merged cells, encoding, …).
    """

    name: str
    columns: tuple[pd.Series[str], ...]
    kinds: Kinds
    visible: bool = True
    troubled: dict[tuple[int, int], str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()
    marks: CellMarks = field(default_factory=CellMarks)

    @property
    def height(self) -> int:
        """Rows up to the last value."""
        return len(self.kinds)

    def row(self, index: int) -> list[str]:
        """The cleaned texts of a row (0-based)."""
        return [clean_text(column.iloc[index]) for column in self.columns]

    def shown(self, row: int, column: int) -> str | None:
        """What a cell with a number shows; None if its number format is not understood."""
        text = self.marks.shown.get((row, column))
        return text or shown_number(self.columns[column].iloc[row], self.marks.find_format(row, column))

    def cleaned(self, column: int) -> pd.Series[str]:
        """A column's texts without blanks, visible or not, at either end."""
        return self.columns[column].str.strip(BLANK + INVISIBLE)


def build_grid(
    rows: Iterable[Sequence[Any]],
    *,
    name: str,
    first_column: int = 0,
    merged: Sequence[MergedRange] = (),
    visible: bool = True,
    troubled: dict[tuple[int, int], str] | None = None,
    hidden_rows: Iterable[int] = (),
    hidden_columns: Iterable[int] = (),
    marks: CellMarks | None = None,
    notes: dict[str, Any] | None = None,
) -> Grid:
    """Build a grid from rows of cell values, one chunk at a time, so that not all values are held at once.

    Args:
        rows: Rows from row 1 on; they may differ in length.
        name: The worksheet's name.
        first_column: 0-based column of each row's first value.
        merged: Merged ranges, 0-based and inclusive; a range's value is copied down its first column.
        visible: Whether the worksheet is shown.
        troubled: Cells that read as empty though they are not.
        hidden_rows: Rows (0-based) that are hidden.
        hidden_columns: Columns (0-based) that are hidden.
        marks: Number formats, formulas and links of the cells.
        notes: What a person should know about the worksheet.

    Raises:
        SheetError: A row has more columns than any spreadsheet.
    """
    chunks = [_texts_and_kinds(chunk) for chunk in _chunks(rows, name=name)]
    width = first_column + max((len(texts) for texts, _ in chunks), default=0)
    columns = [_column(chunks, column - first_column) for column in range(width)]
    kinds = np.zeros((sum(len(kinds) for _, kinds in chunks), width), np.uint8)
    start = 0
    for texts, part in chunks:
        kinds[start : start + len(part), first_column : first_column + len(texts)] = part
        start += len(part)
    for (top, left), (bottom, _) in merged:
        if left < width and bottom > top:
            _fill_down(columns, kinds, column=left, top=top, bottom=bottom)
    filled = np.flatnonzero(kinds.any(axis=1)), np.flatnonzero(kinds.any(axis=0))
    hidden = (
        frozenset(hidden_rows).intersection(filled[0].tolist()),
        frozenset(hidden_columns).intersection(filled[1].tolist()),
    )
    told = {**(notes or {}), **_layout_notes(*hidden, merged_ranges=len(merged))}
    return Grid(name, tuple(columns), kinds, visible, troubled or {}, told, *hidden, marks or CellMarks())


def _layout_notes(
    hidden_rows: Collection[int], hidden_columns: Collection[int], *, merged_ranges: int
) -> dict[str, Any]:
    notes: dict[str, Any] = {}
    if hidden_rows:
        notes["hidden_rows"] = len(hidden_rows)
    if hidden_columns:
        notes["hidden_columns"] = [get_column_letter(column + 1) for column in sorted(hidden_columns)[:NOTED_COLUMNS]]
    if merged_ranges:
        notes["merged_ranges"] = merged_ranges
    return notes


def _chunks(rows: Iterable[Sequence[Any]], *, name: str) -> Iterator[list[Sequence[Any]]]:
    iterator = iter(rows)
    while chunk := list(itertools.islice(iterator, CHUNK_ROWS)):
        if max(map(len, chunk)) > MAX_COLUMNS:
            raise SheetError(f"worksheet {name!r} has more than {MAX_COLUMNS:,} columns; is the file damaged?")
        yield chunk


def _texts_and_kinds(chunk: list[Sequence[Any]]) -> tuple[list[TextArray], Kinds]:
    """A chunk's columns as texts, and its cells' kinds as uint8 of shape (rows, columns)."""
    cells = list(itertools.zip_longest(*chunk, fillvalue=""))
    kinds = np.zeros((len(chunk), len(cells)), np.uint8)
    texts: list[TextArray] = []
    for index, column in enumerate(cells):
        # Most columns hold one type, which spares a look at every cell.
        types = set(map(type, column))
        if types == {str}:
            texts.append(pd.array(column, dtype="str"))
            kinds[:, index] = np.fromiter(map(bool, column), np.uint8, len(column)) * TEXT
        elif types == {float} and all(map(float.is_integer, column)) and max(map(abs, column)) < MAX_WHOLE:
            texts.append(pd.array(list(map(str, map(int, column))), dtype="str"))
            kinds[:, index] = NUMBER
        else:
            read, kinds[:, index] = zip(*map(_read_cell, column), strict=True)
            texts.append(pd.array(read, dtype="str"))
    return texts, kinds


def _read_cell(value: Any) -> tuple[str, int]:
    """A cell value as the text a person would have typed (1.0 is "1"), and its kind."""
    if isinstance(value, str) or value is None:
        return value or "", DATE if isinstance(value, DateText) else TEXT if value else EMPTY
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE", LOGICAL
    if isinstance(value, int | float):
        whole = isinstance(value, int) or (value.is_integer() and abs(value) < MAX_WHOLE)
        return str(int(value)) if whole else f"{value:.15g}", NUMBER  # as many digits as spreadsheet programs show
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value), DATE


def _column(chunks: list[tuple[list[TextArray], Kinds]], index: int) -> pd.Series[str]:
    parts = [
        pd.Series(texts[index] if 0 <= index < len(texts) else pd.array([""] * len(kinds), dtype="str"))
        for texts, kinds in chunks
    ]
    return pd.concat(parts, ignore_index=True)


def _fill_down(columns: list[pd.Series[str]], kinds: Kinds, *, column: int, top: int, bottom: int) -> None:
    """Give the cells that a merged range covers the value of its first cell."""
    covered = slice(top + 1, min(bottom + 1, len(kinds)))
    if top < len(kinds) and not kinds[covered, column].any():
        columns[column].iloc[covered] = columns[column].iloc[top]
        kinds[covered, column] = kinds[top, column]
