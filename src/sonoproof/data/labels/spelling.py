"""What a misspelt name may have meant, and which spellings are one name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import pandas as pd

from sonoproof.data.labels.vocabulary import folded


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

    Case, blanks, Unicode form and leading zeros of numbers make no difference: ``P01`` is ``p01``, ``007`` is 7. Taking
    two spellings for two patients can put one patient on both sides of a split; taking them for one cannot.

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


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())
