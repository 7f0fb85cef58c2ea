"""Two files of a run that ought to say the same: where they differ, place by place.

Numbers are compared with a tolerance: another processor adds in another order. Everything else must be equal.
"""

from __future__ import annotations

import csv
import io
import json
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook

from sonoproof.verification.page import page_texts

# Relative and absolute difference up to which two numbers are the same: far under any digit that is printed.
_RELATIVE, _ABSOLUTE = 1e-6, 1e-9
_MISSING = "nothing"
# What a damaged file of these kinds raises: text, JSON, and a workbook's archive and markup.
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, ParseError)

Places = Mapping[str, Any]


def compared(path: Path, *, sentences: bool = True) -> bool:
    """Whether the content of a file of this kind can be compared; for pictures there is only the hash.

    Args:
        path: The file.
        sentences: False for a run of another version: then files that consist of sentences cannot be compared either.
    """
    return path.suffix in _READERS and (sentences or path.suffix in _OF_NUMBERS)


def differing_places(found: Path, expected: Path, *, sentences: bool = True) -> list[str]:
    """Where a file differs from the one it should be, each as ``place: found, should be expected``.

    Args:
        found: The file of the run.
        expected: The same file, made again.
        sentences: Whether texts of several words are compared; another version may word them differently.

    Returns:
        Empty where they say the same. A file that cannot be read is one difference.
    """
    read = _READERS[found.suffix]
    should = dict(read(expected))
    try:
        says = dict(read(found))
    except _UNREADABLE as error:
        return [f"cannot be read ({error})"]
    places = list(dict.fromkeys([*should, *says]))
    return [
        f"{place}: {_shown(says.get(place, _MISSING))}, should be {_shown(should.get(place, _MISSING))}"
        for place in places
        if (sentences or not _is_sentence(says.get(place), should.get(place)))
        and not _same(says.get(place, _MISSING), should.get(place, _MISSING))
    ]


def _same(one: Any, other: Any) -> bool:
    first, second = _number(one), _number(other)
    if first is None or second is None:
        return type(one) is type(other) and bool(one == other)
    return math.isclose(first, second, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)


def _is_sentence(*texts: Any) -> bool:
    return any(isinstance(text, str) and " " in text.strip() for text in texts)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _json_places(path: Path) -> Iterator[tuple[str, Any]]:
    yield from _leaves(json.loads(path.read_text(encoding="utf-8")), "")


def _leaves(content: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict) and content:
        for key, value in content.items():
            yield from _leaves(value, f"{place}.{key}" if place else str(key))
    elif isinstance(content, list) and content:
        for number, value in enumerate(content):
            yield from _leaves(value, f"{place}[{number}]")
    else:
        yield place, content


def _csv_places(path: Path) -> Iterator[tuple[str, Any]]:
    rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    header = next(rows, [])
    yield "columns", ", ".join(header)
    for number, row in enumerate(rows, start=2):
        for column, value in zip(header, row, strict=True):
            yield f"line {number}, {column}", value


def _xlsx_places(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open("rb") as file:  # opened here: of a damaged archive openpyxl would leave it open
        workbook = load_workbook(file)
    for sheet in workbook.worksheets:
        for row, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            for column, value in enumerate(cells, start=1):
                yield f"{sheet.title}, row {row}, column {column}", "" if value is None else value


def _text_places(path: Path) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        yield f"line {number}", line


def _page_places(path: Path) -> Iterator[tuple[str, Any]]:
    yield from page_texts(path.read_text(encoding="utf-8"))


_READERS: Mapping[str, Callable[[Path], Iterator[tuple[str, Any]]]] = {
    ".json": _json_places,
    ".csv": _csv_places,
    ".xlsx": _xlsx_places,
    ".html": _page_places,
    ".tex": _text_places,
    ".md": _text_places,
    ".txt": _text_places,
}
_OF_NUMBERS = frozenset({".json", ".csv", ".xlsx"})
