"""Columns that answer the same question as the label column, compared with it row by row.

Two columns of labels often come from two hands. Where they contradict each other, one of them is wrong, and the sheet
does not say which.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

import pandas as pd

from sonoproof.data.labels.columnnames import column_meaning, is_named_for_health_or_disease
from sonoproof.data.labels.notknown import says_not_known
from sonoproof.data.labels.vocabulary import Meaning, as_concepts, find_concept, find_meaning, word_set

# Columns are compared by what their values mean or, where that is not known, by which values usually go together.
MIN_ROWS = 10
MIN_ROWS_PER_VALUE = 5
MIN_AGREEMENT = 0.8
MIN_AGREEMENT_PER_VALUE = 0.75

# They say something of a test, of a group of a study or of the image rather than of the patient.
_OF_A_TEST = word_set("positive negative control lesion")


class Claim(Enum):
    """What a label says of a patient or a lesion."""

    HEALTHY = auto()
    ILL = auto()
    BENIGN = auto()
    MALIGNANT = auto()


_CLAIMS = {
    Claim.HEALTHY: frozenset({"healthy", "normal", "not unhealthy", "not abnormal", "not disease"}),
    Claim.ILL: frozenset({"not healthy", "not normal"}),
    Claim.BENIGN: frozenset({"benign"}),
    Claim.MALIGNANT: frozenset({"malignant", "cancer"}),
}
# What each of them contradicts.
_OPPOSITES = {
    Claim.HEALTHY: (Claim.ILL, Claim.MALIGNANT),
    Claim.ILL: (Claim.HEALTHY,),
    Claim.BENIGN: (Claim.MALIGNANT,),
    Claim.MALIGNANT: (Claim.HEALTHY, Claim.BENIGN),
}


def find_contradictions(label: pd.Series[str], other: pd.Series[str], *, names: tuple[str, str]) -> pd.Series[bool]:
    """Which rows another column of labels contradicts.

    Args:
        label: The cells of the label column as text.
        other: Those of the other column; equal index.
        names: The names of the two.
    """
    both = (_known(label) & _known(other)).to_numpy()
    if not both.any():
        return pd.Series(False, index=label.index)
    first, second = as_concepts(label[both]), as_concepts(other[both])
    ours, theirs = (_claims(column.unique(), name) for column, name in zip((first, second), names, strict=True))
    by_meaning = pd.Series(False, index=first.index)
    for claim, opposites in _OPPOSITES.items():
        by_meaning |= (first.map(ours) == claim) & second.map(theirs).isin(opposites)
    differs = (first != second) & _has_same_words(first, second)
    found = by_meaning | differs | _unusual(first, second)
    return found.astype(bool).reindex(label.index, fill_value=False)


def answer_same_question(first: pd.Series[str], second: pd.Series[str]) -> bool:
    """Whether the values of one column of labels nearly always tell those of the other.

    Args:
        first: Its cells as text.
        second: Those of the other column; equal index.

    Returns:
        True also where there are too few rows to tell, or only one value.
    """
    both = (_known(first) & _known(second)).to_numpy()
    table = pd.crosstab(as_concepts(first[both]), as_concepts(second[both]))
    if both.sum() < MIN_ROWS or min(table.shape) < 2:
        return True
    return _tells(table) or _tells(table.T)


def share_in_agreement(first: pd.Series[str], second: pd.Series[str]) -> float:
    """The share of the rows in which two columns of labels say the same, in the same words; 1 if no row has both.

    Args:
        first: The cells of one column as text.
        second: Those of the other column; equal index.
    """
    both = (_known(first) & _known(second)).to_numpy()
    return float((as_concepts(first[both]) == as_concepts(second[both])).mean()) if both.any() else 1.0


def _has_same_words(first: pd.Series[str], second: pd.Series[str]) -> bool:
    """Whether two columns use the same words, other than yes and no, which mean what the name asks."""
    return set(first.unique()) == set(second.unique()) and not {"yes", "no"} & set(first.unique())


def _known(values: pd.Series[str]) -> pd.Series[bool]:
    unknown = [value for value in values.unique() if value == "" or says_not_known(value)]
    return ~values.isin(unknown)


def _claims(concepts: Iterable[str], name: str) -> dict[str, Claim | None]:
    """What each concept says under a column's name; None for nothing that could be contradicted."""
    asked = find_concept(column_meaning(name)[1]) if is_named_for_health_or_disease(name) else ""
    opposite = asked.removeprefix("not ") if asked.startswith("not ") else f"not {asked}"
    answers = {"yes": asked, "no": opposite} if asked else {}
    return {concept: _claim(answers.get(concept, concept)) for concept in concepts}


def _claim(concept: str) -> Claim | None:
    if concept in _OF_A_TEST:
        return None
    for claim, words in _CLAIMS.items():
        if concept in words:
            return claim
    # That it is not the one disease leaves all others open.
    return Claim.ILL if find_meaning(concept) is Meaning.DISEASE and not concept.startswith("not ") else None


def _unusual(label: pd.Series[str], other: pd.Series[str]) -> pd.Series[bool]:
    """Rows whose two values both usually go with another one; none if the columns say different things.

    Where one column divides further what the other says (kinds of tumour beside benign and malignant), only its rarer
    kinds go with another value than usual, and they do so always; that is no contradiction.
    """
    table = pd.crosstab(other, label)
    if len(label) < MIN_ROWS or not _tells(table):
        return pd.Series(False, index=label.index)
    return _goes_elsewhere(label, other, table) & _goes_elsewhere(other, label, table.T)


def _tells(table: pd.DataFrame) -> bool:
    """Whether the value of the rows of a table usually tells that of its columns."""
    usual = table.idxmax(axis=1)
    return usual.nunique() > 1 and bool(table.max(axis=1).sum() >= MIN_AGREEMENT * table.to_numpy().sum())


def _goes_elsewhere(values: pd.Series[str], given: pd.Series[str], table: pd.DataFrame) -> pd.Series[bool]:
    """Which values differ from what usually goes with the given one; `table` counts (given, value)."""
    rows, most = table.sum(axis=1), table.max(axis=1)
    clear = (rows >= MIN_ROWS_PER_VALUE) & (most >= MIN_AGREEMENT_PER_VALUE * rows)
    expected = given.map(table.idxmax(axis=1)[clear])
    return expected.notna() & (expected != values)
