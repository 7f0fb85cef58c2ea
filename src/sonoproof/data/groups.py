"""Values of group columns: what differs only in spelling is one patient, one clip, one site.

To take two spellings for two patients can put one patient on both sides of a split; to take them for one cannot
harm. So spellings are unified, and it is said which.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from sonoproof.data.vocabulary import folded

__all__ = ["unified_groups"]


def unified_groups(rows: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, dict[str, list[list[str]]]]:
    """Give every value of the group columns its first spelling in the column.

    Case, blanks, Unicode form and leading zeros of numbers make no difference: ``P01`` is ``p01``, ``007`` is 7.

    Args:
        rows: The rows, with the group columns as text.
        names: The group columns.

    Returns:
        The rows, and for each group column the sets of spellings that were taken for one.
    """
    unified: dict[str, list[list[str]]] = {}
    rows = rows.copy(deep=False)
    for name in names:
        spellings = _spellings(rows[name])
        several = [variants for variants in spellings.values() if len(variants) > 1]
        if several:
            first = {variant: variants[0] for variants in several for variant in variants}
            rows[name] = rows[name].map(lambda value, first=first: first.get(value, value)).astype("str")
            unified[name] = several
    return rows, unified


def _spellings(values: pd.Series[str]) -> dict[str, list[str]]:
    spellings: dict[str, list[str]] = {}
    for value in values.unique():
        key = folded(value)
        spellings.setdefault(key.lstrip("0") or "0" if key.isdigit() else key, []).append(value)
    return spellings
