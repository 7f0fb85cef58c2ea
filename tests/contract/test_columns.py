"""Which column holds the labels: a sheet for each rule, one for each near miss, and every confusion in every format.

A column that is not the labels is never taken: the right one is found, or the user is asked.
"""

from __future__ import annotations

import csv
import datetime
from collections.abc import Callable, Mapping
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlwt
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableColumn, TableRow
from odf.text import P

from sonoproof.config import SheetConfig
from sonoproof.data.labels.columnrules import LABEL_RULES, LabelEvidence
from sonoproof.data.labels.columns import Layout, find_layout
from sonoproof.data.labels.labelcolumn import UnclearLabels
from sonoproof.data.labels.purposes import PURPOSES
from sonoproof.data.spreadsheets.grid import Grid, build_grid
from sonoproof.data.spreadsheets.workbook import read_grids
from sonoproof.errors import SheetError

ROWS = 24
FILES = [f"{number:03d}.jpg" for number in range(ROWS)]
KNOWN = "benign malignant"


def table(columns: Mapping[str, Any]) -> list[list[Any]]:
    """A sheet: a header, a column of files, and for each further column its values, again and again."""
    values = {name: given.split() if isinstance(given, str) else list(given) for name, given in columns.items()}
    cells = [list(islice(cycle(column), ROWS)) for column in values.values()]
    return [["image", *values], *([file, *row] for file, *row in zip(FILES, *cells, strict=True))]


def layout(columns: Mapping[str, Any], **settings: Any) -> Layout:
    grid = build_grid(table(columns), name="sheet")
    return find_layout(grid, config=SheetConfig(**settings), in_folder=FILES.__contains__)


def label_of(columns: Mapping[str, Any]) -> str:
    found = layout(columns)
    return found.names[found.label]


# By the evidence that decides: a sheet whose column "right" is the labels.
TAKEN: dict[str, Mapping[str, Any]] = {
    "it is named for health": {"Healthy": "1 0 0"},
    "its name is common for labels, and some of its values are words for health or disease": {"class": "regular covid"},
    "its name is common for labels": {"Final Diagnosis": "0 1 1"},
    "it is named for a disease, and its values are yes and no": {"PCOS (Yes/No)": "Y N N"},
    "its name has a word for labels, and some of its values are words for health or disease": {
        "cytology_diagnosis": "other cancer"
    },
    "it is named for a disease": {"tumor_type": "cystic solid"},
    "its values are words for health and disease": {"was": "gesund krank"},
    "it is named for health, but it has too many different values": {"Healthy": range(ROWS)},
    "its name is common for labels, but it has too many different values": {"label": range(ROWS)},
    "it is named for a disease, but it has too many different values": {"tumour": range(ROWS)},
}
# What only makes a column a candidate.
OFFERED = {
    "its name has a word for labels": {"cytology_class": "A B B"},
    "its values are yes and no": {"thickening": "yes no no"},
    "it has few different values": {"plane": "brain femur"},
}
NAMELESS = "it is the only column beside the images, and the sheet has no column names"

# Columns for something else: names as people and programs write them.
ELSE: dict[str, tuple[str, ...]] = {
    "one option of a REDCap checkbox (`___1`, `(choice=…)`)": (
        "diagnosis___1", "findings___2", "pathology___b", "Diagnosis (choice=PCOS)",
    ),
    "a split": ("Train ", "is_test", "isTest", "split2", "fold", "Subset", "TRAIN/VAL", "cv_fold", "set", "Partition"),
    "exclusion": ("exclude", "Excluded?", "to_include", "ausgeschlossen", "used", "keep"),
    "a reader": ("reader1", "rater_A", "Annotator 2", "radiologist_diagnosis", "R1", "expert label"),
    "checks and completeness": (
        "qc_ok", "review", "diagnosis_complete", "label verified", "pathology checked", "consent", "Flag",
        "diagnosis available",
    ),
    "a prediction": ("predicted_class", "AI diagnosis", "model_output_class", "pred"),
    "history or treatment": ("family_history_cancer", "previous diagnosis", "initial_diagnosis", "Tumour therapy"),
    "a person": ("sex", "menopause", "Geschlecht", "smoker", "sexo", "post-menopausal"),
    "a place or a source": ("side", "laterality", "Seite", "tumor_location", "tumour margin", "axillary nodes"),
    "a device": ("device", "US_Machine", "Gerät", "transducer"),
    "a file": ("has_mask", "mask_class", "tumor_filename", "label_path", "segmentation"),
    "a date or time": ("diagnosis_date", "year", "disease duration"),
    "a measurement or a grade": ("BI-RADS", "BIRADS", "TI_RADS", "O-RADS", "FIGO stage", "tumor_size", "Cancer grade"),
}  # fmt: skip

# Named or filled almost like labels.
NEAR_MISSES: dict[str, Mapping[str, Any]] = {
    "a word inside another word": {"contest": "1 0"},
    "a finding that may be normal": {"vascularity": "normal abnormal"},
    "a test": {"PCR": "positive negative"},
    "a group of a study": {"arm": "control treated"},
    "a patient without a question": {"patient": "1 2"},
    "whether there is a label": {"has_label": "yes no"},
    "another disease": {"heart disease, other": "yes no"},
    "a position": {"pos": "0 1"},
    "the state of a receptor": {"ER_status": "positive negative"},
    "the result of a laboratory": {"hCG result": "normal abnormal"},
    "a check-up visit": {"Kontrolle": "ja nein"},
    "whether a frame is of use": {"diagnostic": "1 0"},
    "coordinates": {"x": range(ROWS), "y": "0 1"},
    "both sides in one name": {"normal/abnormal": "0 1"},
    "a disease that is negative": {"PCOS negative": "1 0"},
    "a legend that turns the values round": {"Healthy (1 = no, 0 = yes)": "1 0"},
    "a finding": {"lesion": "yes no"},
    "the status of what?": {"status": "1 0"},
    "quality, not health": {"infection_control": "1 0"},
}


@pytest.mark.parametrize("reason", TAKEN)
def test_a_rule_takes_the_column_that_it_describes(reason: str) -> None:
    (right,) = columns = TAKEN[reason]
    found = layout({"sex": "1 0", "side": "left right", **columns, "exclude": "no no yes"})
    assert (found.names[found.label], found.reasons["label_column"]) == (right, reason)


@pytest.mark.parametrize("reason", OFFERED)
def test_what_is_no_reason_only_makes_a_candidate(reason: str) -> None:
    with pytest.raises(UnclearLabels, match="--label-column") as raised:
        layout(OFFERED[reason])
    assert f"possible: {reason}; values " in str(raised.value)


def test_a_sheet_without_names_has_its_labels_in_its_only_other_column() -> None:
    grid = build_grid(table({"a": "1 0"})[1:], name="sheet")
    found = find_layout(grid, config=SheetConfig(), in_folder=FILES.__contains__)
    assert found.reasons["label_column"] == NAMELESS
    three = build_grid(table({"a": "1 0", "b": "x y"})[1:], name="sheet")
    with pytest.raises(UnclearLabels, match=r"column C"):
        find_layout(three, config=SheetConfig(), in_folder=FILES.__contains__)


def test_every_rule_and_every_purpose_has_its_sheets() -> None:
    assert {rule.reason for rule in LABEL_RULES if LabelEvidence(rule.evidence).is_reason} == {*TAKEN, NAMELESS}
    assert {rule.reason for rule in LABEL_RULES if not LabelEvidence(rule.evidence).is_reason} == set(OFFERED)
    assert [purpose.title for purpose in PURPOSES] == list(ELSE)


@pytest.mark.parametrize(("purpose", "name"), [(purpose, name) for purpose, names in ELSE.items() for name in names])
@pytest.mark.parametrize("values", ["1 0", "yes no no", KNOWN], ids=["1 and 0", "yes and no", "known words"])
def test_a_column_for_something_else_is_never_taken(purpose: str, name: str, values: str) -> None:
    assert label_of({name: values, "label": "0 0 1"}) == "label"
    with pytest.raises(UnclearLabels, match="--label-column") as raised:
        layout({name: values})
    assert f"unlikely: it is named for {purpose}" in str(raised.value)


@pytest.mark.parametrize("miss", NEAR_MISSES)
def test_a_near_miss_is_not_taken(miss: str) -> None:
    assert label_of({**NEAR_MISSES[miss], "Healthy": "0 0 1"}) == "Healthy"
    with pytest.raises(SheetError, match="--label-column"):
        layout(NEAR_MISSES[miss])


def test_the_question_lists_all_candidates_the_likeliest_first_with_their_values() -> None:
    with pytest.raises(UnclearLabels) as raised:
        layout({"Train ": "1 1 0", "mask": ["a.png"], "halo": "yes no", "plane": "brain femur", "patient": range(ROWS)})
    lines = str(raised.value).splitlines()
    assert [line.partition(", ")[2][:2] for line in lines[1:]] == ["D1", "E1", "B1"]
    assert "values 'yes' (12), 'no' (12)" in lines[1]
    assert "use it with --split-column; values '1' (16), '0' (8)" in lines[3]


def test_readers_that_differ_are_counted_in_the_question() -> None:
    second = [*(["benign", "malignant"] * 11), "malignant", "benign"]
    with pytest.raises(UnclearLabels, match="the readers 'reader1' and 'reader2' differ in 2 rows"):
        layout({"reader1": KNOWN, "reader2": second})


def test_two_columns_that_say_the_same_in_every_row_are_no_question() -> None:
    assert label_of({"diagnosis": KNOWN, "pathology": "Benign MALIGNANT"}) == "diagnosis"
    with pytest.raises(SheetError, match="several columns may be the label column"):
        layout({"diagnosis": KNOWN, "pathology": "benign malignant malignant"})


@pytest.mark.parametrize("names", [("benign", "malignant"), ("normal", "benign", "malignant")])
def test_one_column_for_each_class_is_a_question(names: tuple[str, ...]) -> None:
    columns = {name: ["1" if at == row else "0" for row in range(len(names))] for at, name in enumerate(names)}
    with pytest.raises(SheetError, match="--label-column"):
        layout(columns)


def test_a_second_column_of_labels_that_differs_is_a_question() -> None:
    assert label_of({"label": "0 1", "label_2": "0 1"}) == "label"
    with pytest.raises(SheetError, match="several columns may be the label column"):
        layout({"label": "0 1", "label2": "0 1 1"})


def test_two_columns_of_labels_that_answer_different_questions_are_a_question() -> None:
    with pytest.raises(SheetError, match="'pathology' and 'PCOS' may both be the labels, and differ"):
        layout({"pathology": KNOWN, "PCOS": "1 1 0 0"})


def test_a_classification_comes_before_findings_masks_and_types() -> None:
    columns = {
        "mask_tumor_filename": [f"{name}_tumor.png" for name in FILES],
        "skin_thickening": "yes no no",
        "BIRADS": "2 3 4a 4b",
        "diagnosis": [f"histology type {number}" for number in range(13)],
        "classification": "benign malignant normal",
    }
    assert label_of(columns) == "classification"


# --- The same confusions in every format ---

CONFUSIONS: dict[str, Mapping[str, Any]] = {
    "label": {"class": "0 1", "Healthy_note": "x y"},
    "split": {"Train ": "1 0"},
    "group": {"patient": "1 2"},
    "finding": {"thickening": "yes no"},
    "reader": {"reader1": KNOWN, "reader2": "benign benign"},
    "file name": {"lesion_mask": ["a_m.png", "b_m.png"]},
    "date": {"date": [datetime.date(2024, 1, 2), datetime.date(2024, 1, 3)]},
    "exclude": {"exclude": "no yes"},
    "side": {"side": "left right"},
    "age": {"age": [41, 52]},
    "device": {"device": "A B"},
}
Tables = Mapping[str, list[list[Any]]]
TWO_LABELS = {"outcome": "benign malignant malignant", "diagnosis": KNOWN}
ASKED: Tables = {kind: table(TWO_LABELS if kind == "label" else columns) for kind, columns in CONFUSIONS.items()}
RIGHT: Tables = {f"{kind}, and labels": table({**columns, "diagnosis": KNOWN}) for kind, columns in CONFUSIONS.items()}


def write_xlsx(path: Path, tables: Tables) -> None:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in tables.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


def write_xls(path: Path, tables: Tables) -> None:
    book, day = xlwt.Workbook(), xlwt.easyxf(num_format_str="YYYY-MM-DD")
    for name, rows in tables.items():
        sheet = book.add_sheet(name)
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                sheet.write(number, column, value, *([day] if isinstance(value, datetime.date) else []))
    book.save(str(path))


def write_ods(path: Path, tables: Tables) -> None:
    document = OpenDocumentSpreadsheet()
    for name, rows in tables.items():
        sheet = Table(name=name)
        for row in rows:
            line = TableRow()
            for value in row:
                line.addElement(_ods_cell(value))
            sheet.addElement(line)
        document.spreadsheet.addElement(sheet)
    document.save(str(path))


def _ods_cell(value: Any) -> Any:
    if isinstance(value, datetime.date):
        cell = TableCell(valuetype="date", datevalue=value.isoformat())
    else:
        is_number = isinstance(value, int)
        cell = TableCell(valuetype="float", value=value) if is_number else TableCell(valuetype="string")
    cell.addElement(P(text=str(value)))
    return cell


def grids_of(folder: Path, kind: str) -> dict[str, Grid]:
    """Every table, read from a file of one kind."""
    tables = {**ASKED, **RIGHT}
    if kind == "csv":
        for name, rows in tables.items():
            with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(rows)
        return {name: read_grids(folder / f"{name}.csv")[0] for name in tables}
    WRITERS[kind](folder / f"all.{kind}", tables)
    return {grid.name: grid for grid in read_grids(folder / f"all.{kind}")}


WRITERS: dict[str, Callable[[Path, Tables], None]] = {"xlsx": write_xlsx, "xls": write_xls, "ods": write_ods}


@pytest.mark.parametrize("kind", [*WRITERS, "csv"])
def test_no_confusion_gives_a_wrong_label_in_any_format(kind: str, tmp_path: Path) -> None:
    grids = grids_of(tmp_path, kind)
    for name in RIGHT:
        found = find_layout(grids[name], config=SheetConfig(), in_folder=FILES.__contains__)
        assert (name, found.names[found.image], found.names[found.label]) == (name, "image", "diagnosis")
    for name in ASKED:
        with pytest.raises(SheetError, match="--label-column"):
            find_layout(grids[name], config=SheetConfig(), in_folder=FILES.__contains__)


# --- Hidden rows and columns in every format ---

PLAIN = table({"label": "0 1", "Healthy": "1 0"})


def hide_in_xlsx(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in PLAIN:
        sheet.append(row)
    sheet.row_dimensions[3].hidden = sheet.row_dimensions[5].hidden = True
    sheet.row_dimensions[ROWS + 9].hidden = True  # blank
    sheet.column_dimensions["C"].hidden = True
    book.save(path)


def hide_in_xls(path: Path) -> None:
    book = xlwt.Workbook()
    book.add_sheet("first").write(0, 0, "read me")
    sheet = book.add_sheet("labels")
    for number, row in enumerate(PLAIN):
        for column, value in enumerate(row):
            sheet.write(number, column, value)
    sheet.row(2).hidden = sheet.row(4).hidden = True
    sheet.col(2).hidden = True
    book.save(str(path))


def hide_in_ods(path: Path) -> None:
    document, sheet = OpenDocumentSpreadsheet(), Table(name="labels")
    sheet.addElement(TableColumn(numbercolumnsrepeated=2))
    sheet.addElement(TableColumn(visibility="collapse"))
    for number, row in enumerate(PLAIN):
        line = TableRow(visibility="filter") if number in {2, 4} else TableRow()
        for value in row:
            line.addElement(_ods_cell(value))
        sheet.addElement(line)
    sheet.addElement(TableRow(visibility="filter", numberrowsrepeated=1_000_000))
    document.spreadsheet.addElement(sheet)
    document.save(str(path))


@pytest.mark.parametrize("hide", [hide_in_xlsx, hide_in_xls, hide_in_ods])
def test_hidden_rows_and_columns_are_known_in_every_format(hide: Callable[[Path], None], tmp_path: Path) -> None:
    hide(tmp_path / "sheet")
    grid = read_grids(tmp_path / "sheet")[-1]
    assert (set(grid.hidden_rows), set(grid.hidden_columns)) == ({2, 4}, {2})
    with pytest.raises(SheetError, match="would be 'Healthy', which is hidden"):
        find_layout(grid, config=SheetConfig(), in_folder=FILES.__contains__)
    found = find_layout(grid, config=SheetConfig(label_column="label"), in_folder=FILES.__contains__)
    assert found.names[found.label] == "label"
