"""Reading old workbooks (xls) in a process of their own, so that a damaged one cannot take this one along."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from sonoproof.data.spreadsheets import xlschild
from sonoproof.data.spreadsheets.grid import DateText, Grid, grid_of_rows
from sonoproof.errors import SheetError

__all__ = ["read_xls_grids"]

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
        raise SheetError(f"{path}: is protected by a password; remove it and save the sheet again")
    if result.returncode:
        raise SheetError(
            f"{path}: is damaged ({_last_words(result.stderr)}); open it in a spreadsheet program and save it again"
        )
    return [_grid(sheet) for sheet in json.loads(result.stdout, object_hook=_restored)]


def _last_words(stderr: bytes) -> str:
    """The line in which a process said why it ended, among traces and notes."""
    lines = stderr.decode("utf-8", "replace").splitlines()
    said = [line for line in lines if line and not line.startswith((" ", "note:", "stack backtrace:", "Traceback"))]
    return said[-1] if said else "no reason given"


def _restored(value: dict[str, Any]) -> Any:
    return DateText(value["date"]) if value.keys() == {"date"} else value


def _grid(sheet: dict[str, Any]) -> Grid:
    merged = [((top, left), (bottom, right)) for (top, left), (bottom, right) in sheet["merged"]]
    return grid_of_rows(
        sheet["rows"],
        name=sheet["name"],
        first_column=sheet["first_column"],
        merged=merged,
        visible=sheet["visible"],
        notes={"merged_ranges": len(merged)} if merged else {},
    )
