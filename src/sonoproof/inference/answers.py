"""Predictions as a file: csv, xlsx or parquet, by the file's name."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from sonoproof.errors import ConfigError, MissingExtra
from sonoproof.runfolder import atomic_path

__all__ = ["check_format", "write_answers"]

FORMATS = (".csv", ".xlsx", ".parquet")


def check_format(path: Path) -> None:
    """Check that predictions can be written to a file of this name.

    Raises:
        ConfigError: The name has another ending.
        MissingExtra: The format needs a library that is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"{path}: predictions are written as {', '.join(FORMATS)}; name the file so")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise MissingExtra("writing parquet", extra="parquet") from error


def write_answers(table: pd.DataFrame, path: Path) -> None:
    """Write a table of predictions, atomically.

    Args:
        table: The predictions; missing numbers are left empty.
        path: The file; its ending names the format.

    Raises:
        ConfigError: The ending is none of the formats.
        MissingExtra: The format needs a library that is not installed.
    """
    check_format(path)
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".csv":
            table.to_csv(temporary, index=False, lineterminator="\n")
        elif path.suffix.lower() == ".parquet":
            table.to_parquet(temporary, index=False)
        else:
            _write_xlsx(table, temporary)


def _write_xlsx(table: pd.DataFrame, path: Path) -> None:
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("predictions")
    sheet.append(list(table.columns))
    for row in table.itertuples(index=False):
        sheet.append([_cell(sheet, value) for value in row])
    workbook.save(path)


def _cell(sheet: object, value: object) -> object:
    """A cell that is text if the value is: a file may be named like a formula."""
    if not isinstance(value, str):
        return None if pd.isna(value) else value  # type: ignore[call-overload]
    cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("�", value))  # type: ignore[arg-type]
    cell.data_type = "s"
    return cell
