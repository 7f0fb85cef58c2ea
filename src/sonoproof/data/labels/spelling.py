"""What a misspelt name may have meant, and which spellings are one name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

import pandas as pd

from sonoproof.data.labels.vocabulary import folded
from sonoproof.data.spreadsheets.visible import visible

_E_NOTATION = re.compile(r"\d(\.\d+)?e\+\d{1,2}")  # as a spreadsheet program shortens a long number


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question that ends a message, "" if nothing known is similar."""
    originals = {folded(value): value for value in known}
    close = difflib.get_close_matches(folded(word), list(originals), n=1)
    return f"; did you mean {originals[close[0]]!r}?" if close else ""


def find_misspelt(word: str, known: Iterable[str]) -> str:
    """The known value that a word is almost certainly a misspelling of, or "".

    Short words and words that differ in a digit are other words: grade 3 is not grade 2 misspelt.
    """
    originals = {folded(value): value for value in known if _digits(folded(value)) == _digits(folded(word))}
    close = difflib.get_close_matches(folded(word), list(originals), n=1, cutoff=0.8) if len(word) > 3 else []
    return originals[close[0]] if close else ""


def unify_groups(rows: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, dict[str, list[list[str]]]]:
    """Give every value of the group columns its first spelling in the column.

    Case, blanks, invisible characters, Unicode form, leading zeros of numbers and E-notation make no difference:
    ``P01`` is ``p01``, ``007`` is 7, ``1.2E+05`` is 120000. Taking two spellings for two patients can put one patient
    on both sides of a split; taking them for one cannot.

    Args:
        rows: The rows, with the group columns as text.
        names: The group columns.

    Returns:
        The rows, and for each group column the sets of spellings that were taken for one name.
    """
    unified: dict[str, list[list[str]]] = {}
    rows = rows.copy(deep=False)
    for name in names:
        spellings = _spellings(rows[name])
        several = [variants for variants in spellings.values() if len(variants) > 1]
        first = {
            variant: " ".join(visible(variants[0]).split()) for variants in spellings.values() for variant in variants
        }
        if any(written != unique for written, unique in first.items()):
            rows[name] = rows[name].map(first).astype("str")
        if several:
            unified[name] = several
    return rows, unified


def _spellings(values: pd.Series[str]) -> dict[str, list[str]]:
    spellings: dict[str, list[str]] = {}
    for value in values.unique():
        key = folded(value)
        if _E_NOTATION.fullmatch(key):
            key = f"{Decimal(key):f}"
        spellings.setdefault(key.lstrip("0") or "0" if key.isdigit() else key, []).append(value)
    return spellings


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())
