"""The check that no group, patient, source or content is on two sides of a split.

It does not trust how the groups were made: it looks for the shared values themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from sonoproof.data.cohort.grouping import shared_keys
from sonoproof.errors import CohortError, LeakageError

_SHOWN: Final = 10


def check_no_leak(
    split: pd.DataFrame,
    records: pd.DataFrame,
    *,
    columns: Sequence[str] = (),
    by_source: bool = True,
    test_folder: bool = False,
) -> None:
    """Raise if frames that belong together are on two sides: of fit/val/test, of train/stop, or of two folds.

    Args:
        split: Table with `SPLIT_COLUMNS`.
        records: Table with `RECORD_COLUMNS` and the grouping columns.
        columns: Grouping columns of the sheet.
        by_source: Whether look-alike frames count as one source.
        test_folder: Whether frames of the test folder (origin ``test``) are checked too. Their part is given; what to
            do about a twin in the sheet is a setting of the audit.

    Raises:
        LeakageError: Frames that belong together are on two sides; the message names them.
        CohortError: The split does not have exactly the records' frames, each once.
    """
    _check_same_frames(split, records)
    table = records.drop(columns=["group"], errors="ignore").merge(split, on="image_id")
    if not test_folder:
        table = table[table["origin"] == "sheet"]
    faults = []
    for boundary, sides in _sides(table):
        rows = sides != ""
        for key, values in shared_keys(table[rows], columns=["group", *columns], by_source=by_source):
            faults += _on_two_sides(boundary, key, values, sides[rows].tolist())
    if faults:
        more = f"\n  … and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        lines = "\n".join(f"  - {fault}" for fault in faults[:_SHOWN])
        raise LeakageError(
            f"the split leaks: frames that belong together are on two sides\n{lines}{more}\n"
            "delete split.csv and make the split again from these records, or correct the grouping columns"
        )


def _check_same_frames(split: pd.DataFrame, records: pd.DataFrame) -> None:
    for name, table in (("split", split), ("records", records)):
        repeated = table.loc[table["image_id"].duplicated(), "image_id"]
        if len(repeated):
            raise CohortError(f"{name}.csv lists {repeated.iloc[0]!r} more than once")
    strays = set(split["image_id"]) ^ set(records["image_id"])
    if strays:
        raise CohortError(
            f"split.csv and records.csv do not have the same frames: {len(strays)} are in only one of them (for example"
            f" {min(strays)!r}); make the split again"
        )


def _sides(table: pd.DataFrame) -> list[tuple[str, pd.Series[str]]]:
    """Each boundary with the side that every row is on, "" for none."""
    within_fit = table["use"].where(table["part"] == "fit", "")
    fold = pd.to_numeric(table["fold"].replace("", None))
    folds = fold.map(lambda number: "" if pd.isna(number) else f"fold {int(number)}")
    return [("parts", table["part"]), ("fit rows", within_fit), ("folds", folds.astype("str"))]


def _on_two_sides(boundary: str, key: str, values: Sequence[str], sides: Sequence[str]) -> list[str]:
    sides_by_value: dict[str, set[str]] = {}
    for value, side in zip(values, sides, strict=True):
        if value:
            sides_by_value.setdefault(value, set()).add(side)
    return [
        f"{boundary}: {key} {value!r} is in {' and '.join(sorted(found))}"
        for value, found in sides_by_value.items()
        if len(found) > 1
    ]
