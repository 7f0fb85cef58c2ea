"""Cohorts: every row is accounted for, in the sheet and in the test folder, and on the real sheets."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.support.shared import SHARED, needs

from sonoproof.classes import Classes
from sonoproof.config import SheetConfig
from sonoproof.data.cohort import cohort as cohort_module
from sonoproof.data.cohort.cohort import Cohort, build_cohort, build_test_cohort
from sonoproof.data.cohort.description import describe_cohort
from sonoproof.data.cohort.joining import Joined, join_images
from sonoproof.errors import CohortError, SheetError
from sonoproof.runfolder import QUARANTINE_COLUMNS, read_table, write_table

HEALTHY = Classes(negative="healthy", positive="unhealthy")
GROUPED = SheetConfig(group_columns=("patient",))


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.jpg", "sub/c.png", "notes.txt"):
        (tmp_path / "frames" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "frames" / name).touch()
    return tmp_path / "frames"


def csv(folder: Path, *lines: str) -> Path:
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "labels.csv"


def test_records_name_the_image_and_its_row(tmp_path: Path, frames: Path) -> None:
    sheet = csv(tmp_path, "file,Healthy,patient", "a,1,P1", "c,0,P2", "x,0,P2")
    cohort = build_cohort(sheet, images=frames, config=GROUPED)
    assert cohort.records.to_dict("records") == [
        {"image_id": "a.jpg", "path": str(frames / "a.jpg"), "origin": "sheet", "label": "healthy", "patient": "P1",
         "sheet_row": 2, "reference": "a"},
        {"image_id": "sub/c.png", "path": str(frames / "sub" / "c.png"), "origin": "sheet", "label": "unhealthy",
         "patient": "P2", "sheet_row": 3, "reference": "c"},
    ]  # fmt: skip
    assert cohort.quarantine.to_dict("records") == [
        {"sheet_row": 4, "reference": "x", "reason": "matches no file in the image folder", "origin": "sheet",
         "sheet": "labels.csv", "cell": "A4", "value": "x"},
    ]  # fmt: skip
    assert cohort.classes == HEALTHY
    assert cohort.inferred["images_not_in_sheet"] == 1


def test_all_faults_of_a_row_are_collected(tmp_path: Path, frames: Path) -> None:
    sheet = csv(tmp_path, "file,Healthy,patient", "a,1,P1", "b,0,P1", ",,P2", "c,,", "zzz,?,P3")
    quarantine = build_cohort(sheet, images=frames, config=GROUPED).quarantine.set_index("sheet_row")["reason"]
    assert quarantine[4] == "has no image reference; has no label"
    assert quarantine[5] == "has no label; has no patient"
    assert quarantine[6] == "matches no file in the image folder; label is marked as unknown"


def test_tables_survive_the_run_folder(tmp_path: Path, frames: Path) -> None:
    sheet = csv(tmp_path, "file,Healthy,patient", "a,1,007", "b,0,NA", '"=cmd|x",1,P', ",1,P")
    cohort = build_cohort(sheet, images=frames, config=GROUPED)
    write_table(tmp_path / "quarantine.csv", cohort.quarantine, columns=QUARANTINE_COLUMNS)
    again = read_table(tmp_path / "quarantine.csv", columns=QUARANTINE_COLUMNS)
    pd.testing.assert_frame_equal(again, cohort.quarantine, check_dtype=False)
    write_table(tmp_path / "records.csv", cohort.records, columns=["image_id"])
    assert read_table(tmp_path / "records.csv", columns=["patient"])["patient"].tolist() == ["007", "NA"]
    json.dumps(cohort.inferred)


def test_a_row_that_is_lost_is_noticed(tmp_path: Path, frames: Path) -> None:
    cohort = build_cohort(csv(tmp_path, "file,Healthy", "a,1", "b,0"), images=frames, config=SheetConfig())
    cohort.check_accounts()
    with pytest.raises(CohortError, match="do not add up: 2 read, 1 used"):
        dataclasses.replace(cohort, records=cohort.records.iloc[:1]).check_accounts()
    twice = pd.concat([cohort.records.iloc[:1]] * 2)
    with pytest.raises(CohortError, match="used twice"):
        dataclasses.replace(cohort, records=twice).check_accounts()


def test_building_a_cohort_checks_its_accounts(tmp_path: Path, frames: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_a_row(*args: Any, **options: Any) -> Joined:
        joined = join_images(*args, **options)
        return dataclasses.replace(joined, rows=joined.rows.iloc[:-1])

    monkeypatch.setattr(cohort_module, "join_images", lose_a_row)
    sheet = csv(tmp_path, "file,Healthy", "a,1", "b,0", "c,1")
    with pytest.raises(CohortError, match="do not add up: 3 read, 2 used"):
        build_cohort(sheet, images=frames, config=SheetConfig())


def test_spellings_of_one_patient_are_one_group(tmp_path: Path, frames: Path) -> None:
    sheet = csv(tmp_path, "file,Healthy,patient", "a,1,P01 ", "b,0,p01", "c,1,007")
    cohort = build_cohort(sheet, images=frames, config=GROUPED)
    assert cohort.records["patient"].tolist() == ["P01", "P01", "007"]
    assert cohort.inferred["group_spellings_unified"] == {"patient": [["P01", "p01"]]}


def test_a_group_column_does_not_take_the_name_of_our_own(tmp_path: Path, frames: Path) -> None:
    sheet = csv(tmp_path, "file,Healthy,group", "a,1,P1", "b,0,P2")
    cohort = build_cohort(sheet, images=frames, config=SheetConfig(group_columns=("group",)))
    assert cohort.group_columns == ("sheet_group",)
    assert cohort.records["sheet_group"].tolist() == ["P1", "P2"]


def test_what_was_inferred_is_told(tmp_path: Path, frames: Path) -> None:
    sheet = csv(tmp_path, "file,Healthy,patient_id", "a,1,1", "b,0,2", "x,0,2")
    told = "\n".join(describe_cohort(build_cohort(sheet, images=frames, config=SheetConfig())))
    for part in (
        "Healthy",
        "'unhealthy' is positive",
        "3 read = 2 used + 1 quarantined",
        "--group-column",
        "header row: 1",
    ):
        assert part in told


def test_a_folder_that_is_mostly_not_the_sheets_is_warned_of(tmp_path: Path, frames: Path) -> None:
    sheet = csv(tmp_path, "file,Healthy", "a,1", "b,0", "x,0", "y,0", "z,0")
    told = describe_cohort(build_cohort(sheet, images=frames, config=SheetConfig()))
    assert "warning: most references match no image; is it the right folder?" in told


def test_a_test_folder_without_sheet(frames: Path) -> None:
    cohort = build_test_cohort(frames, sheet=None, config=GROUPED, classes=HEALTHY)
    assert cohort.records["image_id"].tolist() == ["test:a.jpg", "test:b.jpg", "test:sub/c.png"]
    assert set(cohort.records["label"]) == {""}
    assert set(cohort.records["origin"]) == {"test"}
    assert cohort.records["patient"].tolist() == ["", "", ""]
    assert cohort.classes == HEALTHY


def test_a_test_folder_with_a_sheet_that_labels_some(tmp_path: Path, frames: Path) -> None:
    sheet = csv(tmp_path, "file,Healthy", "c,0", "b,maybe", "zzz,1")
    cohort = build_test_cohort(frames, sheet=sheet, config=GROUPED, classes=HEALTHY)
    labels = dict(zip(cohort.records["image_id"], cohort.records["label"], strict=True))
    assert labels == {"test:a.jpg": "", "test:b.jpg": "", "test:sub/c.png": "unhealthy"}
    assert cohort.quarantine[["sheet_row", "origin"]].values.tolist() == [[3, "test"], [4, "test"]]
    assert cohort.rows_read == 5


def test_labels_of_a_test_sheet_keep_the_classes_of_the_model(tmp_path: Path, frames: Path) -> None:
    flipped = Classes(negative="unhealthy", positive="healthy")
    sheet = csv(tmp_path, "file,Healthy", "a,1", "b,0")
    cohort = build_test_cohort(frames, sheet=sheet, config=SheetConfig(), classes=flipped)
    assert cohort.classes == flipped
    assert cohort.records["label"].tolist() == ["healthy", "unhealthy", ""]


def test_test_folder_at_fault(tmp_path: Path, frames: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CohortError, match="no image in this folder"):
        build_test_cohort(tmp_path / "empty", sheet=None, config=SheetConfig(), classes=HEALTHY)
    with pytest.raises(CohortError, match="none of the 2 references"):
        build_test_cohort(
            frames, sheet=csv(tmp_path, "file,Healthy", "x.jpg,1", "y.jpg,0"), config=SheetConfig(), classes=HEALTHY
        )
    with pytest.raises(SheetError, match="do not name the classes"):
        build_test_cohort(
            frames, sheet=csv(tmp_path, "file,label", "a.jpg,1", "b.jpg,0"), config=SheetConfig(), classes=HEALTHY
        )


def shared_cohort(folder: str, sheet: str, config: SheetConfig) -> Cohort:
    return build_cohort(SHARED / folder / sheet, images=SHARED / folder / "images", config=config)


@pytest.mark.shared
@needs("pcosgen/train")
def test_the_pcos_sheet_needs_no_flags() -> None:
    cohort = shared_cohort("pcosgen/train", "class_label.xlsx", SheetConfig())
    assert cohort.classes == HEALTHY
    assert cohort.records["label"].value_counts().to_dict() == {"unhealthy": 2297, "healthy": 903}
    assert cohort.quarantine.empty


@pytest.mark.shared
@needs("lung")
def test_the_lung_sheet_needs_no_flags() -> None:
    cohort = shared_cohort("lung", "labels.xlsx", SheetConfig())
    assert cohort.classes == HEALTHY
    assert cohort.records["label"].value_counts().to_dict() == {"healthy": 192, "unhealthy": 74}
    assert cohort.inferred["other_label_columns"] == ["class"]
    assert cohort.group_columns == ("patient_id", "video")
    assert cohort.inferred["unused_group_columns"] == {}


@pytest.mark.shared
@needs("lung")
def test_the_lung_sheet_by_class_and_patient() -> None:
    config = SheetConfig(label_column="class", positive="covid", group_columns=("patient_id", "video"))
    cohort = shared_cohort("lung", "labels.xlsx", config)
    assert cohort.classes == Classes(negative="not covid", positive="covid")
    assert cohort.records["label"].value_counts().to_dict() == {"not covid": 217, "covid": 49}
    assert cohort.records["patient_id"].nunique() == 17
