"""What the cells of the columns in use say, where the value that is stored is not the whole truth.

A number may be shown as another text, a long number has lost digits, and a formula may never have been calculated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from sonoproof.data.spreadsheets.grid import NUMBER, Grid
from sonoproof.data.spreadsheets.numberformats import GENERAL
from sonoproof.types import IntArray

MAX_DIGITS = 15  # that a spreadsheet program keeps of a number
UNTRUSTED = "holds a formula whose result no spreadsheet program stored; open the sheet, let it calculate, and save it"
TOO_LONG = f"is a number of more than {MAX_DIGITS} digits, of which a spreadsheet keeps {MAX_DIGITS}; enter it as text"
_ONLY_NUMBER = re.compile(r"[\d.,%\s()+-]*")
_PLAIN_NUMBER = re.compile(r"(0|[1-9]\d*)(\.\d*[1-9])?", re.ASCII)
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_WITH_WORDS = re.compile(r'"[^"]*\w[^"]*"|\[[=<>]|\\\w')


def holds_numbers(grid: Grid, column: int, rows: IntArray) -> pd.Series[bool]:
    """Which rows hold a number that is shown as one."""
    numbers = pd.Series(grid.kinds[rows, column] == NUMBER, index=pd.Index(rows))
    return numbers & (read_as_shown(grid, column, rows) == grid.cleaned(column).iloc[rows])


def read_as_shown(grid: Grid, column: int, rows: IntArray) -> pd.Series[str]:
    """The texts of a column; where a number is shown with letters (``IM0007``, ``malignant``), what is shown."""
    texts = grid.cleaned(column).iloc[rows]
    if not _has_formats(grid, column):
        return texts
    shown = pd.Series("", index=texts.index, dtype="str")
    found = {row: text for row, text in _shown(grid, column, rows) if text and not _ONLY_NUMBER.fullmatch(text)}
    shown.update(pd.Series(found, dtype="str"))
    return texts.where(shown == "", shown)


def shown_references(grid: Grid, column: int, rows: IntArray) -> pd.Series[str]:
    """What cells with numbers show, where they have a number format of their own; "" elsewhere.

    In a csv file that is the text, if any number of the column has zeros that a general format does not show.
    """
    shown = pd.Series("", index=pd.Index(rows), dtype="str")
    references = grid.cleaned(column).iloc[rows]
    numbers = numbers_of_csv(grid, references)
    if not all(_PLAIN_NUMBER.fullmatch(text) for text in references[numbers]):
        return references.where(numbers, "")
    if _has_formats(grid, column):
        shown.update(pd.Series({row: text for row, text in _shown(grid, column, rows) if text}, dtype="str"))
    return shown


def numbers_of_csv(grid: Grid, references: pd.Series[str]) -> pd.Series[bool]:
    """Which references of a csv file are numbers: another program may have removed or added zeros (007, 1.10)."""
    if "encoding" not in grid.notes:
        return pd.Series(False, index=references.index)
    return references.map(lambda text: _NUMBER.fullmatch(text) is not None).astype(bool)


def calculated_columns(grid: Grid, columns: Mapping[str, int]) -> dict[str, int]:
    """Name of each column that is calculated -> how many of its cells are."""
    counts = {name: len(grid.marks.formulas.get(column, ())) for name, column in columns.items()}
    return {name: count for name, count in counts.items() if count}


def check_cells(
    grid: Grid, rows: pd.DataFrame, columns: Mapping[str, int]
) -> Iterator[tuple[str, pd.Series[bool], str]]:
    """Yield the checks of each column: its name, which rows fail, and why.

    Args:
        grid: The worksheet.
        rows: Its rows of data, indexed by their row on the worksheet, with the columns as text.
        columns: Name in ``rows`` -> column on the worksheet.
    """
    for name, column in columns.items():
        numbers = pd.Series(grid.kinds[rows.index, column] == NUMBER, index=rows.index)
        if name == "reference":
            yield name, numbers & rows[name].map(_is_too_long), f"image reference {TOO_LONG}"
        if grid.marks.formulas.get(column) and not _are_stored(grid, column):
            yield name, pd.Series(rows.index.isin(grid.marks.formulas[column]), index=rows.index), UNTRUSTED
        unclear = _unclear_formats(grid, column, rows.index.to_numpy())
        if unclear:
            problem = "is shown in a number format that is not understood here; format the column as text"
            yield name, pd.Series(rows.index.isin(unclear), index=rows.index), problem


def _are_stored(grid: Grid, column: int) -> bool:
    """Whether the results of a column's formulas are those of a spreadsheet program.

    Libraries store nothing, or 0, and tell the program to calculate when it opens the file.
    """
    rows = [row for row in grid.marks.formulas[column] if row < grid.height]
    return not grid.marks.recalculates and any(grid.columns[column].iloc[row] not in {"", "0", "FALSE"} for row in rows)


def _is_too_long(number: str) -> bool:
    return "e+" in number or len(number.lstrip("-0.").replace(".", "")) > MAX_DIGITS


def _has_formats(grid: Grid, column: int) -> bool:
    formats = grid.marks.formats.get(column, [])
    return any(code != GENERAL for _, code in formats) or any(at == column for _, at in grid.marks.shown)


def _shown(grid: Grid, column: int, rows: IntArray) -> Iterator[tuple[int, str | None]]:
    """Row and shown text of the cells with numbers in a format that is not the general one."""
    for row in rows[np.flatnonzero(grid.kinds[rows, column] == NUMBER)].tolist():
        if (row, column) in grid.marks.shown or grid.marks.find_format(row, column) != GENERAL:
            yield row, grid.shown(row, column)


def _unclear_formats(grid: Grid, column: int, rows: IntArray) -> set[int]:
    """Rows whose number is shown with words in a format that is not understood."""
    if not _has_formats(grid, column):
        return set()
    return {
        row
        for row, text in _shown(grid, column, rows)
        if text is None and _WITH_WORDS.search(grid.marks.find_format(row, column))
    }
