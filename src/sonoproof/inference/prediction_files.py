"""Predictions as a file: csv, xlsx or parquet, by the file's name."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from sonoproof.errors import ConfigError, MissingExtra, RunFolderError, SheetError
from sonoproof.inference.files import FileAnswer
from sonoproof.runfolder import atomic_path

if TYPE_CHECKING:
    import pandas as pd

FORMATS = (".csv", ".xlsx", ".parquet")
ANSWER_COLUMNS = tuple(field.metadata.get("column", field.name) for field in dataclasses.fields(FileAnswer))
MAX_HEADER_LENGTH = 1_000  # characters; that of predictions has fewer


def check_format(path: Path) -> None:
    """Check that predictions can be written to a file of this name.

    Raises:
        ConfigError: The name has another ending.
        MissingExtra: The format needs a library that is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"{path}: predictions are written as {', '.join(FORMATS)}; give the file such a name")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise MissingExtra("writing parquet", extra="parquet") from error


def check_out(path: Path) -> None:
    """Check, before anything is predicted, that the answers for image files can be written to a file.

    Raises:
        ConfigError: The name has another ending, or the file exists and is not a table of predictions.
        MissingExtra: The format needs a library that is not installed.
        RunFolderError: The file cannot be written.
    """
    check_format(path)
    try:
        with contextlib.suppress(FileNotFoundError):
            _check_replaceable(path)
        _try_to_write(path.parent)
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be written ({error.strerror or error}); name another file") from error


def answer_table(answers: Sequence[FileAnswer]) -> pd.DataFrame:
    """The answers as a table with the columns of the file of predictions."""
    import pandas as pd  # slow to import, and csv needs no table

    return pd.DataFrame(map(dataclasses.astuple, answers), columns=ANSWER_COLUMNS)


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
        write_answers(answer_table(answers), path)
        return
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        print_answers(answers, file)


def print_answers(answers: Sequence[FileAnswer], file: TextIO) -> None:
    """Write the answers for image files as csv to an open file or terminal."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(ANSWER_COLUMNS)
    for answer in answers:
        values = dataclasses.astuple(answer)
        writer.writerow(["" if isinstance(value, float) and math.isnan(value) else value for value in values])


def _check_replaceable(path: Path) -> None:
    """A table of predictions may be written again; any other file in its place was named by mistake."""
    size = path.stat().st_size
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; name a file in it")
    if not path.is_file():
        raise ConfigError(f"{path}: is not a regular file; name another file")
    if size and _header(path) != ANSWER_COLUMNS:
        raise ConfigError(
            f"{path}: exists and is not a table of predictions, so it is not overwritten; name another file or move it"
        )


def _header(path: Path) -> tuple[str, ...]:
    """The column names of a table, none where it is not a table."""
    if path.suffix.lower() == ".csv":
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return tuple(file.readline(MAX_HEADER_LENGTH).rstrip("\n").split(","))
    if path.suffix.lower() == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        try:
            return tuple(parquet.read_schema(path).names)
        except pa.ArrowInvalid:
            return ()
    from sonoproof.data.spreadsheets.workbook import read_grids  # slow to import

    try:
        grids = read_grids(path)
    except SheetError:
        return ()
    return tuple(grids[0].row(0)) if len(grids) == 1 and grids[0].height else ()


def _try_to_write(folder: Path) -> None:
    """Make a file without a name in a folder or, where it is yet to be made, in the one above it."""
    while not os.path.exists(folder) and folder != folder.parent:  # noqa: PTH110 - Path.exists may raise
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder):
        pass


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
