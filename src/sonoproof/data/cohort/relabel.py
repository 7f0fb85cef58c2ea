"""Applying a clinician's review to a copy of the label sheet. The original is never touched.

The review is a workbook with a row for each image in question: its reference as the sheet writes it, its present
label, a suggestion, and an empty column for the label that the reviewer finds right. All its faults are collected
before anything is written.
"""

from __future__ import annotations

import csv
import dataclasses
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
from openpyxl.cell.cell import Cell
from openpyxl.utils import column_index_from_string, get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from sonoproof.config import SheetConfig
from sonoproof.data.folder.references import index_images
from sonoproof.data.labels.coding import LabelCoding
from sonoproof.data.labels.sheet import IMAGES_OF_ROW, LabelSheet, read_sheet
from sonoproof.data.labels.vocabulary import find_concept, folded, squeezed
from sonoproof.data.spreadsheets.container import ContainerKind, detect_kind
from sonoproof.data.spreadsheets.csvfile import CsvDialect, csv_dialect
from sonoproof.data.spreadsheets.workbook import read_grids
from sonoproof.errors import SheetError, SheetFault
from sonoproof.runfolder import atomic_path

REVIEW_COLUMNS = ("image reference", "present label", "suggestion", "reviewed label")
CHANGE_COLUMNS = ("sheet_row", "cell", "reference", "before", "after", "class_before", "class_after")
STRICT_NAMESPACE = b"http://purl.oclc.org/ooxml/spreadsheetml/main"
NEEDED_COLUMNS = ("image reference", "present label", "reviewed label")


def apply_review(
    sheet: Path, *, reviewed: Path, out: Path, config: SheetConfig, images: Path | None = None
) -> pd.DataFrame:
    """Write a copy of a label sheet with the labels of a review.

    A label may be given as the sheet's own value or as its class name; it is written as the sheet writes it. Rows of
    the review without a reviewed label change nothing.

    Args:
        sheet: The label sheet (xlsx or csv).
        reviewed: The workbook with the columns `REVIEW_COLUMNS`.
        out: The copy; it must not exist.
        config: What the user named in the sheet.
        images: The image folder, if the columns cannot be found without it.

    Returns:
        What changed, as `CHANGE_COLUMNS`, one row per changed cell.

    Raises:
        SheetError: The sheet or the review cannot be read; a present label is no longer what the sheet says; an
            image or a label is unknown; or the copy would overwrite a file. Nothing is written then.
        RunFolderError: The copy cannot be written.
    """
    kind = detect_kind(sheet)
    _refuse_target(out, sheet=sheet, kind=kind)
    in_folder = index_images(images).holds if images is not None else lambda _: False
    label_sheet = read_sheet(sheet, config=config, in_folder=in_folder)
    coding = label_sheet.code_labels(config)
    changes = _find_changes(reviewed, label_sheet, coding)
    if kind is ContainerKind.XLSX:
        _write_workbook(sheet, out, changes, label_sheet)
    else:
        dialect = csv_dialect(sheet, encoding=config.encoding)
        _write_csv(sheet, out, changes, dialect=dialect, letters=label_sheet.letters["value"])
    return changes


def _refuse_target(out: Path, *, sheet: Path, kind: ContainerKind) -> None:
    if kind not in {ContainerKind.XLSX, ContainerKind.CSV}:
        raise SheetError(f"{sheet}: a sheet in {kind.value} format cannot be rewritten; save it as xlsx or csv first")
    if out.exists():
        raise SheetError(f"{out}: already exists and is not overwritten; choose another name")
    if (out.suffix.casefold() == ".xlsx") != (kind is ContainerKind.XLSX):
        raise SheetError(f"{out}: a copy of a sheet in {kind.value} format must end in .{kind.value}")


def _read_review(reviewed: Path) -> tuple[pd.DataFrame, SheetFault]:
    """The rows of a review that the reviewer filled in, indexed by their row, and the place of their labels."""
    for grid in read_grids(reviewed):
        for row in range(min(grid.height, 20)):
            names = [squeezed(cell) for cell in grid.row(row)]
            if all(squeezed(name) in names for name in NEEDED_COLUMNS):
                columns = {name: names.index(squeezed(name)) for name in NEEDED_COLUMNS}
                table = pd.DataFrame({name: grid.cleaned(column).iloc[row + 1 :] for name, column in columns.items()})
                letters = get_column_letter(columns["reviewed label"] + 1)
                return table[table["reviewed label"] != ""], SheetFault("", grid.name, column=letters)
    raise SheetError(f"{reviewed}: is not a review; a review has the columns {', '.join(map(repr, NEEDED_COLUMNS))}")


def _find_changes(reviewed: Path, sheet: LabelSheet, coding: LabelCoding) -> pd.DataFrame:
    review, place = _read_review(reviewed)
    faults: list[SheetFault] = []
    changed: list[tuple[object, ...]] = []
    decided: dict[str, str] = {}
    by_reference = dict(iter(sheet.rows.groupby("reference", sort=False)))
    for row, reference, present, label in review.itertuples():
        rows = by_reference.get(reference, sheet.rows.iloc[:0])
        after, problem = _value_to_write(label, coding)
        problem = problem or _find_contradiction(reference, present, rows, coding)
        if decided.setdefault(reference, after) != after:
            problem = "another row of the review gives this image another label; correct one of them"
        if problem:
            faults.append(dataclasses.replace(place, problem=problem, row=row + 1, value=label))
            continue
        for number, before in zip(rows["sheet_row"], rows["value"], strict=True):
            classes = coding.labels.get(before, ""), coding.labels[after]
            if classes[0] != classes[1]:
                changed.append((number, f"{sheet.letters['value']}{number}", reference, before, after, *classes))
    if faults:
        raise SheetError(f"{reviewed}: the review does not fit the sheet; nothing was changed", faults=faults)
    return pd.DataFrame(changed, columns=list(CHANGE_COLUMNS)).drop_duplicates(ignore_index=True)


def _find_contradiction(reference: str, present: str, rows: pd.DataFrame, coding: LabelCoding) -> str:
    if rows.empty:
        return f"the sheet has no usable row for {reference!r}"
    if IMAGES_OF_ROW in rows and (rows[IMAGES_OF_ROW] != "").any():
        return "its row of the sheet names several images; write one image in each row first"
    for number, value in zip(rows["sheet_row"], rows["value"], strict=True):
        if folded(present) not in {folded(value), folded(coding.labels.get(value, ""))}:
            return (
                f"row {number} of the sheet now says {value!r}, no longer {present!r} as when it was reviewed; review"
                " the image again"
            )
    return ""


def _value_to_write(reviewed: str, coding: LabelCoding) -> tuple[str, str]:
    """The sheet's own spelling of a label, or else why there is none."""
    values = list(coding.labels)  # the most frequent first
    for value in values:
        if folded(value) == folded(reviewed):
            return value, ""
    named = [value for value in values if folded(coding.labels[value]) == folded(reviewed)]
    if named and coding.labels[named[0]].startswith("not ") and len({find_concept(value) for value in named}) > 1:
        return "", f"{reviewed!r} stands for several values: {', '.join(map(repr, named))}; write one of them"
    if named:
        return named[0], ""
    return "", f"is not a label of the sheet; its labels are {', '.join(map(repr, values))}"


def _write_workbook(sheet: Path, out: Path, changes: pd.DataFrame, label_sheet: LabelSheet) -> None:
    _refuse_strict(sheet)
    workbook = openpyxl.load_workbook(sheet)
    worksheet = workbook[label_sheet.worksheet]
    if not isinstance(worksheet, Worksheet):
        raise SheetError(f"{sheet}: {label_sheet.worksheet!r} is a chart, not a worksheet")
    _refuse_formulas(sheet, worksheet, label_sheet)
    for row, after in zip(changes["sheet_row"], changes["after"], strict=True):
        _set_cell(sheet, worksheet, f"{label_sheet.letters['value']}{row}", after)
    with atomic_path(out) as temporary:
        workbook.save(temporary)


def _refuse_strict(sheet: Path) -> None:
    """Raise if a workbook is in the strict variant of Open XML, which the writer would empty."""
    with zipfile.ZipFile(sheet) as archive:
        if STRICT_NAMESPACE in archive.read("xl/workbook.xml"):
            raise SheetError(
                f"{sheet}: is a Strict Open XML workbook, which cannot be rewritten here; save it as an ordinary Excel"
                " workbook (xlsx) first"
            )


def _refuse_formulas(sheet: Path, worksheet: Worksheet, label_sheet: LabelSheet) -> None:
    """Raise if a column in use is calculated: the copy would keep the formulas but lose their results."""
    faults = [
        SheetFault(
            "holds a formula; replace the formulas of this column by their values first",
            worksheet.title,
            cell.row,
            letters,
        )
        for letters in label_sheet.letters.values()
        for cell in worksheet[letters]
        if cell.data_type == "f"
    ]
    if faults:
        raise SheetError(f"{sheet}: cannot be rewritten", faults=faults)


def _set_cell(sheet: Path, worksheet: Worksheet, address: str, text: str) -> None:
    cell = worksheet[address]
    if not isinstance(cell, Cell) or any(address in merged for merged in worksheet.merged_cells.ranges):
        raise SheetError(f"{sheet}: cell {address} of {worksheet.title!r} is merged; unmerge the label column first")
    if cell.data_type == "n" and text.lstrip("-").isdigit():
        cell.value = int(text)
    elif cell.data_type == "b" and text in {"TRUE", "FALSE"}:
        cell.value = text == "TRUE"
    else:
        cell.value = text
        cell.data_type = "s"  # also where the text begins with =


def _write_csv(sheet: Path, out: Path, changes: pd.DataFrame, *, dialect: CsvDialect, letters: str) -> None:
    with sheet.open(encoding=dialect.encoding, newline="") as file:
        declaration = file.readline() if dialect.declared else ""
        lines = list(file)
    ending = "\r\n" if (declaration or lines[0]).endswith("\r\n") else "\n"
    records = list(csv.reader(lines, delimiter=dialect.delimiter))
    column = column_index_from_string(letters) - 1
    for row, after in zip(changes["sheet_row"], changes["after"], strict=True):
        records[row - 1][column] = after
    with atomic_path(out) as temporary, temporary.open("w", encoding=dialect.encoding, newline="") as file:
        file.write(declaration)
        csv.writer(file, delimiter=dialect.delimiter, lineterminator=ending).writerows(records)
