"""Predictions as a file: csv, xlsx or parquet, by the file's name."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from sonoproof.errors import ConfigError, MissingExtra
from sonoproof.inference.files import FileAnswer
from sonoproof.runfolder import atomic_path

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_format", "print_answers", "write_answers", "write_file_answers"]

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


def write_file_answers(answers: Sequence[FileAnswer], path: Path) -> None:
    """Write the answers for image files, atomically.

    Args:
        answers: The answers; missing numbers are left empty.
        path: The file; its ending names the format.

    Raises:
        ConfigError: The ending is none of the formats.
        MissingExtra: The format needs a library that is not installed.
    """
    if path.suffix.lower() != ".csv":
        import pandas as pd  # slow to import, and csv needs no table

        write_answers(pd.DataFrame([dataclasses.asdict(answer) for answer in answers]), path)
        return
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        print_answers(answers, file)


def print_answers(answers: Sequence[FileAnswer], file: TextIO) -> None:
    """Write the answers for image files as csv to an open file or terminal."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([field.name for field in dataclasses.fields(FileAnswer)])
    for answer in answers:
        values = dataclasses.astuple(answer)
        writer.writerow(["" if isinstance(value, float) and math.isnan(value) else value for value in values])


def _write_xlsx(table: pd.DataFrame, path: Path) -> None:
    from openpyxl import Workbook

    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("predictions")
    sheet.append(list(table.columns))
    for row in table.itertuples(index=False):
        sheet.append([_cell(sheet, value) for value in row])
    workbook.save(path)


def _cell(sheet: object, value: object) -> object:
    """A cell that is text if the value is: a file may be named like a formula."""
    import pandas as pd
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if not isinstance(value, str):
        return None if pd.isna(value) else value  # type: ignore[call-overload]
    cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("�", value))  # type: ignore[arg-type]
    cell.data_type = "s"
    return cell
