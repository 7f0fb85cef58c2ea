"""Reading csv as people and programs write it: encoding and delimiter are found, and recorded."""

from __future__ import annotations

import codecs
import csv
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sonoproof.data.spreadsheets.grid import Grid, build_grid
from sonoproof.errors import SheetError, SheetFault

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_ROWS = 200
CHUNK_CHARACTERS = 1 << 20
BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


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


def read_csv_grid(path: Path) -> Grid:
    """Read a csv file. Every field stays text, so that ``007`` is ``007``.

    Raises:
        SheetError: The file is not text, or a line cannot be parsed.
    """
    dialect = csv_dialect(path)
    notes = {"encoding": dialect.encoding, "delimiter": dialect.delimiter}
    return build_grid(_read_records(path, dialect), name=path.name, notes=notes)


def csv_dialect(path: Path) -> CsvDialect:
    """Find the encoding and the delimiter of a csv file.

    Raises:
        SheetError: The file is not text in UTF-8, UTF-16, UTF-32 or cp1252.
    """
    encoding = _find_encoding(path)
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


def _find_encoding(path: Path) -> str:
    with path.open("rb") as file:
        beginning = file.read(4096)
    for encoding in _likely_encodings(beginning):
        if _decodes(path, encoding):
            return encoding
    raise SheetError(f"{path}: is not text in UTF-8, UTF-16 or cp1252; save it as xlsx, or as csv in UTF-8")


def _likely_encodings(beginning: bytes) -> tuple[str, ...]:
    for mark, encoding in BOMS:
        if beginning.startswith(mark):
            return (encoding,)
    if b"\0" in beginning:
        return ("utf-16-le" if beginning[1::2].count(0) > beginning[::2].count(0) else "utf-16-be",)
    return ("utf-8", "cp1252")


def _decodes(path: Path, encoding: str) -> bool:
    try:
        with path.open(encoding=encoding, newline="") as file:
            while file.read(CHUNK_CHARACTERS):
                pass
    except UnicodeDecodeError:
        return False
    return True
