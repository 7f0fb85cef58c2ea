"""The process in which an xls file is read: ``python xlschild.py FILE`` prints its worksheets as JSON.

An old workbook cannot be measured before it is parsed, and a damaged one may make the parser ask for all memory. Here
that ends a small process with a limit of its own. The file is run as a script, so it imports nothing from the package.
"""

from __future__ import annotations

import datetime
import json
import struct
import sys
from collections.abc import Iterator
from typing import Any

import olefile
import python_calamine as calamine

MEMORY_BYTES = 4 << 30
PASSWORD_EXIT_CODE = 3
# Kinds of record.
BEGINNING, END, BOUND_SHEET, ROW, COLUMN_INFO = 0x0809, 0x000A, 0x0085, 0x0208, 0x007D
NOTHING_HIDDEN: dict[str, list[int]] = {"hidden_rows": [], "hidden_columns": []}


def main(path: str) -> int:
    """Print the worksheets of an xls file as JSON; the exit code is not 0 if it cannot be read."""
    _limit_memory()
    try:
        with calamine.load_workbook(path) as workbook:
            hidden = _find_hidden(path)
            sheets = [
                {**_sheet(workbook.get_sheet_by_name(sheet.name), sheet), **hidden.get(number, NOTHING_HIDDEN)}
                for number, sheet in enumerate(workbook.sheets_metadata)
                if sheet.typ is calamine.SheetTypeEnum.WorkSheet
            ]
    except calamine.PasswordError:
        return PASSWORD_EXIT_CODE
    json.dump(sheets, sys.stdout, default=_as_json)
    return 0


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit; the parent's time limit remains
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _sheet(sheet: calamine.CalamineSheet, metadata: calamine.SheetMetadata) -> dict[str, Any]:
    return {
        "name": metadata.name,
        "visible": metadata.visible is calamine.SheetVisibleEnum.Visible,
        "first_column": sheet.start[1] if sheet.start else 0,
        "merged": sheet.merged_cell_ranges or [],
        "rows": list(sheet.iter_rows()),
    }


def _find_hidden(path: str) -> dict[int, dict[str, list[int]]]:
    """The hidden rows and columns of each sheet, by its number in the file.

    References:
        [MS-XLS] 2.4.28 BoundSheet8, 2.4.221 Row, 2.4.53 ColInfo.
    """
    with olefile.OleFileIO(path) as file:
        name = next((name for name in ("Workbook", "Book") if file.exists(name)), None)
        data = file.openstream(name).read() if name else b""
    starts = [struct.unpack_from("<I", body)[0] for kind, body in _records(data, 0) if kind == BOUND_SHEET]
    return {number: _hidden_of_sheet(data, start) for number, start in enumerate(starts)}


def _hidden_of_sheet(data: bytes, start: int) -> dict[str, list[int]]:
    rows: list[int] = []
    columns: list[int] = []
    for kind, body in _records(data, start):
        if kind == ROW and struct.unpack_from("<H", body, 12)[0] & 0x20:
            rows.append(struct.unpack_from("<H", body)[0])
        elif kind == COLUMN_INFO and struct.unpack_from("<H", body, 8)[0] & 1:
            first, last = struct.unpack_from("<HH", body)
            columns += range(first, min(last, 255) + 1)
    return {"hidden_rows": rows, "hidden_columns": columns}


def _records(data: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """The records from a beginning to the end that belongs to it; charts lie inside, with ends of their own."""
    depth = 0
    while start + 4 <= len(data):
        kind, size = struct.unpack_from("<HH", data, start)
        depth += (kind == BEGINNING) - (kind == END)
        if depth <= 0:
            return
        yield kind, data[start + 4 : start + 4 + size]
        start += 4 + size


def _as_json(value: object) -> dict[str, str]:
    if isinstance(value, datetime.date | datetime.time):
        return {"date": value.isoformat()}
    return {"date": str(value)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
