"""The cohort: the rows of a sheet joined to the files of a folder, and the rows that cannot be used.

Every row read is either used or quarantined, and that is checked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from sonoproof.classes import Classes
from sonoproof.config import SheetConfig
from sonoproof.data.cohort.image_id import TEST_PREFIX
from sonoproof.data.cohort.joining import join_images, refuse_empty_folder
from sonoproof.data.cohort.matching import OtherFolder
from sonoproof.data.folder.imagefolder import describe_left_out
from sonoproof.data.folder.references import LINK_LEADS_OUT, FileIndex, index_images
from sonoproof.data.labels.givensplit import GIVEN_SPLIT
from sonoproof.data.labels.quarantine import empty_quarantine
from sonoproof.data.labels.sheet import read_sheet, table_name
from sonoproof.errors import CohortError
from sonoproof.runfolder import QUARANTINE_COLUMNS

_SHOWN_REASONS = 3


@dataclass(frozen=True)
class Cohort:
    """Rows that can be used, rows that cannot, and what was inferred.

    Attributes:
        records: One row per image: ``image_id``, ``path`` (absolute), ``origin`` ("sheet" or "test"), ``label``
            (class name, "" where unknown), the group columns, ``sheet_row``, ``reference``; with a split column also
            ``given_split`` (``fit``, ``val``, ``test``, ``fold 3``, …).
        quarantine: One row for each that cannot be used, as `QUARANTINE_COLUMNS`.
        classes: The two classes.
        group_columns: Names of the group columns in ``records``.
        rows_read: Rows read; for a test folder, its images and the sheet rows that label none of them.
        group_headers: Names of the group columns in the sheet.
        inferred: What was inferred from the sheet and the folder, JSON-able.
    """

    records: pd.DataFrame
    quarantine: pd.DataFrame
    classes: Classes
    group_columns: tuple[str, ...]
    rows_read: int
    group_headers: tuple[str, ...] = ()
    inferred: dict[str, Any] = field(default_factory=dict)

    def check_accounts(self) -> None:
        """Check that every row read is used or quarantined, and that no image is used twice.

        Raises:
            CohortError: The numbers do not add up.
        """
        used, quarantined = len(self.records), len(self.quarantine)
        if used + quarantined != self.rows_read:
            raise CohortError(
                f"the rows do not add up: {self.rows_read} read, {used} used, {quarantined} quarantined;"
                " this is a bug, please report it"
            )
        if not self.records["image_id"].is_unique:
            raise CohortError("an image is used twice; this is a bug, please report it")


def build_cohort(
    sheet: Path, *, images: Path, config: SheetConfig, test_images: Path | None = None, test_sheet: Path | None = None
) -> Cohort:
    """Read a sheet and find its images.

    Args:
        sheet: The label sheet (xlsx, xls, ods, csv).
        images: The image folder; subfolders are searched.
        test_images: The test folder of the run, whose images the sheet may name too.
        test_sheet: Its sheet, which may be the same.
        config: What the user named; the rest is found by name and content.

    Raises:
        SheetError: The sheet cannot be read, or what it says is not clear.
        ConfigError: The positive class that was asked for is not in the sheet.
        CohortError: No image is found, only one class is left, or the folder cannot be read.
    """
    other = _other_folder(test_images, "the test folder", sheet, test_sheet)
    cohort = _join_sheet(sheet, index_images(images), config, origin="sheet", other=other)
    cohort.check_accounts()
    require_two_classes(cohort.records, cohort.quarantine, classes=cohort.classes)
    return cohort


def build_test_cohort(
    images: Path,
    *,
    sheet: Path | None,
    config: SheetConfig,
    classes: Classes,
    label_images: Path | None = None,
    label_sheet: Path | None = None,
) -> Cohort:
    """List a test folder: every image is a row, labelled where a sheet labels it.

    Args:
        images: The folder; subfolders are searched.
        sheet: Sheet with labels for some or all of the images, or None.
        config: What the user named; group columns that this sheet lacks stay empty.
        classes: The classes of the model, to which the labels are assigned.
        label_images: The image folder of the label sheet, whose images the sheet may name too.
        label_sheet: The label sheet, which may be the same.

    Raises:
        SheetError: The sheet cannot be read, or its labels do not name the classes.
        CohortError: The folder holds no image, or the sheet names none of them.
    """
    index = index_images(images)
    refuse_empty_folder(index)
    if sheet is None:
        cohort = _empty_cohort(index, config, classes)
    else:
        other = _other_folder(label_images, "the image folder of the label sheet", sheet, label_sheet)
        cohort = _join_sheet(sheet, index, config, origin="test", classes=classes, other=other)
    cohort = _with_unlabelled(cohort, index)
    cohort.check_accounts()
    return cohort


def _other_folder(images: Path | None, title: str, sheet: Path, other_sheet: Path | None) -> OtherFolder | None:
    if images is None:
        return None
    same = other_sheet is not None and other_sheet.resolve() == sheet.resolve()
    return OtherFolder(index_images(images), title, same_sheet=same)


def _join_sheet(
    sheet: Path,
    index: FileIndex,
    config: SheetConfig,
    *,
    origin: str,
    classes: Classes | None = None,
    other: OtherFolder | None = None,
) -> Cohort:
    label_sheet = read_sheet(sheet, config=config, in_folder=index.holds, groups_required=origin == "sheet")
    coding = label_sheet.code_labels(config, classes=classes)
    joined = join_images(label_sheet, index, coding, origin=origin, near_names=config.near_names, other=other)
    return Cohort(
        records=_records(
            joined.rows, index, label_sheet.group_columns, origin=origin, has_split=label_sheet.split_column != ""
        ),
        quarantine=joined.quarantine,
        classes=coding.classes,
        group_columns=label_sheet.group_columns,
        rows_read=label_sheet.rows_read,
        group_headers=label_sheet.group_headers,
        inferred={
            **label_sheet.inferred,
            "coding": coding.rule,
            "positive_class": coding.classes.positive,
            "negative_class": coding.classes.negative,
            **joined.facts,
        },
    )


def _empty_cohort(index: FileIndex, config: SheetConfig, classes: Classes) -> Cohort:
    groups = tuple(map(table_name, config.group_columns))
    facts = {
        "images_folder": str(index.root),
        "images_in_folder": len(index.files),
        "left_out": describe_left_out(index.left_out),
        "other_files": len(index.others),
    }
    records = _file_records(index, groups).iloc[:0]
    return Cohort(records, empty_quarantine(), classes, groups, 0, group_headers=config.group_columns, inferred=facts)


def _with_unlabelled(cohort: Cohort, index: FileIndex) -> Cohort:
    """Add the images of a test folder that no sheet labels, and those that no table can name."""
    files = _file_records(index, cohort.group_columns)
    rest = files[~files["image_id"].isin(cohort.records["image_id"])]
    unnamable = _unnamable_files(index)
    return dataclasses.replace(
        cohort,
        records=_concatenate(cohort.records, rest).sort_values("image_id", ignore_index=True),
        quarantine=_concatenate(cohort.quarantine, unnamable),
        rows_read=cohort.rows_read + len(rest) + len(unnamable),
    )


def _concatenate(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Both tables; an empty one would change the types of the other."""
    filled = [table for table in (first, second) if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else first


def _records(
    rows: pd.DataFrame, index: FileIndex, groups: Sequence[str], *, origin: str, has_split: bool = False
) -> pd.DataFrame:
    prefix = TEST_PREFIX if origin == "test" else ""
    root = str(index.root)
    return pd.DataFrame(
        {
            "image_id": (prefix + rows["file"]).astype("str"),
            "path": rows["file"].map(lambda file: str(Path(root, file))).astype("str"),
            "origin": origin,
            "label": rows["label"],
            **{name: rows[name] for name in groups},
            "sheet_row": rows["sheet_row"],
            "reference": rows["reference"],
            **({GIVEN_SPLIT: rows[GIVEN_SPLIT]} if has_split else {}),
        }
    ).reset_index(drop=True)


def _file_records(index: FileIndex, groups: Sequence[str]) -> pd.DataFrame:
    """Every image of a test folder without a label, called by its name in the folder; its sheet row is 0."""
    files = pd.Series(index.files, dtype="str")
    rows = pd.DataFrame({"file": files, "label": "", "sheet_row": 0, "reference": files})
    return _records(rows.assign(**dict.fromkeys(groups, "")), index, groups, origin="test")


def _unnamable_files(index: FileIndex) -> pd.DataFrame:
    reasons = dict.fromkeys(index.unwritable, "its file name is not valid Unicode; rename the file")
    reasons |= dict.fromkeys(sorted(index.escaping), LINK_LEADS_OUT)
    table = pd.DataFrame({"reference": list(reasons), "reason": list(reasons.values())}, dtype="str")
    return table.assign(sheet_row=0, origin="test", sheet="", cell="", value="")[list(QUARANTINE_COLUMNS)]


def require_two_classes(records: pd.DataFrame, quarantine: pd.DataFrame, *, classes: Classes) -> None:
    """Check that there are rows of both classes to learn from.

    Args:
        records: The rows of the sheet that can be used.
        quarantine: Those that cannot.
        classes: The two classes.

    Raises:
        CohortError: A class has no row; says how many rows were lost, and why.
    """
    counts = records["label"].value_counts()
    if len(counts) == 2:
        return
    reasons = quarantine["reason"].value_counts()
    why = "; ".join(f"{count} × {reason}" for reason, count in reasons.head(_SHOWN_REASONS).items())
    why += f"; and {len(reasons) - _SHOWN_REASONS} more reasons" if len(reasons) > _SHOWN_REASONS else ""
    if not len(records):
        raise CohortError(f"none of the {len(quarantine)} rows can be used: {why}; correct the sheet or the files")
    used = ", ".join(f"{count} {label!r}" for label, count in counts.items())
    lacking = " or ".join(repr(name) for name in classes.names if name not in counts)
    raise CohortError(
        f"only one class is left: the usable rows are {used}, and none is {lacking}; a classifier needs frames of both"
        f" classes{f' (quarantined: {why})' if why else ''}"
    )
