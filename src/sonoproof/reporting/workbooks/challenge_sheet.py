"""The sheet of predictions that the Auto-PCOS challenge asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.worksheet.worksheet import Worksheet

from sonoproof.data.cohort.image_id import relative_file
from sonoproof.reporting.wording.text import visible_text
from sonoproof.runfolder import atomic_path

CHALLENGE_COLUMNS = ("S. No.", "Image Path", "Predicted Class Label")


def write_challenge_sheet(
    path: Path, predictions: pd.DataFrame, *, labels: Mapping[str, str | int] | None = None
) -> None:
    """Write predictions as an xlsx with the challenge's three columns, in the order of the table.

    Args:
        path: The xlsx to write.
        predictions: Columns ``image_id`` and ``predicted``.
        labels: What to write for each class name (for example ``{"healthy": 1, "unhealthy": 0}``); None writes the
            class names.
    """
    workbook = Workbook()
    sheet = workbook.active
    assert isinstance(sheet, Worksheet)
    sheet.append(CHALLENGE_COLUMNS)
    rows = zip(predictions["image_id"], predictions["predicted"], strict=True)
    for number, (image_id, predicted) in enumerate(rows, start=1):
        reference = relative_file(str(image_id))
        label = predicted if labels is None else labels[predicted]
        sheet.append((number, visible_text(reference), visible_text(label) if isinstance(label, str) else label))
        for cell in sheet[number + 1]:
            _store_as_text(cell)
    with atomic_path(path) as temporary:
        workbook.save(temporary)


def _store_as_text(cell: object) -> None:
    # A file may be called "=cmd|...": in a spreadsheet program it must stay a name, not become a formula.
    if isinstance(cell, Cell) and isinstance(cell.value, str):
        cell.data_type = "s"
        cell.quotePrefix = cell.value.startswith(("=", "+", "-", "@"))
