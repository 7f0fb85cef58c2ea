"""Leaks between the sheet and a test folder: test frames that the sheet holds too."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from sonoproof.data.cohort.grouping import content_of


@dataclass(frozen=True)
class Twins:
    """Rows that are on both sides.

    Attributes:
        test: Index labels of test rows with a twin in the sheet.
        sheet: Index labels of sheet rows with a twin in the test folder.
        identical: Index labels of test rows whose twin is pixel-identical.
        opposite: Index labels of test rows with a label that no twin of theirs carries.
    """

    test: list[int]
    sheet: list[int]
    identical: list[int]
    opposite: list[int]


def find_twins(records: pd.DataFrame) -> Twins:
    """Match test rows with the sheet's by pixels, by file and by source.

    Args:
        records: `RECORD_COLUMNS`; empty values match nothing.
    """
    of_test = records["origin"] == "test"
    sheet, test = records[~of_test], records[of_test]
    matched: dict[str, pd.Series[bool]] = {}
    back = pd.Series(False, index=sheet.index)
    for column in ("pixel_sha256", "sha256", "source"):
        of_sheet, of_tests = (
            rows[column] if column == "source" else content_of(rows, column) for rows in (sheet, test)
        )
        matched[column] = of_tests.isin(set(of_sheet) - {""})
        back |= of_sheet.isin(set(of_tests) - {""})
    identical = matched["pixel_sha256"] | matched["sha256"]
    twin = identical | matched["source"]
    return Twins(
        test=list(test.index[twin]),
        sheet=list(sheet.index[back]),
        identical=list(test.index[identical]),
        opposite=_opposite(test[twin & (test["label"] != "")], sheet),
    )


def _opposite(test: pd.DataFrame, sheet: pd.DataFrame) -> list[int]:
    by_pixels, by_source = (sheet.groupby(column)["label"].agg(set) for column in ("pixel_sha256", "source"))
    of_twins = test["pixel_sha256"].map(by_pixels)
    of_twins = of_twins.where(of_twins.notna(), test["source"].map(by_source))
    known = of_twins.notna()
    return [row for row in test.index[known] if test.at[row, "label"] not in of_twins[row]]
