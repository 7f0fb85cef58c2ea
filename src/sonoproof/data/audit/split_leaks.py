"""Leaks between the parts of a split that the sheet gives: groups of frames that it divides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from sonoproof.data.labels.givensplit import GIVEN_SPLIT

# What is kept of a group that is in several parts; else its fold with the most rows.
_PREFERRED: Final = ("test", "val", "fit")


@dataclass(frozen=True)
class SplitLeaks:
    """Groups on several sides of a given split.

    Attributes:
        groups: Name of each group -> the parts that it is in, sorted.
        outside: Reason for each row that must be left out so that every group is in one part, by index label.
    """

    groups: Mapping[str, tuple[str, ...]]
    outside: dict[int, str]


def find_leaks(records: pd.DataFrame) -> SplitLeaks:
    """Find the groups of frames that a given split divides.

    Args:
        records: Rows with a part: ``group``, ``given_split``.
    """
    groups: dict[str, tuple[str, ...]] = {}
    outside: dict[int, str] = {}
    for name, rows in records.groupby("group", sort=True):
        parts = rows[GIVEN_SPLIT]
        if parts.nunique() < 2:
            continue
        kept = _kept_part(parts)
        groups[str(name)] = tuple(sorted(parts.unique()))
        reason = f"the split of the sheet leaks: its group {name!r} is in the part {kept!r} as well"
        outside |= dict.fromkeys(parts.index[parts != kept].tolist(), reason)
    return SplitLeaks(groups, outside)


def _kept_part(parts: pd.Series[str]) -> str:
    counts = parts.value_counts()
    known = [part for part in _PREFERRED if part in counts]
    return known[0] if known else str(counts.sort_index().idxmax())
