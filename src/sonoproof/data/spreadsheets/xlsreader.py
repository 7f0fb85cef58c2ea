"""Reading old workbooks (xls) in a process of their own, so that a damaged one cannot take this one along."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from openpyxl.styles.numbers import BUILTIN_FORMATS

from sonoproof.data.spreadsheets import xlschild
from sonoproof.data.spreadsheets.container import damage_error, password_error
from sonoproof.data.spreadsheets.grid import DateText, Grid, build_grid
from sonoproof.data.spreadsheets.marks import CellMarks
from sonoproof.data.spreadsheets.numberformats import GENERAL
from sonoproof.errors import SheetError

TIME_LIMIT_S = 120


def read_xls_grids(path: Path) -> list[Grid]:
    """Read every worksheet of an xls file.

    Raises:
        SheetError: The file is damaged or protected by a password.
    """
    command = [sys.executable, "-I", str(Path(xlschild.__file__)), str(path.absolute())]
    try:
        result = subprocess.run(command, capture_output=True, timeout=TIME_LIMIT_S, check=False)  # noqa: S603 - our own script
    except subprocess.TimeoutExpired as error:
        raise SheetError(f"{path}: could not be read within {TIME_LIMIT_S} s; save it as xlsx or csv") from error
    if result.returncode == xlschild.PASSWORD_EXIT_CODE:
        raise password_error(path)
    if result.returncode:
        raise damage_error(path, _find_reason(result.stderr))
    return [_grid(sheet) for sheet in json.loads(result.stdout, object_hook=_restored)]


def _find_reason(stderr: bytes) -> str:
    """The line of a process that says why it ended, without traces and notes."""
    lines = stderr.decode("utf-8", "replace").splitlines()
    reasons = [line for line in lines if line and not line.startswith((" ", "note:", "stack backtrace:", "Traceback"))]
    return reasons[-1] if reasons else "no reason given"


def _restored(value: dict[str, Any]) -> Any:
    return DateText(value["date"]) if value.keys() == {"date"} else value


def _grid(sheet: dict[str, Any]) -> Grid:
    merged = [((top, left), (bottom, right)) for (top, left), (bottom, right) in sheet["merged"]]
    return build_grid(
        sheet["rows"],
        name=sheet["name"],
        first_column=sheet["first_column"],
        merged=merged,
        visible=sheet["visible"],
        hidden_rows=sheet["hidden_rows"],
        hidden_columns=sheet["hidden_columns"],
        marks=_marks(sheet),
    )


def _marks(sheet: dict[str, Any]) -> CellMarks:
    marks = CellMarks()
    for column, formats in sheet["formats"].items():
        for row, code in formats:
            marks.note_format(row, int(column), code if isinstance(code, str) else BUILTIN_FORMATS.get(code, GENERAL))
    marks.links = {(row, column): target for row, column, target in sheet["links"] if target}
    for column, rows in sheet["formulas"].items():
        marks.formulas[int(column)] = rows
    return marks
