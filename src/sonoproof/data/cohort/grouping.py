"""Groups: the frames that must be on one side of a split because they share a patient, clip, source or pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import pandas as pd
from scipy.cluster.hierarchy import DisjointSet

from sonoproof.errors import CohortError

# Frames with equal content are the same frame, whatever the sheet says.
_CONTENT_COLUMNS: Final = ("sha256", "pixel_sha256")


def assign_groups(records: pd.DataFrame, *, columns: Sequence[str], by_source: bool = True) -> pd.Series[str]:
    """Join frames that share a value of any grouping column, their source or their pixels.

    The groups are the connected components: if a clip joins two patients, both patients are one group. A missing
    value ("") joins nothing, nor does the content of a frame whose column ``blank`` is "yes".

    Args:
        records: One row per frame with ``image_id``, the grouping columns and, if known, ``sha256``, ``pixel_sha256``
            and ``source``.
        columns: Grouping columns of the sheet; rows equal in any one of them belong together.
        by_source: Whether look-alike frames (equal ``source``) belong together.

    Returns:
        The name of each row's group, with the records' index: ``patient_id=12`` if one value explains the group, else
        ``g0001``, … numbered by the smallest ``image_id``. Names do not depend on the row order.

    Raises:
        CohortError: A column is missing.
    """
    ordered = records.sort_values("image_id", kind="stable")
    components = DisjointSet(range(len(ordered)))
    keys = list(shared_keys(ordered, columns=columns, by_source=by_source))
    for _, values in keys:
        first: dict[str, int] = {}
        for row, value in enumerate(values):
            if value and first.setdefault(value, row) != row:
                components.merge(first[value], row)
    roots = [components[row] for row in range(len(ordered))]
    named = [(column, values) for column, values in keys if column not in _CONTENT_COLUMNS]
    names = _names(roots, named)
    return pd.Series([names[root] for root in roots], index=ordered.index, dtype="str").reindex(records.index)


def shared_keys(records: pd.DataFrame, *, columns: Sequence[str], by_source: bool) -> Iterator[tuple[str, list[str]]]:
    """Yield each (column, values) whose equal values must not be on two sides; a missing value is "".

    Raises:
        CohortError: A grouping column is missing.
    """
    unknown = [column for column in columns if column not in records.columns]
    if unknown:
        raise CohortError(
            f"there is no grouping column {', '.join(map(repr, unknown))}; the records have "
            f"{', '.join(map(repr, records.columns))}"
        )
    optional = [*(["source"] if by_source else []), *_CONTENT_COLUMNS]
    for column in dict.fromkeys([*columns, *(name for name in optional if name in records.columns)]):
        values = content_of(records, column) if column in _CONTENT_COLUMNS else records[column]
        yield column, [_text(value) for value in values.tolist()]


def content_of(records: pd.DataFrame, column: str) -> pd.Series[str]:
    """A hash of each frame by which it is known to be another one; "" for blank frames, which say nothing.

    Args:
        records: The frames; those whose column ``blank`` is "yes" have no content.
        column: ``sha256`` or ``pixel_sha256``.
    """
    return records[column].where(records["blank"] != "yes", "") if "blank" in records else records[column]


def _text(value: object) -> str:
    return "" if pd.isna(value) else str(value).strip()  # type: ignore[call-overload]


def _names(roots: Sequence[int], keys: Sequence[tuple[str, list[str]]]) -> dict[int, str]:
    """The name of each component: the first key that all its rows share, else a number."""
    rows_by_root: dict[int, list[int]] = {}
    for row, root in enumerate(roots):
        rows_by_root.setdefault(root, []).append(row)
    names = {}
    for number, (root, rows) in enumerate(rows_by_root.items(), start=1):
        explained = (
            f"{column}={values[rows[0]]}"
            for column, values in keys
            if values[rows[0]] and len({values[row] for row in rows}) == 1
        )
        names[root] = next(explained, f"g{number:04d}")
    return names
