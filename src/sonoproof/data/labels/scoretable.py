"""A table of scores that another tool wrote: the columns that the user names, read as a label sheet is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from openpyxl.utils import get_column_letter

from sonoproof.data.labels.cells import check_cells, read_as_shown
from sonoproof.data.labels.notknown import says_not_known
from sonoproof.data.labels.sheetcolumns import SheetColumns
from sonoproof.data.labels.spelling import did_you_mean, unify_groups
from sonoproof.data.labels.vocabulary import folded
from sonoproof.data.spreadsheets.grid import DATE, Grid
from sonoproof.data.spreadsheets.visible import clean_text
from sonoproof.data.spreadsheets.workbook import read_grids
from sonoproof.errors import SheetError, SheetFault

HEADER_SEARCH_ROWS = 50
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+(e[-+]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class ScoreTable:
    """The rows of a table of scores.

    Attributes:
        labels: The labels as text, shape (N,).
        scores: The scores; between 0 and 1 unless they are log-odds, shape (N,).
        groups: The groups as text, shape (N,); None if no column was named.
    """

    labels: pd.Series[str]
    scores: pd.Series[float]
    groups: pd.Series[str] | None


def read_score_table(
    path: Path,
    *,
    label: str,
    score: str,
    group: str | None = None,
    logits: bool = False,
    encoding: str | None = None,
    worksheet: str | None = None,
) -> ScoreTable:
    """Read labels, scores and groups; every row must have them.

    Args:
        path: A csv, xlsx, xls or ods file.
        label: Name of the column with the labels.
        score: Name of the column with the scores.
        group: Name of the column with the patients, clips or other sources.
        logits: Whether the scores are log-odds, which may be any number.
        encoding: Text encoding of a csv file; None to find it.
        worksheet: Name of the worksheet; None for the one that has the columns.

    Raises:
        SheetError: The file cannot be read, the columns are not there, or cells cannot be used; every fault is listed.
    """
    names = [name for name in (label, score, group) if name is not None]
    if len({folded(name) for name in names}) < len(names):
        raise SheetError(f"labels, scores and groups must be in different columns, not {', '.join(map(repr, names))}")
    columns, at = _find(path, read_grids(path, encoding=encoding), names=names, worksheet=worksheet)
    rows = _rows(columns, at)
    faults = [*_faults(columns.grid, rows, at), *_score_faults(columns.grid, rows, at[score], logits=logits)]
    if faults:
        cells = dict.fromkeys(faults)
        raise SheetError(f"{path}: cannot be measured; complete or remove these cells' rows", faults=list(cells))
    groups = None if group is None else unify_groups(rows[[group]], [group])[0][group]
    return ScoreTable(rows[label], rows[score].map(lambda text: _number(text, columns.grid)).astype(float), groups)


def _find(
    path: Path, grids: Sequence[Grid], *, names: Sequence[str], worksheet: str | None
) -> tuple[SheetColumns, dict[str, int]]:
    """The one worksheet and header row that have the columns, and where each of these is."""
    wanted = [grid for grid in grids if not worksheet or folded(grid.name) == folded(worksheet)]
    if not wanted:
        known = ", ".join(repr(grid.name) for grid in grids)
        raise SheetError(f"{path}: there is no worksheet {worksheet!r}; there are {known}")
    headers = [(grid, row) for grid in wanted if (row := _header_row(grid, names)) is not None]
    if len(headers) > 1:
        faults = [SheetFault("has these columns", sheet=grid.name) for grid, _ in headers]
        raise SheetError(f"{path}: several worksheets have them; choose with --set sheet.worksheet=NAME", faults=faults)
    if not headers:
        raise SheetError(f"{path}: {_missing(wanted, names)}")
    (grid, row) = headers[0]
    columns = SheetColumns(grid, row)
    if not grid.kinds[columns.first_row :].any():
        raise SheetError(f"{path}: there are no rows below the column names in row {columns.first_row}")
    return columns, {name: _place(columns, name) for name in names}


def _header_row(grid: Grid, names: Sequence[str]) -> int | None:
    keys = {folded(clean_text(name)) for name in names}
    rows = np.flatnonzero(grid.kinds.any(axis=1))[:HEADER_SEARCH_ROWS]
    return next((int(row) for row in rows if keys <= set(map(folded, grid.row(int(row))))), None)


def _place(columns: SheetColumns, name: str) -> int:
    """Where a column is: the one that is spelled exactly so, else the one that differs in case or accents."""
    exact = [index for index, written in enumerate(columns.names) if written == clean_text(name)]
    found = exact or [index for index, written in enumerate(columns.names) if folded(written) == folded(name)]
    if len(found) > 1:
        faults = [columns.fault(index, "has this name") for index in found]
        raise SheetError(f"several columns are named {name!r}; rename all but one", faults=faults)
    return found[0]


def _missing(grids: Sequence[Grid], names: Sequence[str]) -> str:
    """Which column is not there, by the row that has most of them."""
    filled = [grid for grid in grids if grid.height]
    if not filled:
        return "is empty: no worksheet holds a value"
    keys = {folded(name) for name in names}
    rows = [(grid, int(row)) for grid in filled for row in np.flatnonzero(grid.kinds.any(axis=1))[:HEADER_SEARCH_ROWS]]
    grid, row = max(rows, key=lambda at: len(keys & set(map(folded, at[0].row(at[1])))))
    columns = SheetColumns(grid, row)
    missing = [name for name in names if folded(name) not in set(map(folded, columns.names))]
    hint = did_you_mean(missing[0], columns.names) or f" (columns: {columns.list_names()})"
    return f"there is no column {missing[0]!r}{hint}"


def _rows(columns: SheetColumns, at: dict[str, int]) -> pd.DataFrame:
    """The rows with a value anywhere, indexed by their row on the worksheet; numbers shown as words as these words."""
    index = columns.cells(next(iter(at.values()))).index.to_numpy()
    return pd.DataFrame({name: read_as_shown(columns.grid, column, index) for name, column in at.items()})


def _faults(grid: Grid, rows: pd.DataFrame, at: dict[str, int]) -> Iterator[SheetFault]:
    """What is missing, or is not what the cell shows."""
    for name, column in at.items():
        for row in rows.index[rows[name] == ""].tolist():
            yield _fault(grid, row, column, grid.troubled.get((row, column)) or f"no value in the column {name!r}")
        for row in rows.index[grid.kinds[rows.index, column] == DATE].tolist():
            yield _fault(grid, row, column, "is a date; did the spreadsheet program change it?")
    for name, failed, problem in check_cells(grid, rows, at):
        for row in failed.index[failed].tolist():
            yield _fault(grid, row, at[name], problem)
    first = next(iter(at.values()))
    for row, text in rows[next(iter(at))].items():
        if text and text != "-" and says_not_known(text):
            yield _fault(grid, int(str(row)), first, "the label says that it is not known")


def _score_faults(grid: Grid, rows: pd.DataFrame, column: int, *, logits: bool) -> Iterator[SheetFault]:
    for row, text in zip(rows.index.tolist(), grid.cleaned(column).loc[rows.index], strict=True):
        number = _number(text, grid)
        if text and (number is None or not np.isfinite(number)):
            yield _fault(grid, row, column, "the score is not a number")
        elif number is not None and not logits and not 0 <= number <= 1:
            yield _fault(grid, row, column, "the score is not a probability between 0 and 1 (--logits for log-odds)")


def _number(text: str, grid: Grid) -> float | None:
    """A number; with a decimal comma where commas do not divide the fields, as in 0,75."""
    if grid.notes.get("delimiter", ",") != "," and _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def _fault(grid: Grid, row: int, column: int, problem: str) -> SheetFault:
    value = grid.columns[column].iloc[row]
    return SheetFault(problem, grid.name, row + 1, get_column_letter(column + 1), value or None)
