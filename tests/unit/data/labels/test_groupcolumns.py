from pathlib import Path

import pandas as pd
import pytest
from openpyxl import Workbook

from sonoproof.classes import Classes
from sonoproof.config import SheetConfig
from sonoproof.data.cohort.cohort import Cohort, build_cohort, build_test_cohort
from sonoproof.data.labels.columnnames import group_level
from sonoproof.data.labels.groupcolumns import find_groups

PATIENTS = [f"P{number // 3:02d}" for number in range(24)]  # 8 patients of 3 frames
HEALTHY = Classes("healthy", "unhealthy")
CLIPS = [f"c{number // 2}" for number in range(24)]


def found(**columns: list[str]) -> dict[int, str]:
    names = dict(enumerate(columns))
    return find_groups(names, {at: pd.Series(columns[name], dtype="str") for at, name in names.items()})


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("patient_id", 0),
        ("PatientID", 0),
        ("Subject No.", 0),
        ("exam", 1),
        ("video", 2),
        ("clip number", 2),
        ("patientid", 0),
        ("Pat.-Nr.", 0),
        ("患者编号", 0),
        ("ID", None),
        ("patient age", None),
        ("case type", None),
        ("hospital", None),
        ("Healthy", None),
    ],
)
def test_which_names_identify_patients_examinations_and_clips(name: str, level: int | None) -> None:
    assert group_level(name) == level


def test_the_coarsest_column_is_taken_and_the_finer_ones_that_lie_within_it() -> None:
    clips_of_patients = [f"{patient}-{number % 2}" for number, patient in enumerate(PATIENTS)]
    assert list(found(clip=clips_of_patients, patient_id=PATIENTS).items()) == [(1, ""), (0, "")]


def test_clip_numbers_that_start_again_with_every_patient_would_merge_them() -> None:
    numbers = [str(number % 3) for number in range(24)]
    choice = found(patient_id=PATIENTS, clip=["5", "6", "7", "8", "9", *numbers[5:]])
    assert choice[0] == ""
    assert "several values of 'patient_id'" in choice[1]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (["P1"] * 24, "only 1 different value"),
        (["case", "control"] * 12, "only 2 different values"),
        (["unknown"] * 13 + PATIENTS[13:] + ["P77"] * 0, "more than half"),
    ],
)
def test_a_column_that_would_leave_nothing_to_split_is_not_taken(values: list[str], why: str) -> None:
    choice = found(patient_id=[*values, *(f"Q{number}" for number in range(24 - len(values)))])
    assert why in choice[0]


def test_empty_cells_are_no_patient() -> None:
    blank = ["" if number % 4 == 0 else patient for number, patient in enumerate(PATIENTS)]
    assert found(patient_id=blank) == {0: ""}


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    (tmp_path / "frames").mkdir()
    book = Workbook()
    page = book.worksheets[0]
    page.append(["imagePath", "Healthy", "group", "patient_id"])
    for number, patient in enumerate(PATIENTS):
        (tmp_path / "frames" / f"{number}.png").write_bytes(b"not decoded here")
        page.append([f"{number}.png", number % 2, "a", "" if number == 5 else patient])
    book.save(tmp_path / "labels.xlsx")
    return tmp_path / "labels.xlsx"


def cohort_of(sheet: Path, config: SheetConfig) -> Cohort:
    return build_cohort(sheet, images=sheet.parent / "frames", config=config)


def test_a_sheet_that_names_patients_needs_no_flag(sheet: Path) -> None:
    cohort = cohort_of(sheet, SheetConfig())
    assert cohort.group_columns == ("patient_id",)
    assert cohort.inferred["group_columns_chosen"] == "by name and content"
    # A column that was found quarantines no row: the frame without a patient stands alone.
    assert cohort.quarantine.empty
    assert (cohort.records["patient_id"] == "").sum() == 1


def test_a_column_that_was_named_must_be_filled(sheet: Path) -> None:
    cohort = cohort_of(sheet, SheetConfig(group_columns=("patient_id",)))
    assert list(cohort.quarantine["cell"]) == ["D7"]


def test_an_identifier_of_what_is_not_said_is_reported(sheet: Path) -> None:
    text = "\n".join(["image,label,ID,number", *(f"{n}.png,{n % 2},{PATIENTS[n]},{n}" for n in range(24))])
    (sheet.parent / "other.csv").write_text(text, encoding="utf-8")
    cohort = cohort_of(sheet.parent / "other.csv", SheetConfig())
    assert cohort.group_columns == ()
    assert cohort.inferred["unused_group_columns"] == {"ID": "does not say by its name what it identifies"}


def test_columns_are_not_searched_where_that_is_switched_off(sheet: Path) -> None:
    cohort = cohort_of(sheet, SheetConfig(find_groups=False))
    assert cohort.group_columns == ()
    assert cohort.inferred["unused_group_columns"] == {"patient_id": "was not named"}


def test_a_test_folder_gets_the_columns_of_the_sheet_under_their_names_in_our_tables(sheet: Path) -> None:
    config = SheetConfig(group_columns=("group",), find_groups=False)
    cohort = build_test_cohort(sheet.parent / "frames", sheet=None, config=config, classes=HEALTHY)
    assert cohort.group_columns == ("sheet_group",)
    assert (cohort.records["sheet_group"] == "").all()
