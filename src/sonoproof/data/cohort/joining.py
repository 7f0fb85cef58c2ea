"""Joining the rows of a sheet to the files of a folder, one row per image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sonoproof.data.cohort.matching import OtherFolder, match_rows
from sonoproof.data.folder.imagefolder import describe_left_out
from sonoproof.data.folder.references import FileIndex, Match
from sonoproof.data.labels.coding import LabelCoding
from sonoproof.data.labels.givensplit import GIVEN_SPLIT
from sonoproof.data.labels.quarantine import Check, quarantine_failed
from sonoproof.data.labels.sheet import DOUBT, LabelSheet
from sonoproof.errors import CohortError

NAMED_ROWS = 5


@dataclass(frozen=True)
class Joined:
    """A sheet's rows, divided.

    Attributes:
        rows: Rows that can be used: the sheet's columns, ``file`` (relative to the folder) and ``label`` (class name).
        quarantine: Rows that cannot, including those that the sheet itself rules out, as `QUARANTINE_COLUMNS`.
        facts: How the references were matched, JSON-able.
    """

    rows: pd.DataFrame
    quarantine: pd.DataFrame
    facts: dict[str, Any]


def join_images(
    sheet: LabelSheet,
    index: FileIndex,
    coding: LabelCoding,
    *,
    origin: str,
    near_names: bool = False,
    other: OtherFolder | None = None,
) -> Joined:
    """Match every row to a file and set aside what is unusable, ambiguous, repeated or contradictory.

    Args:
        sheet: The label sheet.
        index: The files.
        coding: What the label values say.
        origin: "sheet" or "test".
        near_names: Whether references that nearly name a file are used.
        other: The other image folder of the run.

    Raises:
        CohortError: No row names an image of the folder.
    """
    rows = sheet.rows.copy(deep=False)
    matches = match_rows(rows, index, near_names=near_names, other=other)
    rows["file"] = pd.Series([match.file for match in matches], index=rows.index, dtype="str")
    rows["less_folders"] = [match.less_folders for match in matches]
    _refuse_strangers(rows, matches, sheet, index)
    rows["label"] = rows["value"].map(lambda value: coding.labels.get(value, "")).astype("str")
    problems = pd.Series([match.problem for match in matches], index=rows.index, dtype="str")
    no_labels = (
        rows["value"].map(lambda value: f"label {coding.unusable.get(value, 'is not a known value')}").astype("str")
    )
    repeated = _find_repeats(rows[(rows["file"] != "") & (rows["label"] != "")], (*sheet.group_columns, GIVEN_SPLIT))
    repeated = repeated.reindex(rows.index, fill_value="")
    letters = sheet.letters
    checks = [
        Check(rows["file"] == "", problems, "reference", letters["reference"]),
        Check(rows["label"] == "", no_labels, "value", letters["value"]),
        Check(repeated != "", repeated, "reference", letters["reference"]),
        Check(rows[DOUBT] != "", rows[DOUBT], "value", letters["value"]),
    ]
    failed = quarantine_failed(rows, checks, worksheet=sheet.worksheet, origin=origin)
    parts = [part for part in (sheet.faults.assign(origin=origin), failed) if len(part)] or [failed]
    quarantine = pd.concat(parts, ignore_index=True).sort_values("sheet_row", ignore_index=True)
    used = rows.drop(index=failed.index).reset_index(drop=True)
    return Joined(used, quarantine, _describe_matches(rows, used, matches, index))


def refuse_empty_folder(index: FileIndex) -> None:
    """Check that a folder holds an image at all.

    Raises:
        CohortError: It holds none.
    """
    if not index.files:
        raise CohortError(
            f"{index.root}: there is no image in this folder ({len(index.others)} other files); is it the right one?"
        )


def _refuse_strangers(rows: pd.DataFrame, matches: Sequence[Match], sheet: LabelSheet, index: FileIndex) -> None:
    """Raise if the sheet and the folder have nothing in common."""
    refuse_empty_folder(index)
    if (rows["file"] != "").any():
        return
    first = rows.iloc[0]
    cell = f"{sheet.letters['reference']}{first['sheet_row']}"
    near = sum("--near-names" in match.problem for match in matches)
    raise CohortError(
        f"none of the {len(rows)} references of worksheet {sheet.worksheet!r} names an image in {index.root}: cell"
        f" {cell} says {first['reference']!r} ({matches[0].problem}), the folder holds for example {index.files[0]!r};"
        + (f" {near} of them nearly name one file each; take these with --near-names" if near else "")
        + ("" if near else " is it the right folder?")
    )


def _find_repeats(usable: pd.DataFrame, columns: Sequence[str]) -> pd.Series[str]:
    """Rows that name an image again -> why: where they agree the first is used, where they differ none is."""
    reasons: dict[Any, str] = {}
    for _, same in usable[usable["file"].duplicated(keep=False)].groupby("file", sort=False):
        differing = [name for name in ("label", *columns) if same[name].nunique() > 1]
        if same["less_folders"].any() and same["reference"].nunique() > 1:
            differing.append("reference")  # p1/01.jpg and p2/01.jpg are not known to be the one 01.jpg that is there
        if differing:
            reasons |= dict.fromkeys(same.index, _explain_contradiction(same, differing))
        else:
            reasons |= dict.fromkeys(same.index[1:], f"repeats row {same['sheet_row'].iloc[0]}")
    return pd.Series(reasons, dtype="str")


def _explain_contradiction(same: pd.DataFrame, differing: Sequence[str]) -> str:
    numbers = ", ".join(map(str, same["sheet_row"].head(NAMED_ROWS))) + (", …" if len(same) > NAMED_ROWS else "")
    values = "; ".join(f"{name}: {' or '.join(map(repr, same[name].unique()[:NAMED_ROWS]))}" for name in differing)
    return f"rows {numbers} name the same image but differ in {values}"


def _describe_matches(
    rows: pd.DataFrame, used: pd.DataFrame, matches: Sequence[Match], index: FileIndex
) -> dict[str, Any]:
    found, named = rows["file"] != "", set(rows["file"])
    how = pd.Series([match.how for match in matches], index=rows.index)[found].value_counts()
    return {
        "images_folder": str(index.root),
        "images_in_folder": len(index.files),
        "images_not_in_sheet": len(set(index.files) - named),
        "left_out": describe_left_out([item for item in index.left_out if item.path not in named]),
        "other_files": len(index.others),
        "linked_folders": list(index.linked_folders),
        "references_matched": {str(name): int(count) for name, count in how.items()},
        "references_unmatched": int((~found).sum()),
        "rows_used": len(used),
    }
