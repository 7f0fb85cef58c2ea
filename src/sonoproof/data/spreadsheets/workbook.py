"""Opening a label sheet of any kind safely: every worksheet as a grid of texts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import python_calamine as calamine
from openpyxl.utils import get_column_letter

from sonoproof.data.spreadsheets.container import (
    ContainerKind,
    check_archive,
    damage_error,
    detect_kind,
    password_error,
)
from sonoproof.data.spreadsheets.csvfile import read_csv_grid
from sonoproof.data.spreadsheets.grid import MAX_COLUMNS, Grid, build_grid
from sonoproof.data.spreadsheets.prescan import SheetScan, scan_ods, scan_xlsx
from sonoproof.data.spreadsheets.xlsreader import read_xls_grids
from sonoproof.errors import SheetError, SheetFault

# A sheet of a million rows and thirty columns; anything beyond is a stray cell or an attack.
MAX_CELLS = 32_000_000


def read_grids(path: Path, *, encoding: str | None = None) -> list[Grid]:
    """Read every worksheet of a file, in the file's order.

    Args:
        path: An xlsx, xls, ods or csv file; the content decides which.
        encoding: Text encoding of a csv file; None to find it.

    Raises:
        SheetError: The file cannot be opened, is damaged, protected by a password, or larger than any sheet.
    """
    kind = detect_kind(path)
    if kind is ContainerKind.CSV:
        return [read_csv_grid(path, encoding=encoding)]
    if kind is ContainerKind.XLS:
        return read_xls_grids(path)
    check_archive(path)
    scans = scan_xlsx(path) if kind is ContainerKind.XLSX else scan_ods(path)
    _refuse_boundless(path, scans)
    return _read_worksheets(path, scans)


def _refuse_boundless(path: Path, scans: dict[str, SheetScan]) -> None:
    faults = [
        SheetFault(
            f"its cells reach as far as this one, {scan.rows * scan.columns:,} in all; delete stray cells, or save the"
            " columns you need as csv",
            sheet=name,
            row=scan.rows,
            column=get_column_letter(min(scan.columns, MAX_COLUMNS)),
        )
        for name, scan in scans.items()
        if scan.rows * scan.columns > MAX_CELLS
    ]
    if faults:
        raise SheetError(f"{path}: spans more cells than any label sheet", faults=faults)


def _read_worksheets(path: Path, scans: dict[str, SheetScan]) -> list[Grid]:
    try:
        with _panic_as_damage(path), calamine.load_workbook(str(path)) as workbook:
            return [
                _grid(workbook.get_sheet_by_name(sheet.name), sheet, scans.get(sheet.name, SheetScan()))
                for sheet in workbook.sheets_metadata
                if sheet.typ is calamine.SheetTypeEnum.WorkSheet
            ]
    except calamine.PasswordError as error:
        raise password_error(path) from error
    except (calamine.CalamineError, OSError) as error:
        raise damage_error(path, error) from error


@contextlib.contextmanager
def _panic_as_damage(path: Path) -> Iterator[None]:
    """Turn a panic of the reader, which some damaged files cause, into an error that says so."""
    try:
        yield
    except BaseException as error:
        # A panic of a Rust extension is no Exception, and its class cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise damage_error(path, error) from error


def _grid(sheet: calamine.CalamineSheet, metadata: calamine.SheetMetadata, scan: SheetScan) -> Grid:
    merged = [*(sheet.merged_cell_ranges or ()), *scan.merged]
    return build_grid(
        sheet.iter_rows(),
        name=metadata.name,
        first_column=sheet.start[1] if sheet.start else 0,
        merged=merged,
        visible=metadata.visible is calamine.SheetVisibleEnum.Visible,
        troubled=scan.troubled,
        hidden_rows=scan.hidden_rows,
        hidden_columns=scan.hidden_columns,
        marks=scan.marks,
    )
