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
FORMAT, STYLE, NUMBER, PACKED_NUMBER, PACKED_NUMBERS, FORMULA = 0x041E, 0x00E0, 0x0203, 0x027E, 0x00BD, 0x0006
BIFF8, LINK = 0x0600, 0x01B8
# What a link consists of, and the kinds of target.
HAS_TARGET, HAS_NAME, HAS_FRAME, IS_TEXT = 0x1, 0x10, 0x80, 0x100
URL_TARGET = bytes.fromhex("e0c9ea79f9bace118c8200aa004ba90b")
FILE_TARGET = bytes.fromhex("0303000000000000c000000000000046")
NOTHING_SEEN: dict[str, Any] = {"hidden_rows": [], "hidden_columns": [], "formats": {}, "formulas": {}, "links": []}


def main(path: str) -> int:
    """Print the worksheets of an xls file as JSON; the exit code is not 0 if it cannot be read."""
    _limit_memory()
    try:
        with calamine.load_workbook(path) as workbook:
            seen = _scan(path)
            sheets = [
                {**_sheet(workbook.get_sheet_by_name(sheet.name), sheet), **seen.get(number, NOTHING_SEEN)}
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


def _scan(path: str) -> dict[int, dict[str, Any]]:
    """What is hidden on each sheet, and its number formats and formulas, by the sheet's number in the file.

    References:
        [MS-XLS] 2.4.28 BoundSheet8, 2.4.126 Format, 2.4.353 XF.
    """
    with olefile.OleFileIO(path) as file:
        name = next((name for name in ("Workbook", "Book") if file.exists(name)), None)
        data = file.openstream(name).read() if name else b""
    codes: dict[int, str] = {}
    formats: list[int | str] = []
    starts = []
    for kind, body in _records(data, 0):
        if kind == BOUND_SHEET:
            starts.append(struct.unpack_from("<I", body)[0])
        elif kind == FORMAT:
            codes[struct.unpack_from("<H", body)[0]] = _read_text(
                body[2:], version=struct.unpack_from("<H", data, 4)[0]
            )
        elif kind == STYLE:
            number = struct.unpack_from("<H", body, 2)[0]
            formats.append(codes.get(number, number))
    return {number: _scan_sheet(data, start, formats) for number, start in enumerate(starts)}


def _read_text(body: bytes, *, version: int) -> str:
    if version != BIFF8:
        return body[1 : 1 + body[0]].decode("cp1252", "replace")
    length, flags = struct.unpack_from("<HB", body)
    return body[3 : 3 + 2 * length].decode("utf-16-le") if flags & 1 else body[3 : 3 + length].decode("latin-1")


def _scan_sheet(data: bytes, start: int, formats: list[int | str]) -> dict[str, Any]:
    """What is hidden, the formats of each column from the top as (first row, number or code), and the formulas.

    References:
        [MS-XLS] 2.4.221 Row, 2.4.53 ColInfo, 2.4.127 Formula, 2.4.180 Number, 2.4.220 RK, 2.4.175 MulRk.
    """
    rows: list[int] = []
    columns: list[int] = []
    shown: dict[int, list[tuple[int, int | str]]] = {}
    formulas: dict[int, list[int]] = {}
    links: list[tuple[int, int, str]] = []
    for kind, body in _records(data, start):
        if kind == ROW and struct.unpack_from("<H", body, 12)[0] & 0x20:
            rows.append(struct.unpack_from("<H", body)[0])
        elif kind == COLUMN_INFO and struct.unpack_from("<H", body, 8)[0] & 1:
            first, last = struct.unpack_from("<HH", body)
            columns += range(first, min(last, 255) + 1)
        elif kind == LINK:
            top, bottom, left, right = struct.unpack_from("<HHHH", body)
            target = read_link(body)
            links += [(row, column, target) for row in range(top, bottom + 1) for column in range(left, right + 1)]
        elif kind in {NUMBER, PACKED_NUMBER, PACKED_NUMBERS, FORMULA}:
            for row, column, style in _numbers(kind, body):
                code = formats[style] if style < len(formats) else 0
                column_formats = shown.setdefault(column, [])
                if not column_formats or column_formats[-1][1] != code:
                    column_formats.append((row, code))
                if kind == FORMULA:
                    formulas.setdefault(column, []).append(row)
    return {"hidden_rows": rows, "hidden_columns": columns, "formats": shown, "formulas": formulas, "links": links}


def read_link(body: bytes) -> str:
    """Target of a link record, "" if it has none or is damaged.

    References:
        [MS-XLS] 2.4.140 HLink, [MS-OSHARED] 2.3.7.1 Hyperlink Object, 2.3.7.6 URLMoniker, 2.3.7.8 FileMoniker.
    """
    try:
        (flags,) = struct.unpack_from("<I", body, 28)
        at = 32
        for part in (HAS_NAME, HAS_FRAME):
            if flags & part:
                at += 4 + 2 * struct.unpack_from("<I", body, at)[0]
        if not flags & HAS_TARGET:
            return ""
        kind = URL_TARGET if flags & IS_TEXT else body[at : at + 16]
        at += 0 if flags & IS_TEXT else 16
        if kind == URL_TARGET:
            size = struct.unpack_from("<I", body, at)[0] * (2 if flags & IS_TEXT else 1)
            return body[at + 4 : at + 4 + size].decode("utf-16-le", "replace").split("\0")[0]
        if kind == FILE_TARGET:
            (size,) = struct.unpack_from("<I", body, at + 2)
            return body[at + 6 : at + 6 + size].split(b"\0")[0].decode("cp1252", "replace")
    except struct.error:
        return ""
    return ""


def _numbers(kind: int, body: bytes) -> Iterator[tuple[int, int, int]]:
    """Row, column and style of the cells of a record."""
    row, column, style = struct.unpack_from("<HHH", body)
    if kind != PACKED_NUMBERS:
        yield row, column, style
        return
    for place in range((len(body) - 6) // 6):
        yield row, column + place, struct.unpack_from("<H", body, 4 + 6 * place)[0]


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
