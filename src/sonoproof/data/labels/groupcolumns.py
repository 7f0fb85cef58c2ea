"""Finding the columns of a label sheet that identify patients, examinations or clips, if the user names none.

Frames of one patient must not be on both sides of a split, so such a column is taken even if nobody named it, but only
if it can be what its name says: a column of ages, or of clip numbers that start again with every patient, would merge
different people into one group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from sonoproof.data.labels.columnnames import GROUP_LEVELS, group_level, is_identifier
from sonoproof.data.labels.vocabulary import folded

MIN_VALUES = 5
MAX_SHARE = 0.5


@dataclass(frozen=True)
class GroupColumn:
    """A column that may be a group column.

    Attributes:
        name: Its name.
        values: Its cells, folded; "" where empty.
    """

    name: str
    values: pd.Series[str]


@dataclass(frozen=True)
class GroupRule:
    """A reason not to take a column that is named for patients, examinations or clips.

    Attributes:
        when: When it applies, in the words of the documentation.
        explain: Gives the reason for a column, in words that follow its name, or ""; gets the columns taken so far.
    """

    when: str
    explain: Callable[[GroupColumn, Sequence[GroupColumn]], str]


def find_groups(names: Mapping[int, str], columns: Mapping[int, pd.Series[str]]) -> dict[int, str]:
    """Choose the group columns of a sheet by name and content.

    The coarsest column (patients before examinations before clips) is taken unless one of `GROUP_RULES` speaks against
    it; then the finer ones likewise.

    Args:
        names: Column -> its name.
        columns: Column -> its cells as text, "" where empty; equal index.

    Returns:
        Column -> why it is not taken, in words that follow its name, or "" if it is; the coarsest first. Columns whose
        names identify nothing, and identifiers of single rows, are left out.
    """
    levels = {column: _level(name, columns[column]) for column, name in names.items()}
    known = {
        column: GroupColumn(names[column], columns[column].map(folded)) for column, level in levels.items() if level
    }
    found: dict[int, str] = {}
    for column in sorted(known, key=lambda column: (levels[column], known[column].values.nunique(), column)):
        taken = [known[other] for other, why in found.items() if not why]
        reasons = (rule.explain(known[column], taken) for rule in GROUP_RULES)
        found[column] = next((reason for reason in reasons if reason), "")
    return found


def _level(name: str, values: pd.Series[str]) -> int:
    """1 for patients, 2 for examinations, 3 for clips, more for what may identify any of them; 0 for none."""
    level = group_level(name)
    if level is not None:
        return level + 1
    different, filled = values[values != ""].nunique(), int((values != "").sum())
    return len(GROUP_LEVELS) + 1 if is_identifier(name) and MIN_VALUES <= different < filled else 0


def _does_not_say_what(column: GroupColumn, _: Sequence[GroupColumn]) -> str:
    return "does not say by its name what it identifies" if group_level(column.name) is None else ""


def _has_few_values(column: GroupColumn, _: Sequence[GroupColumn]) -> str:
    different = column.values[column.values != ""].nunique()
    return f"has only {different} different value{'' if different == 1 else 's'}" if different < MIN_VALUES else ""


def _has_a_large_value(column: GroupColumn, _: Sequence[GroupColumn]) -> str:
    largest = column.values[column.values != ""].value_counts().iloc[0]
    return "has one value in more than half of the rows" if largest > MAX_SHARE * len(column.values) else ""


def _cuts_across(column: GroupColumn, taken: Sequence[GroupColumn]) -> str:
    for coarser in taken:
        known = (column.values != "") & (coarser.values != "")
        if coarser.values[known].groupby(column.values[known]).nunique().max() > 1:
            return f"has values that occur with several values of {coarser.name!r}"
    return ""


GROUP_RULES = (
    GroupRule("its name does not say what it identifies (`ID`, `Pseudonym`)", _does_not_say_what),
    GroupRule("it has fewer than five different values", _has_few_values),
    GroupRule("one of its values is in more than half of the rows", _has_a_large_value),
    GroupRule(
        "its values occur with several values of a coarser column that is used (clip numbers that start again for every"
        " patient)",
        _cuts_across,
    ),
)
