"""Counts and values in words, for every sentence that a reader sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def counted(number: int, one: str, many: str = "") -> str:
    """A count with its noun: ``"1 pair"``, ``"1,200 pairs"``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def of_rows(part: int, whole: int, *, things: str = "rows") -> str:
    """A count with its share: ``"74 of 3,200 rows (2.3 %)"``."""
    share = f" ({100 * part / whole:.1f} %)" if whole else ""
    return f"{part:,} of {whole:,} {things}{share}"


def humanise(value: Any) -> str:
    """A value of a JSON file as a reader would write it."""
    if value in (None, "", [], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {humanise(item)}" for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(humanise(item) for item in value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)
