"""Applying a review: what the clinician did not write must not change, and the original never does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from sonoproof.config import SheetConfig
from sonoproof.data.cohort.relabel import CHANGE_COLUMNS, REVIEW_COLUMNS, apply_review
from sonoproof.errors import SheetError

Rows = Sequence[Sequence[Any]]
SHEET: Rows = (
    ("imagePath", "Healthy", "note"),
    ("a.jpg", 1, "=1+1"),
    ("b.jpg", 0, "007"),
    ("c.jpg", 1, "left"),
    ("d.jpg", 0, None),
)


def save(path: Path, rows: Rows) -> Path:
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.worksheets[0].append(list(row))
    workbook.worksheets[0]["B3"].number_format = "0.00"
    workbook.create_sheet("Key").append(["1 = healthy"])
    workbook.save(path)
    return path


def review(folder: Path, *rows: Sequence[Any]) -> Path:
    return save(folder / "REVIEWED.xlsx", [REVIEW_COLUMNS, *rows])


def cells(path: Path) -> list[tuple[Any, ...]]:
    return list(openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_review_changes_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    sheet = save(tmp_path / "labels.xlsx", SHEET)
    before = digest(sheet)
    reviewed = review(
        tmp_path,
        ("a.jpg", "healthy", "unhealthy", "unhealthy"),
        ("b.jpg", "unhealthy", "healthy", "unhealthy"),
        ("c.jpg", "healthy", "unhealthy", None),
        ("d.jpg", 0, "healthy", 1),
    )
    changes = apply_review(sheet, reviewed=reviewed, out=tmp_path / "new.xlsx", config=SheetConfig())
    assert list(changes.columns) == list(CHANGE_COLUMNS)
    assert changes.values.tolist() == [
        [2, "B2", "a.jpg", "1", "0", "healthy", "unhealthy"],
        [5, "B5", "d.jpg", "0", "1", "unhealthy", "healthy"],
    ]
    expected = [list(row) for row in SHEET]
    expected[1][1], expected[4][1] = 0, 1
    assert [list(row) for row in cells(tmp_path / "new.xlsx")] == expected
    copy = openpyxl.load_workbook(tmp_path / "new.xlsx")
    assert copy.sheetnames == ["Sheet", "Key"]
    assert copy.worksheets[0]["B3"].number_format == "0.00"
    assert digest(sheet) == before


def test_csv_keeps_its_encoding_delimiter_and_line_ends(tmp_path: Path) -> None:
    sheet = tmp_path / "labels.csv"
    sheet.write_bytes("Bild;Gesund\r\nfräulein.jpg;ja\r\n\r\n007.jpg;nein\r\n".encode("cp1252"))
    reviewed = review(tmp_path, ("fräulein.jpg", "ja", "", "nein"))
    changes = apply_review(sheet, reviewed=reviewed, out=tmp_path / "new.csv", config=SheetConfig())
    assert changes["cell"].tolist() == ["B2"]
    expected = "Bild;Gesund\r\nfräulein.jpg;nein\r\n\r\n007.jpg;nein\r\n".encode("cp1252")
    assert (tmp_path / "new.csv").read_bytes() == expected


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("a.jpg", "unhealthy", "", "healthy"), "no longer 'unhealthy'"),
        (("x.jpg", "healthy", "", "unhealthy"), "no usable row for 'x.jpg'"),
        (("a.jpg", "healthy", "", "unsure"), "is not a label of the sheet"),
    ],
)
def test_a_review_that_does_not_fit_changes_nothing(tmp_path: Path, row: Sequence[str], says: str) -> None:
    sheet = save(tmp_path / "labels.xlsx", SHEET)
    reviewed = review(tmp_path, ("b.jpg", "unhealthy", "", "healthy"), row)
    with pytest.raises(SheetError, match=says) as raised:
        apply_review(sheet, reviewed=reviewed, out=tmp_path / "new.xlsx", config=SheetConfig())
    assert [(fault.row, fault.column) for fault in raised.value.faults] == [(3, "D")]
    assert not (tmp_path / "new.xlsx").exists()


def test_two_corrections_of_one_image_must_agree(tmp_path: Path) -> None:
    sheet = save(tmp_path / "labels.xlsx", SHEET)
    reviewed = review(tmp_path, ("a.jpg", "1", "", "0"), ("a.jpg", "1", "", "1"))
    with pytest.raises(SheetError, match="another label"):
        apply_review(sheet, reviewed=reviewed, out=tmp_path / "new.xlsx", config=SheetConfig())


def test_the_original_and_other_files_are_not_replaced(tmp_path: Path) -> None:
    sheet = save(tmp_path / "labels.xlsx", SHEET)
    reviewed = review(tmp_path, ("a.jpg", "1", "", "0"))
    for out in (sheet, reviewed):
        with pytest.raises(SheetError, match="already exists"):
            apply_review(sheet, reviewed=reviewed, out=out, config=SheetConfig())
    with pytest.raises(SheetError, match="must end in"):
        apply_review(sheet, reviewed=reviewed, out=tmp_path / "new.csv", config=SheetConfig())


def test_a_calculated_label_column_is_not_rewritten(tmp_path: Path) -> None:
    sheet = save(tmp_path / "labels.xlsx", [*SHEET, ("e.jpg", "=1-1", None)])
    reviewed = review(tmp_path, ("a.jpg", "1", "", "0"))
    with pytest.raises(SheetError, match="B6: holds a formula"):
        apply_review(sheet, reviewed=reviewed, out=tmp_path / "new.xlsx", config=SheetConfig())


def test_a_merged_label_cell_is_not_rewritten(tmp_path: Path) -> None:
    sheet = save(tmp_path / "labels.xlsx", SHEET)
    workbook = openpyxl.load_workbook(sheet)
    workbook.worksheets[0]["B3"].value = None
    workbook.worksheets[0].merge_cells("B2:B3")
    workbook.save(sheet)
    reviewed = review(tmp_path, ("b.jpg", "1", "", "0"))
    with pytest.raises(SheetError, match="B3 of 'Sheet' is merged"):
        apply_review(sheet, reviewed=reviewed, out=tmp_path / "new.xlsx", config=SheetConfig())


def test_the_rest_of_several_classes_has_no_one_value(tmp_path: Path) -> None:
    rows = [("imagePath", "class"), ("a.jpg", "normal"), ("b.jpg", "benign"), ("c.jpg", "malignant")]
    sheet = save(tmp_path / "labels.xlsx", rows)
    config = SheetConfig(positive="malignant")
    reviewed = review(tmp_path, ("c.jpg", "malignant", "", "not malignant"))
    with pytest.raises(SheetError, match="write one of them"):
        apply_review(sheet, reviewed=reviewed, out=tmp_path / "new.xlsx", config=config)
    reviewed = review(tmp_path, ("c.jpg", "malignant", "", "benign"))
    assert apply_review(sheet, reviewed=reviewed, out=tmp_path / "new.xlsx", config=config)["after"].tolist() == [
        "benign"
    ]


def test_what_is_not_a_review_is_refused(tmp_path: Path) -> None:
    sheet = save(tmp_path / "labels.xlsx", SHEET)
    with pytest.raises(SheetError, match="is not a review"):
        apply_review(sheet, reviewed=sheet, out=tmp_path / "new.xlsx", config=SheetConfig())
