"""Finding the columns of a label sheet that identify patients, examinations or clips, if the user names none.

Frames of one patient must not be on both sides of a split, so such a column is taken even if nobody named it, but only
if it can be what its name says: a column of ages, or of clip numbers that start again with every patient, would merge
different people into one group.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from sonoproof.data.labels.columnnames import group_level
from sonoproof.data.labels.vocabulary import folded

MIN_VALUES = 5
MAX_SHARE = 0.5


def find_groups(names: Mapping[int, str], columns: Mapping[int, pd.Series[str]]) -> dict[int, str]:
    """Choose the group columns of a sheet by name and content.

    The coarsest column (patients before examinations before clips) is taken if it has at least five values and none of
    them fills more than half of the rows; a finer one if each of its values lies within one value of the columns taken.

    Args:
        names: Column -> its name, of columns whose names identify patients, examinations or clips.
        columns: Column -> its cells as text, "" where empty; equal index.

    Returns:
        Column -> why it is not taken, in words that follow its name, or "" if it is; the coarsest first.
    """
    values = {column: columns[column].map(folded) for column in names}
    found: dict[int, str] = {}
    for column in sorted(names, key=lambda column: (group_level(names[column]), values[column].nunique(), column)):
        taken = [(names[other], values[other]) for other, why in found.items() if not why]
        found[column] = _explain_refusal(values[column], within=taken)
    return found


def may_group(values: pd.Series[str]) -> bool:
    """Whether values could identify patients: at least five, some of them on several rows.

    Args:
        values: The cells that are not empty.
    """
    different = values.map(folded).nunique()
    return MIN_VALUES <= different < len(values)


def _explain_refusal(values: pd.Series[str], *, within: list[tuple[str, pd.Series[str]]]) -> str:
    """Why a column is not taken, "" if it can be."""
    counts = values[values != ""].value_counts()
    if len(counts) < MIN_VALUES:
        return f"has only {len(counts)} different value{'' if len(counts) == 1 else 's'}"
    if counts.iloc[0] > MAX_SHARE * len(values):
        return "has one value in more than half of the rows"
    for name, coarser in within:
        known = (values != "") & (coarser != "")
        if coarser[known].groupby(values[known]).nunique().max() > 1:
            return f"has values that occur with several values of {name!r}"
    return ""
