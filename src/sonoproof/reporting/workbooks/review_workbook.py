"""The workbook in which a clinician looks at doubtful labels and writes down what is right.

Its columns are those that `sonoproof.data.cohort.relabel` reads back; the pictures and the reasons are for the reader.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.drawing.image import Image as SheetImage
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from sonoproof.data.cohort.relabel import REVIEW_COLUMNS
from sonoproof.reporting.figures.contact_sheet import thumbnail
from sonoproof.runfolder import atomic_path
from sonoproof.types import UInt8Array

_REFERENCE, _PRESENT, _SUGGESTION, _REVIEWED = REVIEW_COLUMNS
WORKBOOK_COLUMNS: Final = ("picture", _REFERENCE, _PRESENT, _SUGGESTION, "doubt", "why", _REVIEWED)

_LETTERS: Final = "ABCDEFG"
_WIDTHS: Final = (26, 32, 14, 14, 9, 48, 18)
_PICTURE_PX: Final = 180
_ROW_POINTS: Final = 140
_EMPTY: Final = PatternFill("solid", start_color="FFF4CC")
_ADVICE: Final = (
    "Look at each picture and write the correct label into the last column. Leave it empty if the present label is "
    "right or cannot be judged."
)


def write_review_workbook(
    path: Path, doubts: pd.DataFrame, *, classes: tuple[str, str], load: Callable[[str], UInt8Array]
) -> None:
    """Write the rows to be reviewed, a picture each.

    Args:
        path: The xlsx to write.
        doubts: Rows in the order in which they are to be looked at: ``image_id``, ``reference``, ``label``,
            ``suggestion``, ``doubt`` (0 to 1), ``why``.
        classes: Names of the negative and of the positive class, offered in the empty column.
        load: Decodes the frame of an image id to RGB, uint8 (H, W, 3).

    Raises:
        RunFolderError: The file cannot be written.
    """
    workbook = Workbook()
    sheet = workbook.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Label review"
    _head(sheet)
    for number, row in enumerate(doubts.to_dict("records"), start=2):
        _fill_row(sheet, number, {str(key): value for key, value in row.items()})
        sheet.add_image(_picture(load(str(row["image_id"]))), f"A{number}")
    _offer_classes(sheet, classes, rows=len(doubts))
    with atomic_path(path) as temporary:
        workbook.save(temporary)


def _head(sheet: Worksheet) -> None:
    sheet.append(WORKBOOK_COLUMNS)
    for letter, width in zip(_LETTERS, _WIDTHS, strict=True):
        cell = sheet[f"{letter}1"]
        cell.font = Font(bold=True)
        cell.alignment = Alignment(vertical="center")
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = "B2"


def _fill_row(sheet: Worksheet, number: int, row: dict[str, Any]) -> None:
    values = ("", row["reference"], row["label"], row["suggestion"], float(row["doubt"]), row["why"], None)
    for column, value in enumerate(values, start=1):
        cell = sheet.cell(number, column)
        if isinstance(value, str):
            cell.value = ILLEGAL_CHARACTERS_RE.sub("�", value)
            cell.data_type = "s"  # a file may be named like a formula
        else:
            cell.value = value
        cell.alignment = Alignment(vertical="center", wrap_text=True)
    sheet.cell(number, 5).number_format = "0 %"
    sheet.cell(number, len(values)).fill = _EMPTY
    sheet.row_dimensions[number].height = _ROW_POINTS


def _picture(pixels: UInt8Array) -> SheetImage:
    buffer = io.BytesIO()
    thumbnail(pixels, side=_PICTURE_PX).save(buffer, "JPEG", quality=85)
    buffer.seek(0)
    return SheetImage(buffer)


def _offer_classes(sheet: Worksheet, classes: tuple[str, str], *, rows: int) -> None:
    """A list to choose from; other text stays possible, for the sheet's own values may be written too."""
    if any("," in name or '"' in name for name in classes) or not rows:
        return
    choice = DataValidation(type="list", formula1=f'"{",".join(classes)}"', allow_blank=True, showErrorMessage=False)
    choice.promptTitle, choice.prompt, choice.showInputMessage = "Reviewed label", _ADVICE, True
    sheet.add_data_validation(choice)
    choice.add(f"{_LETTERS[-1]}2:{_LETTERS[-1]}{rows + 1}")
