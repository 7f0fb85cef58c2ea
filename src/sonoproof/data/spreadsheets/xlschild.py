"""The process in which an xls file is read: ``python xlschild.py FILE`` prints its worksheets as JSON.

An old workbook cannot be measured before it is parsed, and a damaged one may make the parser ask for all memory. Here
that ends a small process with a limit of its own. The file is run as a script, so it imports nothing from the package.
"""

from __future__ import annotations

import datetime
import json
import sys
from typing import Any

import python_calamine as calamine

MEMORY_BYTES = 4 << 30
PASSWORD_EXIT_CODE = 3


def main(path: str) -> int:
    """Print the worksheets of an xls file as JSON; the exit code is not 0 if it cannot be read."""
    _limit_memory()
    try:
        with calamine.load_workbook(path) as workbook:
            sheets = [
                _sheet(workbook.get_sheet_by_name(sheet.name), sheet)
                for sheet in workbook.sheets_metadata
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


def _as_json(value: object) -> dict[str, str]:
    if isinstance(value, datetime.date | datetime.time):
        return {"date": value.isoformat()}
    return {"date": str(value)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
