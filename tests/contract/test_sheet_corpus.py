"""Workbooks as people write them: each gives the right cohort, or an error with the exact cell and what to do.

Every case is a workbook made here, the frames beside it, and what must come of them. For every cohort it is
checked besides that the rows add up and that no image lies outside the folder.
"""

from __future__ import annotations

import datetime
import os
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlwt
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P
from openpyxl.worksheet.worksheet import Worksheet

from sonoproof.config import SheetConfig
from sonoproof.data.cohort.cohort import Cohort, build_cohort
from sonoproof.errors import CohortError, ConfigError, SheetError, SonoproofError

Rows = Sequence[Sequence[Any]]
HEADER = ("imagePath", "Healthy")
FOUR = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
PLAIN: Rows = (HEADER, ("a.jpg", 1), ("b.jpg", 0), ("c.jpg", 1), ("d.jpg", 0))
HEALTHY_AC = {"a.jpg": "healthy", "b.jpg": "unhealthy", "c.jpg": "healthy", "d.jpg": "unhealthy"}


@dataclass(frozen=True)
class Case:
    """A workbook and what must come of it: labels (and quarantined rows) or an error."""

    name: str
    make: Callable[[Path], Path]
    files: Sequence[str] = FOUR
    config: SheetConfig = field(default_factory=SheetConfig)
    labels: dict[str, str] | None = None
    quarantined: dict[int, str] = field(default_factory=dict)
    cells: dict[int, str] = field(default_factory=dict)
    inferred: dict[str, Any] = field(default_factory=dict)
    error: type[SonoproofError] | None = None
    says: Sequence[str] = ()


def xlsx(rows: Rows, *, touch: Callable[[Worksheet], None] | None = None, name: str = "labels.xlsx") -> Any:
    def make(folder: Path) -> Path:
        workbook = openpyxl.Workbook()
        sheet = workbook.worksheets[0]
        for row in rows:
            sheet.append(list(row))
        if touch is not None:
            touch(sheet)
        workbook.save(folder / name)
        return folder / name

    return make


def sheets(**tables: Rows) -> Any:
    def make(folder: Path) -> Path:
        workbook = openpyxl.Workbook()
        workbook.remove(workbook.worksheets[0])
        for name, rows in tables.items():
            sheet = workbook.create_sheet(name.removeprefix("hidden_"))
            sheet.sheet_state = "hidden" if name.startswith("hidden_") else "visible"
            for row in rows:
                sheet.append(list(row))
        workbook.save(folder / "labels.xlsx")
        return folder / "labels.xlsx"

    return make


def xls(rows: Rows) -> Any:
    def make(folder: Path) -> Path:
        workbook = xlwt.Workbook()
        sheet = workbook.add_sheet("Labels")
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                sheet.write(number, column, value)
        workbook.save(str(folder / "labels.xls"))
        return folder / "labels.xls"

    return make


def ods(rows: Rows, *, trailing_blanks: int = 0) -> Any:
    def make(folder: Path) -> Path:
        document = OpenDocumentSpreadsheet()
        table = Table(name="Labels")
        for row in rows:
            table.addElement(ods_row(row))
        if trailing_blanks:
            blank = TableRow(numberrowsrepeated=trailing_blanks)
            blank.addElement(TableCell(numbercolumnsrepeated=1024))
            table.addElement(blank)
        document.spreadsheet.addElement(table)
        document.save(str(folder / "labels.ods"))
        return folder / "labels.ods"

    return make


def ods_row(row: Sequence[Any]) -> Any:
    line = TableRow()
    for value in row:
        number = isinstance(value, int | float)
        cell = TableCell(valuetype="float", value=value) if number else TableCell(valuetype="string")
        cell.addElement(P(text=str(value)))
        line.addElement(cell)
    return line


def text(content: str, *, encoding: str = "utf-8", name: str = "labels.csv") -> Any:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content.encode(encoding))
        return folder / name

    return make


def csv_of(rows: Iterable[Sequence[Any]], *, mark: str = ",") -> str:
    return "".join(mark.join(map(str, row)) + "\n" for row in rows)


def labelled(*labels: Any, header: str = "Healthy", extra: Sequence[str] = ()) -> Rows:
    return [("imagePath", header), *zip((*FOUR, *extra), labels, strict=False)]


def merge_patients(sheet: Worksheet) -> None:
    sheet.merge_cells("C2:C3")
    sheet.merge_cells("C4:C5")


def hide(sheet: Worksheet) -> None:
    sheet.row_dimensions[3].hidden = True
    sheet.column_dimensions["B"].hidden = True


def link_outside(folder: Path) -> Path:
    (folder / "secret.jpg").write_bytes(b"x")
    (folder / "frames" / "e.jpg").symlink_to(folder / "secret.jpg")
    return xlsx([*PLAIN, ("e.jpg", 1)])(folder)  # type: ignore[no-any-return]


def absolute_paths(folder: Path) -> Path:
    rows = [HEADER, *((str(folder / "frames" / name), value) for name, value in PLAIN[1:])]
    return xlsx(rows)(folder)  # type: ignore[no-any-return]


NFD = unicodedata.normalize("NFD", "fräulein.jpg")
TWO_PATIENTS: Rows = (
    ("imagePath", "Healthy", "patient"),
    ("a.jpg", 1, "P1"),
    ("b.jpg", 0, None),
    ("c.jpg", 1, "P2"),
    ("d.jpg", 0, None),
)
BY_PATIENT = SheetConfig(group_columns=("patient",))

CASES = [
    # What a sheet may look like.
    Case("plain xlsx", xlsx(PLAIN), labels=HEALTHY_AC, inferred={"worksheet": "Sheet", "header_row": 1}),
    Case("plain xls", xls(PLAIN), labels=HEALTHY_AC, inferred={"worksheet": "Labels"}),
    Case("plain ods", ods(PLAIN), labels=HEALTHY_AC, inferred={"worksheet": "Labels"}),
    Case("ods with a million blank rows", ods(PLAIN, trailing_blanks=1_048_000), labels=HEALTHY_AC),
    Case("csv", text(csv_of(PLAIN)), labels=HEALTHY_AC, inferred={"encoding": "utf-8", "delimiter": ","}),
    Case("csv with ;", text(csv_of(PLAIN, mark=";")), labels=HEALTHY_AC, inferred={"delimiter": ";"}),
    Case("csv with tabs", text(csv_of(PLAIN, mark="\t"), name="labels.tsv"), labels=HEALTHY_AC),
    Case("csv with BOM", text(csv_of(PLAIN), encoding="utf-8-sig"), labels=HEALTHY_AC),
    Case("csv in UTF-16", text(csv_of(PLAIN), encoding="utf-16"), labels=HEALTHY_AC, inferred={"encoding": "utf-16"}),
    Case("csv in UTF-16 without BOM", text(csv_of(PLAIN), encoding="utf-16-le"), labels=HEALTHY_AC),
    Case(
        "csv in cp1252",
        text("Bild;Gesund\nfräulein.jpg;ja\nb.jpg;nein\n", encoding="cp1252"),
        files=("fräulein.jpg", "b.jpg"),
        labels={"fräulein.jpg": "healthy", "b.jpg": "unhealthy"},
        inferred={"encoding": "cp1252"},
    ),
    Case(
        "csv with sep= line", text("sep=;\n" + csv_of(PLAIN, mark=";")), labels=HEALTHY_AC, inferred={"header_row": 1}
    ),
    Case(
        "csv with commas and line breaks in quotation marks",
        text('imagePath,note,Healthy\n"a.jpg","left, upper\nquadrant",1\nb.jpg,"said ""no""",0\n'),
        labels={"a.jpg": "healthy", "b.jpg": "unhealthy"},
    ),
    Case("csv under the name xlsx", text(csv_of(PLAIN), name="labels.xlsx"), labels=HEALTHY_AC),
    Case("xlsx under the name csv", xlsx(PLAIN, name="labels.csv"), labels=HEALTHY_AC),
    Case(
        "header in row 4",
        xlsx([("Labels of the study",), (), ("exported", datetime.date(2024, 5, 1)), *PLAIN]),
        labels=HEALTHY_AC,
        inferred={"header_row": 4},
    ),
    Case("table begins in C3", xlsx([(), (), *((None, None, *row) for row in PLAIN)]), labels=HEALTHY_AC),
    Case(
        "no header",
        xlsx(PLAIN[1:]),
        error=None,
        labels={"a.jpg": "column B 1", "b.jpg": "column B 0", "c.jpg": "column B 1", "d.jpg": "column B 0"},
        inferred={"header_row": None},
    ),
    Case(
        "unknown column names",
        xlsx([("wo", "was"), *((name, "gesund" if value else "krank") for name, value in PLAIN[1:])]),
        labels={"a.jpg": "gesund", "b.jpg": "krank", "c.jpg": "gesund", "d.jpg": "krank"},
        inferred={"header_row": 1},
    ),
    Case("merged patients", xlsx(TWO_PATIENTS, touch=merge_patients), config=BY_PATIENT, labels=HEALTHY_AC),
    Case(
        "hidden label column",
        xlsx(PLAIN, touch=hide),
        error=SheetError,
        says=["would be 'Healthy', which is hidden", "B1", "'1' (2), '0' (2)", "--label-column"],
    ),
    Case(
        "hidden row and a hidden column that was named",
        xlsx(PLAIN, touch=hide),
        config=SheetConfig(label_column="Healthy"),
        labels=HEALTHY_AC,
        inferred={"hidden_rows": 1, "hidden_columns": ["B"]},
    ),
    Case(
        "hidden row left out",
        xlsx(PLAIN, touch=hide),
        config=SheetConfig(label_column="Healthy", hidden_rows="drop"),
        labels={name: label for name, label in HEALTHY_AC.items() if name != "b.jpg"},
        quarantined={3: "is hidden in the sheet"},
        cells={3: "A3"},
    ),
    Case(
        "empty rows",
        xlsx([HEADER, (), *PLAIN[1:3], (), *PLAIN[3:], ()]),
        labels=HEALTHY_AC,
        inferred={"blank_rows_skipped": 2},
    ),
    Case(
        "two sheets, one with labels",
        sheets(Readme=[("read me",)], Labels=PLAIN),
        labels=HEALTHY_AC,
        inferred={"worksheet": "Labels"},
    ),
    Case(
        "two sheets with labels",
        sheets(train=PLAIN, test=PLAIN),
        error=SheetError,
        says=["train", "test", "worksheet="],
    ),
    Case(
        "two sheets, one named",
        sheets(train=PLAIN, test=PLAIN),
        config=SheetConfig(worksheet="Test "),
        labels=HEALTHY_AC,
    ),
    Case(
        "hidden sheet beside a visible one",
        sheets(hidden_old=PLAIN, new=PLAIN),
        labels=HEALTHY_AC,
        inferred={"worksheet": "new"},
    ),
    Case(
        "missing sheet",
        xlsx(PLAIN),
        config=SheetConfig(worksheet="Sheeet"),
        error=SheetError,
        says=["did you mean 'Sheet'"],
    ),
    Case("empty workbook", xlsx([]), error=SheetError, says=["empty"]),
    Case("empty file", text(""), error=SheetError, says=["empty"]),
    Case("column names only", xlsx([HEADER]), error=SheetError, says=["no rows"]),
    Case(
        "header repeated on the next page",
        xlsx([*PLAIN[:3], HEADER, *PLAIN[3:]]),
        labels=HEALTHY_AC,
        quarantined={4: "repeats the column names"},
        cells={4: "A4"},
    ),
    Case(
        "total at the end",
        xlsx([*PLAIN, ("Total", None)]),
        labels=HEALTHY_AC,
        quarantined={6: "has no label"},
        cells={6: "B6"},
    ),
    Case(
        "blank label and blank reference",
        xlsx([*PLAIN, ("a.jpg", None), (None, 1)]),
        labels=HEALTHY_AC,
        quarantined={6: "has no label", 7: "has no image reference"},
        cells={6: "B6", 7: "A7"},
    ),
    Case(
        "blank patient",
        xlsx([*(list(row) for row in TWO_PATIENTS[:2]), ("b.jpg", 0, "P2"), ("c.jpg", 1, " ")]),
        config=BY_PATIENT,
        labels={"a.jpg": "healthy", "b.jpg": "unhealthy"},
        quarantined={4: "has no patient"},
        cells={4: "C4"},
    ),
    # Columns.
    Case(
        "no such column",
        xlsx(PLAIN),
        config=SheetConfig(label_column="Helthy"),
        error=SheetError,
        says=["did you mean 'Healthy'"],
    ),
    Case(
        "no such group column",
        xlsx(TWO_PATIENTS),
        config=SheetConfig(group_columns=("patientt",)),
        error=SheetError,
        says=["did you mean 'patient'"],
    ),
    Case(
        "two label columns",
        xlsx([("imagePath", "label", "class"), ("a.jpg", 1, 0), ("b.jpg", 0, 1)]),
        error=SheetError,
        says=["B1", "C1", "'label'", "'class'", "--label-column"],
    ),
    Case(
        "two image columns",
        xlsx([("image", "filename", "label"), ("a.jpg", "b.jpg", 1), ("b.jpg", "a.jpg", 0)]),
        error=SheetError,
        says=["A1", "B1", "--image-column"],
    ),
    Case(
        "two columns of one name",
        xlsx([("imagePath", "Healthy", "Healthy"), ("a.jpg", 1, 0), ("b.jpg", 0, 1)]),
        error=SheetError,
        says=["B1", "C1"],
    ),
    Case(
        "Healthy beside a class column",
        xlsx([(*HEADER, "class"), ("a.jpg", 1, "regular"), ("b.jpg", 0, "covid")]),
        labels={"a.jpg": "healthy", "b.jpg": "unhealthy"},
        inferred={"other_label_columns": ["class"]},
    ),
    Case(
        "patient column not used",
        xlsx([(*row, "P1") if number else (*row, "patient_id") for number, row in enumerate(PLAIN)]),
        labels=HEALTHY_AC,
        inferred={"group_columns": [], "unused_group_columns": {"patient_id": "has only 1 different value"}},
    ),
    # Labels.
    Case(
        "yes and no in four spellings",
        xlsx(labelled("Yes", "no", "YES", "ja", extra=["e.jpg"])),
        files=[*FOUR, "e.jpg"],
        labels={"a.jpg": "healthy", "b.jpg": "unhealthy", "c.jpg": "healthy", "d.jpg": "healthy"},
    ),
    Case("mixed types", xlsx(labelled(1, "0", True, "no ")), labels=HEALTHY_AC),
    Case("numbers as text, with decimals", xlsx(labelled("1.0", "0.0", "1", " 0")), labels=HEALTHY_AC),
    Case(
        "Unhealthy: 1 is the positive class",
        xlsx(labelled(1, 0, 1, 0, header="Unhealthy")),
        labels={"a.jpg": "unhealthy", "b.jpg": "healthy", "c.jpg": "unhealthy", "d.jpg": "healthy"},
    ),
    Case(
        "0, 1 and 2",
        xlsx(labelled(0, 1, 2, 1, header="label")),
        error=SheetError,
        says=["3 classes", "--positive", "B4"],
    ),
    Case(
        "2 against the rest",
        xlsx(labelled(0, 1, 2, 2, header="label")),
        config=SheetConfig(positive="2"),
        labels={"a.jpg": "not label 2", "b.jpg": "not label 2", "c.jpg": "label 2", "d.jpg": "label 2"},
    ),
    Case(
        "a stray 2 under Healthy",
        xlsx([HEADER, *((f"{number}.jpg", number % 2) for number in range(20)), ("20.jpg", 2)]),
        files=[f"{number}.jpg" for number in range(21)],
        quarantined={22: "neither 'healthy' nor 'unhealthy'"},
        cells={22: "B22"},
        labels={f"{number}.jpg": "healthy" if number % 2 else "unhealthy" for number in range(20)},
    ),
    Case(
        "misspelt class",
        xlsx(
            [
                ("file", "diagnosis"),
                *((f"{n}.jpg", ("benign", "malignant")[n % 2]) for n in range(20)),
                ("20.jpg", "malignnt"),
            ]
        ),
        files=[f"{n}.jpg" for n in range(21)],
        quarantined={22: "did you mean 'malignant'"},
        cells={22: "B22"},
        labels={f"{n}.jpg": ("benign", "malignant")[n % 2] for n in range(20)},
    ),
    Case(
        "words without a side",
        xlsx(labelled("A", "B", "A", "B", header="class")),
        error=SheetError,
        says=["--positive", "B2", "B3"],
    ),
    Case(
        "unknown positive class",
        xlsx(labelled("A", "B", "A", "B", header="class")),
        config=SheetConfig(positive="C"),
        error=ConfigError,
        says=["'A'", "'B'"],
    ),
    Case(
        "non-PCOS and PCOS",
        xlsx(labelled("non-PCOS", "PCOS", "Non PCOS", "pcos ", header="diagnosis")),
        labels={"a.jpg": "non-PCOS", "b.jpg": "PCOS", "c.jpg": "non-PCOS", "d.jpg": "PCOS"},
    ),
    Case(
        "dates for labels",
        xlsx([*PLAIN[:4], ("d.jpg", datetime.date(2024, 1, 2))]),
        quarantined={5: "is a date"},
        cells={5: "B5"},
        labels={"a.jpg": "healthy", "b.jpg": "unhealthy", "c.jpg": "healthy"},
    ),
    Case(
        "formula never calculated",
        xlsx([*PLAIN[:4], ("d.jpg", "=1-1")]),
        quarantined={5: "without a saved result"},
        cells={5: "B5"},
        labels={"a.jpg": "healthy", "b.jpg": "unhealthy", "c.jpg": "healthy"},
    ),
    Case(
        "error value",
        xlsx([*PLAIN[:4], ("d.jpg", "#N/A")]),
        quarantined={5: "error value"},
        cells={5: "B5"},
        labels={"a.jpg": "healthy", "b.jpg": "unhealthy", "c.jpg": "healthy"},
    ),
    Case("one class only", xlsx(labelled(1, 1, 1, 1)), error=CohortError, says=["one class", "4"]),
    Case(
        "one class left",
        xlsx(labelled(1, 1, 0, 0)),
        files=FOUR[:2],
        error=CohortError,
        says=["one class", "2 'healthy'"],
    ),
    # References.
    Case(
        "007 as text",
        xlsx([HEADER, ("007", 1), ("7", 0)]),
        files=("007.jpg", "7.jpg"),
        labels={"007.jpg": "healthy", "7.jpg": "unhealthy"},
    ),
    Case(
        "007 became a number",
        xlsx([HEADER, (7, 1), (8, 0)]),
        files=("007.jpg", "008.jpg"),
        labels={"007.jpg": "healthy", "008.jpg": "unhealthy"},
        inferred={"references_matched": {"ignoring leading zeros": 2}},
    ),
    Case(
        "007 became a number, 07 is there too",
        xlsx([HEADER, (7, 1), ("a", 0), ("b", 1)]),
        files=("007.jpg", "07.jpg", "a.jpg", "b.jpg"),
        labels={"a.jpg": "unhealthy", "b.jpg": "healthy"},
        quarantined={2: "'007.jpg', '07.jpg'"},
        cells={2: "A2"},
    ),
    Case("without suffix", xlsx([HEADER, *((name[0], value) for name, value in PLAIN[1:])]), labels=HEALTHY_AC),
    Case(
        "trailing and invisible blanks",
        xlsx([HEADER, *((f"\u00a0{name} \u200b", value) for name, value in PLAIN[1:])]),
        labels=HEALTHY_AC,
    ),
    Case("wrong case", xlsx([HEADER, *((name.upper(), value) for name, value in PLAIN[1:])]), labels=HEALTHY_AC),
    Case("wrong suffix", xlsx([HEADER, *((name[0] + ".PNG", value) for name, value in PLAIN[1:])]), labels=HEALTHY_AC),
    Case(
        "other Unicode form",
        xlsx([HEADER, (NFD, 1), ("b.jpg", 0)]),
        files=("fräulein.jpg", "b.jpg"),
        labels={"fräulein.jpg": "healthy", "b.jpg": "unhealthy"},
    ),
    Case(
        "subfolders",
        xlsx([HEADER, ("a.jpg", 1), ("q/b.jpg", 0)]),
        files=("p/a.jpg", "q/b.jpg", "p/b.jpg"),
        labels={"p/a.jpg": "healthy", "q/b.jpg": "unhealthy"},
    ),
    Case(
        "Windows paths",
        xlsx([HEADER, *((rf"C:\Study\p\{name}", value) for name, value in PLAIN[1:])]),
        files=[f"p/{name}" for name in FOUR],
        labels={f"p/{name}": label for name, label in HEALTHY_AC.items()},
    ),
    Case("absolute paths", absolute_paths, labels=HEALTHY_AC),
    Case(
        "URLs",
        xlsx([HEADER, *((f"https://x.org/s/{name}?raw=1", value) for name, value in PLAIN[1:])]),
        labels=HEALTHY_AC,
    ),
    Case(
        "out of the folder",
        xlsx([*PLAIN, ("../secret.jpg", 1), ("x/../../a.jpg", 1)]),
        labels=HEALTHY_AC,
        quarantined={6: "leads out of the image folder", 7: "leads out of the image folder"},
    ),
    Case("link out of the folder", link_outside, labels=HEALTHY_AC, quarantined={6: "is a link"}, cells={6: "A6"}),
    Case(
        "two files match",
        xlsx([*PLAIN, ("e", 1)]),
        files=[*FOUR, "e.jpg", "e.png"],
        labels=HEALTHY_AC,
        quarantined={6: "'e.jpg', 'e.png'"},
    ),
    Case(
        "misspelt reference",
        xlsx([*PLAIN, ("frame_0l.jpg", 1)]),
        files=[*FOUR, "frame_01.jpg"],
        labels=HEALTHY_AC,
        quarantined={6: "did you mean 'frame_01.jpg'"},
        cells={6: "A6"},
    ),
    Case(
        "reference to a text file",
        xlsx([*PLAIN, ("notes.txt", 1)]),
        files=[*FOUR, "notes.txt"],
        labels=HEALTHY_AC,
        quarantined={6: "not an image file"},
    ),
    Case("duplicates that agree", xlsx([*PLAIN, ("A.jpg", 1)]), labels=HEALTHY_AC, quarantined={6: "repeats row 2"}),
    Case(
        "duplicates that disagree",
        xlsx([*PLAIN, ("a", 0)]),
        quarantined={2: "rows 2, 6", 6: "'healthy' or 'unhealthy'"},
        labels={"b.jpg": "unhealthy", "c.jpg": "healthy", "d.jpg": "unhealthy"},
    ),
    Case(
        "duplicates of two patients",
        xlsx(
            [
                ("imagePath", "Healthy", "patient"),
                ("a.jpg", 1, "P1"),
                ("b.jpg", 0, "P1"),
                ("c.jpg", 1, "P2"),
                ("a.jpg", 1, "P2"),
            ]
        ),
        config=BY_PATIENT,
        quarantined={2: "patient", 5: "patient"},
        labels={"b.jpg": "unhealthy", "c.jpg": "healthy"},
    ),
    Case(
        "two folders, one file",
        xlsx([*PLAIN, ("p1/e.jpg", 1), ("p2/e.jpg", 1)]),
        files=[*FOUR, "e.jpg"],
        labels=HEALTHY_AC,
        quarantined={6: "reference", 7: "reference"},
    ),
    Case("no image found", xlsx(PLAIN), files=("x.jpg",), error=CohortError, says=["A2", "'a.jpg'", "'x.jpg'"]),
    Case("folder without images", xlsx(PLAIN), files=("x.txt",), error=CohortError, says=["no image"]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_workbook(case: Case, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    for name in case.files:
        (frames / name).parent.mkdir(parents=True, exist_ok=True)
        (frames / name).write_bytes(b"not decoded here")
    sheet = case.make(tmp_path)
    if case.error is not None:
        with pytest.raises(case.error) as raised:
            build_cohort(sheet, images=frames, config=case.config)
        assert all(part in str(raised.value) for part in case.says), str(raised.value)
        return
    cohort = build_cohort(sheet, images=frames, config=case.config)
    assert dict(zip(cohort.records["image_id"], cohort.records["label"], strict=True)) == case.labels
    check_quarantine(cohort, case)
    cohort.check_accounts()
    assert {key: cohort.inferred[key] for key in case.inferred} == case.inferred
    for path in cohort.records["path"]:
        assert Path(path).is_absolute()
        assert os.path.realpath(path).startswith(os.path.realpath(frames))


def check_quarantine(cohort: Cohort, case: Case) -> None:
    reasons = dict(zip(cohort.quarantine["sheet_row"], cohort.quarantine["reason"], strict=True))
    assert reasons.keys() == case.quarantined.keys()
    for row, reason in case.quarantined.items():
        assert reason in reasons[row]
    cells = dict(zip(cohort.quarantine["sheet_row"], cohort.quarantine["cell"], strict=True))
    assert {row: cells[row] for row in case.cells} == case.cells


def test_corpus_is_large_and_its_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 45
