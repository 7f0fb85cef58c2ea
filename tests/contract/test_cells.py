"""What a cell says, in every format that can say it: each gives the right file or label, or a row that is set aside."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from benchmarks.sheets.writers import Cell, write_sheet

from sonoproof.config import SheetConfig
from sonoproof.data.cohort.cohort import Cohort, build_cohort, build_test_cohort
from sonoproof.data.cohort.description import describe_cohort
from sonoproof.data.cohort.relabel import REVIEW_COLUMNS, apply_review
from sonoproof.errors import CohortError, SheetError

# An xls file is read in a process of its own, so it is tried only where it says something of its own.
ALL, WORKBOOKS, WITH_LINKS = (".xlsx", ".ods", ".csv"), (".xlsx", ".xls", ".ods"), (".xlsx", ".ods")


@dataclass(frozen=True)
class Case:
    """A sheet and what must come of it.

    Attributes:
        name: What it is about.
        references: Cells of the image column; their labels are 1, 0, 1, 0, …
        files: The files of the folder.
        used: For each row, the file that is used, or "".
        says: What the reason of a row that is not used says.
        labels: Cells of the label column, if they are the subject.
        config: How the sheet is read.
        formats: In which formats it is tried.
    """

    name: str
    references: Sequence[Any]
    files: Sequence[str]
    used: Sequence[str]
    says: str = ""
    labels: Sequence[Any] = ()
    config: SheetConfig = field(default_factory=SheetConfig)
    formats: Sequence[str] = ALL


PLAIN = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
CASES = (
    Case("number shown as text", [Cell(7, '"IM"0000'), Cell(8, '"IM"0000')], ["IM0007.jpg", "IM0008.jpg", "7.jpg"],
         ["IM0007.jpg", "IM0008.jpg"], formats=WORKBOOKS),
    Case("number shown with zeros", [Cell(7, "000"), Cell(8, "000")], ["007.jpg", "7.jpg", "008.jpg"],
         ["007.jpg", "008.jpg"], formats=WORKBOOKS),
    Case("number shown with decimals", [Cell(1.1, "0.00"), Cell(1.2, "0.00")], ["1.1.jpg", "1.10.jpg", "1.20.jpg"],
         ["1.10.jpg", "1.20.jpg"], formats=WORKBOOKS),
    Case("a format that is not that of the names", [Cell(1.1, "0.00"), Cell(1.2, "0.00"), Cell(1.3, "0.00")],
         ["1.1.jpg", "1.10.jpg", "1.2.jpg", "1.3.jpg"], ["", "1.2.jpg", "1.3.jpg"],
         "write the names: '1.1.jpg', '1.10.jpg'", formats=WORKBOOKS),
    Case("number that several files are", [1.1, 1.2, 1.3], ["1.1.jpg", "1.10.jpg", "1.2.jpg", "1.3.jpg"],
         ["", "1.2.jpg", "1.3.jpg"], "a number that several files have"),
    Case("number that a file with another zero is", [1.1, 1.2, 1.3], ["1.10.jpg", "1.2.jpg", "1.3.jpg"],
         ["", "1.2.jpg", "1.3.jpg"], "matches no file"),
    Case("whole number that several files are", [7, 8, 9], ["7.jpg", "007.jpg", "8.jpg", "9.jpg"],
         ["", "8.jpg", "9.jpg"], "a number that several files have"),
    Case("a number whose file has other zeros", [7, 8, 9], ["007.jpg", "008.jpg", "0009.jpg"],
         ["007.jpg", "008.jpg", ""], "has other leading zeros than the files of the other numbers", formats=[".xlsx"]),
    Case("a format that a csv file kept", ["1.10", "1.20", "1.11", "1.12"],
         ["1.1.jpg", "1.10.jpg", "1.2.jpg", "1.11.jpg", "1.12.jpg"], ["", "", "1.11.jpg", "1.12.jpg"], "",
         formats=[".csv"]),
    Case("text with zeros", ["1.10", "1.1", "1.2"], ["1.1.jpg", "1.10.jpg", "1.2.jpg"],
         ["1.10.jpg", "1.1.jpg", "1.2.jpg"]),
    Case("long number", [1234567890123456789, "b", "c"], ["1234567890123456789.jpg", *PLAIN], ["", "b.jpg", "c.jpg"],
         "more than 15 digits", formats=WORKBOOKS),
    Case("long number as text", ["1234567890123456789", "1234567890123456780"],
         ["1234567890123456789.jpg", "1234567890123456780.jpg"],
         ["1234567890123456789.jpg", "1234567890123456780.jpg"]),
    Case("long number shortened", ["1.23457E+18", "b", "c"], ["1234567890123456789.jpg", *PLAIN],
         ["", "b.jpg", "c.jpg"], "shortened a long number", formats=[".csv"]),
    Case("link to another file", [Cell("a.jpg", link="frames/b.jpg"), Cell("b.jpg", link="../x/b.jpg"), "c.jpg"], PLAIN,
         ["", "b.jpg", "c.jpg"], "has a link to another file; remove the link or correct the name: 'frames/b.jpg'",
         formats=WITH_LINKS),
    Case("link to a file that is not there", [Cell("a.jpg", link="file:///D:/q.jpg"), "b.jpg", "c.jpg"], PLAIN,
         ["", "b.jpg", "c.jpg"], "has a link to another file", formats=WITH_LINKS),
    Case("link of a near name", [Cell("a.dcm", link="frames/b.jpg"), "b.jpg", "c.jpg"], PLAIN, ["", "b.jpg", "c.jpg"],
         "has a link to another file", config=SheetConfig(near_names=True), formats=[".xlsx"]),
    Case("link with blanks", [Cell("img 1.jpg", link="frames/img%201.jpg"), Cell("b.jpg", link="frames/b.jpg#x")],
         ["img 1.jpg", "b.jpg"], ["img 1.jpg", "b.jpg"], formats=[".xlsx"]),
    Case("link to a page", [Cell("a.jpg", link="https://pacs.example/study?id=7"), "b.jpg"], PLAIN, ["a.jpg", "b.jpg"],
         formats=WITH_LINKS),
    Case("link in a formula", [Cell("a.jpg", formula='HYPERLINK("x/b.jpg","a.jpg")'), "b.jpg", "c.jpg"], PLAIN,
         ["", "b.jpg", "c.jpg"], "correct the name: 'x/b.jpg'", formats=[".ods"]),
    Case("several images", ["a.jpg;b.jpg", "c.jpg", "d.jpg"], PLAIN, ["", "c.jpg", "d.jpg"], "names several files"),
    Case("several images with folders", ["x/a.jpg, x/b.jpg", "c.jpg", "d.jpg"], PLAIN, ["", "c.jpg", "d.jpg"],
         "--several-images rows"),
    Case("several images, one below the other", ["a.jpg\nb.jpg", "c.jpg", "d.jpg"], PLAIN, ["", "c.jpg", "d.jpg"],
         "names several files"),
    Case("a range of images", ["a.jpg - d.jpg", "b.jpg", "c.jpg"], PLAIN, ["", "b.jpg", "c.jpg"], "names several files",
         config=SheetConfig(several_images="rows")),
    Case("a file whose name has a comma", ["a, left.jpg", "b;c.jpg"], ["a, left.jpg", "b;c.jpg", "a", "left.jpg"],
         ["a, left.jpg", "b;c.jpg"]),
    Case("near names", ["a.dcm", "b.jpg", "c.jpg"], PLAIN, ["", "b.jpg", "c.jpg"],
         "nearly names one (take such names with --near-names): 'a.jpg'"),
    Case("near names taken", ["a.dcm", "b.jpg", "c.avi", "d .jpg"], PLAIN, PLAIN, config=SheetConfig(near_names=True)),
    Case("near names of two rows", ["a.dcm", "b.jpg", "c.jpg", "a.avi"], PLAIN, ["", "b.jpg", "c.jpg", ""],
         "matches no file", config=SheetConfig(near_names=True)),
    Case("another folder", ["train/a.jpg", "frames/b.jpg", "frames/c.jpg"], PLAIN, ["", "b.jpg", "c.jpg"],
         "is in another folder than 'frames'"),
    Case("results that nobody calculated", PLAIN, PLAIN, ["a.jpg", "b.jpg", "", ""], "no spreadsheet program stored",
         labels=[1, 0, Cell(0, formula="IF(D2>1,1,0)"), Cell(0, formula="IF(D3>1,1,0)")], formats=WORKBOOKS),
    Case("an error value in a label", PLAIN, PLAIN, ["a.jpg", "b.jpg", "", ""], "marked as unknown",
         labels=[1, 0, "#REF!", "#N/A"], formats=[".csv"]),
)  # fmt: skip


def read(folder: Path, case: Case, suffix: str) -> Cohort:
    labels = case.labels or [(number + 1) % 2 for number in range(len(case.references))]
    rows: list[list[Any]] = [["image", "label"], *map(list, zip(case.references, labels, strict=True))]
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    write_sheet(folder / f"labels{suffix}", cells)
    for name in case.files:
        (folder / "frames" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "frames" / name).touch()
    return build_cohort(folder / f"labels{suffix}", images=folder / "frames", config=case.config)


@pytest.mark.parametrize(
    ("case", "suffix"),
    [pytest.param(case, suffix, id=f"{case.name}{suffix}") for case in CASES for suffix in case.formats],
)
def test_a_cell(case: Case, suffix: str, tmp_path: Path) -> None:
    cohort = read(tmp_path, case, suffix)
    used = dict(zip(cohort.records["sheet_row"], cohort.records["image_id"], strict=True))
    assert [used.get(row, "") for row in range(2, len(case.references) + 2)] == list(case.used)
    assert all(case.says in reason for reason in cohort.quarantine["reason"]), cohort.quarantine["reason"].tolist()


@pytest.mark.parametrize("suffix", WORKBOOKS)
def test_a_calculated_label_column_is_noticed(suffix: str, tmp_path: Path) -> None:
    labels = [1, 0, 1, Cell(0 if suffix == ".xls" else 1, formula="IF(D5>1,1,0)")]
    cohort = read(tmp_path, Case("calculated", PLAIN, PLAIN, PLAIN, labels=labels), suffix)
    assert cohort.inferred["calculated_columns"] == {"label": 1}
    assert any("'label' is calculated" in line for line in describe_cohort(cohort))
    assert len(cohort.records) == (3 if suffix == ".xls" else 4)  # the writer of xls stores 0


def test_a_file_that_asks_to_be_calculated_has_no_results(tmp_path: Path) -> None:
    case = Case("asks", PLAIN, PLAIN, PLAIN, labels=[1, 0, 1, Cell(1, formula="IF(D5>1,1,0)")])
    assert len(read(tmp_path, case, ".xlsx").records) == 4
    with zipfile.ZipFile(tmp_path / "labels.xlsx") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace(b"</sheets>", b'</sheets><calcPr fullCalcOnLoad="1"/>')
    with zipfile.ZipFile(tmp_path / "labels.xlsx", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    cohort = build_cohort(tmp_path / "labels.xlsx", images=tmp_path / "frames", config=SheetConfig())
    assert len(cohort.records) == 3


def test_labels_and_patients_are_read_as_shown(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    table = (("image", "label", "patient"), ("a.jpg", 1, 7), ("b.jpg", 0, "P007"), ("c.jpg", 1, 8), ("d.jpg", 0, 9))
    for cells in table:
        sheet.append(list(cells))
    for row in range(2, 6):
        sheet[f"B{row}"].number_format = '"malignant";;"benign"'
        sheet[f"C{row}"].number_format = '"P"000'
    workbook.save(tmp_path / "labels.xlsx")
    (tmp_path / "frames").mkdir()
    for name in PLAIN:
        (tmp_path / "frames" / name).touch()
    config = SheetConfig(group_columns=("patient",))
    cohort = build_cohort(tmp_path / "labels.xlsx", images=tmp_path / "frames", config=config)
    assert cohort.records["label"].tolist() == ["malignant", "benign", "malignant", "benign"]
    assert cohort.records["patient"].tolist() == ["P007", "P007", "P008", "P009"]
    for row in range(2, 6):
        sheet[f"B{row}"].number_format = '[=1]"malignant";"benign"'
    workbook.save(tmp_path / "labels.xlsx")
    with pytest.raises(CohortError, match="number format that is not understood"):
        build_cohort(tmp_path / "labels.xlsx", images=tmp_path / "frames", config=config)


def test_each_image_of_a_cell_becomes_a_row_of_one_group(tmp_path: Path) -> None:
    case = Case("rows", ["a.jpg; b.jpg", "c.jpg\nd.jpg"], PLAIN, PLAIN, config=SheetConfig(several_images="rows"))
    cohort = read(tmp_path, case, ".xlsx")
    assert dict(zip(cohort.records["image_id"], cohort.records["label"], strict=True)) == {
        "a.jpg": "label 1",
        "b.jpg": "label 1",
        "c.jpg": "label 0",
        "d.jpg": "label 0",
    }
    assert cohort.group_columns == ("images_of_row",)
    assert cohort.records["images_of_row"].tolist() == ["row 2", "row 2", "row 3", "row 3"]
    assert cohort.rows_read == 4


def _two_folders(folder: Path, references: Sequence[str | int], train: Sequence[str], test: Sequence[str]) -> Path:
    for part, names in (("train", train), ("test", test)):
        (folder / part).mkdir()
        for name in names:
            (folder / part / name).touch()
    rows: list[tuple[str | int, str | int]] = [
        ("image", "label"),
        *((reference, number % 2) for number, reference in enumerate(references)),
    ]
    write_sheet(folder / "labels.xlsx", [[Cell(value) for value in row] for row in rows])
    return folder / "labels.xlsx"


def both(folder: Path, sheet: Path) -> tuple[Cohort, Cohort]:
    train, test = folder / "train", folder / "test"
    first = build_cohort(sheet, images=train, config=SheetConfig(), test_images=test, test_sheet=sheet)
    second = build_test_cohort(
        test, sheet=sheet, config=SheetConfig(), classes=first.classes, label_images=train, label_sheet=sheet
    )
    return first, second


@pytest.mark.parametrize("prefix", ["", "{}/"])
def test_one_sheet_for_two_folders(prefix: str, tmp_path: Path) -> None:
    names = {"train": ["a.jpg", "b.jpg"], "test": ["a2.jpg", "b2.jpg"]}
    references = [prefix.format(part) + name for part, files in names.items() for name in files]
    first, second = both(tmp_path, _two_folders(tmp_path, references, names["train"], names["test"]))
    assert first.records["image_id"].tolist() == ["a.jpg", "b.jpg"]
    assert second.records["image_id"].tolist() == ["test:a2.jpg", "test:b2.jpg"]
    assert set(first.quarantine["reason"]) == {"names an image of the test folder"}
    assert set(second.quarantine["reason"]) == {"names an image of the image folder of the label sheet"}


def test_equal_names_in_two_folders_are_told_apart_by_the_folder(tmp_path: Path) -> None:
    names = ["1.jpg", "2.jpg"]
    references = ["train/1.jpg", "train/2.jpg", "test/1.jpg", "test/2.jpg"]
    first, second = both(tmp_path, _two_folders(tmp_path, references, names, names))
    assert first.records["sheet_row"].tolist() == [2, 3]
    assert second.records["sheet_row"].tolist() == [4, 5]


@pytest.mark.parametrize("references", [["01.jpg", "02.jpg"], [1, 2]])
def test_equal_names_without_a_folder_are_a_question(references: Sequence[str | int], tmp_path: Path) -> None:
    sheet = _two_folders(tmp_path, references, ["01.jpg", "02.jpg"], ["01.jpg"])
    with pytest.raises(CohortError, match=r"only one class is left.*write the name of its folder"):
        both(tmp_path, sheet)


def test_a_sheet_for_converted_files_is_refused_once_with_the_flag(tmp_path: Path) -> None:
    case = Case("converted", [f"{name[0]}.dcm" for name in PLAIN], PLAIN, PLAIN)
    with pytest.raises(CohortError, match="4 of them nearly name one file each; take these with --near-names"):
        read(tmp_path, case, ".csv")


def test_a_strict_workbook_is_read_and_refused_by_relabel(tmp_path: Path) -> None:
    read(tmp_path, Case("plain", PLAIN, PLAIN, PLAIN), ".xlsx")
    with zipfile.ZipFile(tmp_path / "labels.xlsx") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "strict.xlsx", "w") as archive:
        for name, content in parts.items():
            content = content.replace(
                b"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
                b"http://purl.oclc.org/ooxml/spreadsheetml/main",
            )
            content = content.replace(
                b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
                b"http://purl.oclc.org/ooxml/officeDocument/relationships",
            )
            archive.writestr(name, content)
    cohort = build_cohort(tmp_path / "strict.xlsx", images=tmp_path / "frames", config=SheetConfig())
    assert len(cohort.records) == 4
    workbook = openpyxl.Workbook()
    workbook.worksheets[0].append(list(REVIEW_COLUMNS))
    workbook.worksheets[0].append(["a.jpg", "label 1", "label 0", "label 0"])
    workbook.save(tmp_path / "review.xlsx")
    with pytest.raises(SheetError, match="Strict Open XML"):
        apply_review(
            tmp_path / "strict.xlsx", reviewed=tmp_path / "review.xlsx", out=tmp_path / "new.xlsx", config=SheetConfig()
        )
    assert not (tmp_path / "new.xlsx").exists()
