"""The cohort: the rows of a sheet joined to the files of a folder, and the rows that cannot be.

Every row read is either used or quarantined, and that is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from sonoproof.classes import Classes
from sonoproof.config import SheetConfig
from sonoproof.data.cohort.joining import join_images
from sonoproof.data.folder.references import FileIndex, index_images
from sonoproof.data.labels.coding import LabelCoding, LabelColumn, code_labels, label_values
from sonoproof.data.labels.quarantine import empty_quarantine
from sonoproof.data.labels.sheet import LabelSheet, table_name, understand_sheet
from sonoproof.errors import CohortError
from sonoproof.runfolder import QUARANTINE_COLUMNS

__all__ = ["Cohort", "build_cohort", "cohort_of_folder"]


@dataclass(frozen=True)
class Cohort:
    """Rows that can be used, rows that cannot, and what was inferred.

    Attributes:
        records: One row an image: ``image_id``, ``path`` (absolute), ``origin`` ("sheet" or "test"), ``label`` (class
            name, "" where unknown), the group columns, ``sheet_row``, ``reference``.
        quarantine: One row for each that cannot be used, as `QUARANTINE_COLUMNS`.
        classes: The two classes.
        group_columns: Names of the group columns in ``records``.
        group_headers: Their names as the sheet has them.
        rows_read: Rows read; of a test folder, its images and the sheet rows that label none of them.
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
        """Check that every row read is used or quarantined, and no image is used twice.

        Raises:
            CohortError: The numbers do not add up.
        """
        used, quarantined = len(self.records), len(self.quarantine)
        if used + quarantined != self.rows_read:
            raise CohortError(
                f"{self.rows_read} rows were read, but {used} used and {quarantined} quarantined; please report this"
            )
        if not self.records["image_id"].is_unique:
            raise CohortError("an image is used twice; please report this")


def build_cohort(sheet: Path, *, images: Path, config: SheetConfig) -> Cohort:
    """Read a sheet and find its images.

    Args:
        sheet: The label sheet (xlsx, xls, ods, csv).
        images: The image folder; subfolders are searched.
        config: What the user named; the rest is found by name and content.

    Raises:
        SheetError: The sheet cannot be read, or it is not clear what it says.
        ConfigError: The positive class that was asked for is not in the sheet.
        CohortError: No image is found, one class only is left, or the folder cannot be read.
    """
    index = index_images(images)
    label_sheet = understand_sheet(sheet, config=config, index=index)
    coding = _coding(label_sheet, config, classes=None)
    joined = join_images(label_sheet, index, coding, origin="sheet")
    cohort = Cohort(
        records=_records(joined.rows, index, label_sheet.group_columns, origin="sheet"),
        quarantine=joined.quarantine,
        classes=coding.classes,
        group_columns=label_sheet.group_columns,
        group_headers=label_sheet.group_headers,
        rows_read=label_sheet.rows_read,
        inferred={**label_sheet.inferred, **_said(coding), **joined.facts},
    )
    cohort.check_accounts()
    _require_two_classes(cohort)
    return cohort


def cohort_of_folder(images: Path, *, sheet: Path | None, config: SheetConfig, classes: Classes) -> Cohort:
    """List a test folder: every image is a row, labelled where a sheet labels it.

    Args:
        images: The folder; subfolders are searched.
        sheet: Sheet with labels of some or all of the images, or None.
        config: What the user named; group columns that this sheet lacks stay empty.
        classes: The classes of the model, to which the labels are assigned.

    Raises:
        SheetError: The sheet cannot be read, or its labels do not name the classes.
        CohortError: The folder holds no image, or the sheet names none of them.
    """
    index = index_images(images)
    if not index.files:
        raise CohortError(f"{images}: holds no image ({len(index.others)} other files); is it the right folder?")
    if sheet is None:
        cohort = _unlabelled(index, headers=config.group_columns, classes=classes)
    else:
        cohort = _labelled(index, sheet=sheet, config=config, classes=classes)
    cohort.check_accounts()
    return cohort


def _unlabelled(index: FileIndex, *, headers: Sequence[str], classes: Classes) -> Cohort:
    groups = tuple(map(table_name, headers))
    files = _all_files(index).assign(**dict.fromkeys(groups, ""))
    unwritable = _unwritable(index)
    facts = {"images_folder": str(index.root), "images_in_folder": len(files), "other_files": len(index.others)}
    records = _records(files, index, groups, origin="test")
    rows_read = len(files) + len(unwritable)
    return Cohort(records, unwritable, classes, groups, rows_read, group_headers=tuple(headers), inferred=facts)


def _labelled(index: FileIndex, *, sheet: Path, config: SheetConfig, classes: Classes) -> Cohort:
    label_sheet = understand_sheet(sheet, config=config, index=index, groups_required=False)
    coding = _coding(label_sheet, config, classes=classes)
    joined = join_images(label_sheet, index, coding, origin="test")
    groups = label_sheet.group_columns
    labelled = joined.rows[["file", "label", "sheet_row", "reference", *groups]]
    rest = _all_files(index).assign(**dict.fromkeys(groups, ""))
    files = pd.concat([labelled, rest[~rest["file"].isin(labelled["file"])]], ignore_index=True).sort_values("file")
    quarantine = pd.concat([joined.quarantine, _unwritable(index)], ignore_index=True)
    return Cohort(
        records=_records(files, index, groups, origin="test"),
        quarantine=quarantine,
        classes=coding.classes,
        group_columns=groups,
        group_headers=label_sheet.group_headers,
        rows_read=len(files) + len(quarantine),
        inferred={**label_sheet.inferred, **_said(coding), **joined.facts},
    )


def _coding(sheet: LabelSheet, config: SheetConfig, *, classes: Classes | None) -> LabelCoding:
    column = LabelColumn(sheet.label_column, sheet.letters["value"], sheet.worksheet)
    return code_labels(label_values(sheet.rows), column=column, positive=config.positive, classes=classes)


def _records(rows: pd.DataFrame, index: FileIndex, groups: Sequence[str], *, origin: str) -> pd.DataFrame:
    prefix = "test:" if origin == "test" else ""
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
        }
    ).reset_index(drop=True)


def _all_files(index: FileIndex) -> pd.DataFrame:
    """Every image of a folder as a row without a label; its sheet row is 0."""
    return pd.DataFrame({"file": pd.array(index.files, dtype="str"), "label": "", "sheet_row": 0, "reference": ""})


def _unwritable(index: FileIndex) -> pd.DataFrame:
    """Quarantine of files that no table can name."""
    names = [*index.unwritable, *sorted(index.escaping)]
    if not names:
        return empty_quarantine()
    reasons = ["file name is not valid Unicode; rename the file"] * len(index.unwritable)
    reasons += ["is a link that leads out of the image folder or nowhere"] * len(index.escaping)
    table = pd.DataFrame({"sheet_row": 0, "reference": names, "reason": reasons, "origin": "test"})
    return table.assign(sheet="", cell="", value="")[list(QUARANTINE_COLUMNS)]


def _said(coding: LabelCoding) -> dict[str, str]:
    return {
        "coding": coding.rule,
        "positive_class": coding.classes.positive,
        "negative_class": coding.classes.negative,
    }


def _require_two_classes(cohort: Cohort) -> None:
    counts = cohort.records["label"].value_counts()
    if len(counts) == 2:
        return
    used = ", ".join(f"{count} {label!r}" for label, count in counts.items()) or "none"
    lacking = " and ".join(
        repr(name) for name in (cohort.classes.negative, cohort.classes.positive) if name not in counts
    )
    reasons = cohort.quarantine["reason"].value_counts().head(3)
    why = "; ".join(f"{count} × {reason}" for reason, count in reasons.items())
    raise CohortError(
        f"one class only: the usable rows are {used}, and none is {lacking}; a classifier needs frames of both"
        + (f" (quarantined: {why})" if why else "")
    )
