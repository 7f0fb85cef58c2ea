"""Reading csv as people and programs write it: encoding and delimiter are found, and recorded."""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sonoproof.data.spreadsheets.encodings import find_encoding, require_encoding
from sonoproof.data.spreadsheets.grid import Grid, build_grid
from sonoproof.errors import SheetError, SheetFault

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_ROWS = 200


@dataclass(frozen=True)
class CsvDialect:
    """How a csv file is written.

    Attributes:
        encoding: Name of the text encoding, as Python knows it.
        delimiter: The character between fields.
        declared: Whether the first line is Excel's ``sep=;``, which is not a row.
    """

    encoding: str
    delimiter: str
    declared: bool = False


def read_csv_grid(path: Path, *, encoding: str | None = None) -> Grid:
    """Read a csv file. Every field stays text, so that ``007`` is ``007``.

    Args:
        path: The file.
        encoding: Its text encoding; None to find it.

    Raises:
        SheetError: The file is not text, its encoding is not clear, or a line cannot be parsed.
    """
    dialect = csv_dialect(path, encoding=encoding)
    notes = {"encoding": dialect.encoding, "delimiter": dialect.delimiter}
    return build_grid(_read_records(path, dialect), name=path.name, notes=notes)


def csv_dialect(path: Path, *, encoding: str | None = None) -> CsvDialect:
    """Find the delimiter of a csv file and, if it is not given, its text encoding.

    Raises:
        SheetError: The file is not text in the encoding, or its encoding is not clear.
    """
    encoding = require_encoding(path, encoding) if encoding else find_encoding(path)
    with path.open(encoding=encoding, newline="") as file:
        lines = list(itertools.islice(file, SAMPLE_ROWS))
    if lines and lines[0].lower().startswith("sep=") and len(lines[0].strip()) == len("sep=;"):
        return CsvDialect(encoding=encoding, delimiter=lines[0][4], declared=True)
    return CsvDialect(encoding=encoding, delimiter=max(DELIMITERS, key=lambda mark: _agreement(lines, mark)))


def _read_records(path: Path, dialect: CsvDialect) -> Iterator[list[str]]:
    with path.open(encoding=dialect.encoding, newline="") as file:
        if dialect.declared:
            next(file)
        reader = csv.reader(file, delimiter=dialect.delimiter)
        try:
            yield from reader
        except csv.Error as error:
            problem = f"cannot be parsed ({error}); is a quotation mark left open?"
            fault = SheetFault(problem, path.name, row=reader.line_num)
            raise SheetError(f"{path}: is not valid csv", faults=[fault]) from error


def _agreement(lines: list[str], delimiter: str) -> tuple[float, int]:
    """How evenly a delimiter divides the lines: the share of lines of the usual width, and that width."""
    try:
        widths = Counter(len(record) for record in csv.reader(lines, delimiter=delimiter) if record)
    except csv.Error:
        return 0.0, 0
    split = {width: count for width, count in widths.items() if width > 1}
    if not split:
        return 0.0, 0
    width, count = max(split.items(), key=lambda item: (item[1], item[0]))
    return count / widths.total(), width
