"""The rules that decide which values of a label column are labels; docs/data.md shows them as a table.

A value that is not a label is set aside with its reason, so that its rows are quarantined. `openquestions` has the
values that may or may not belong to the class that the user named positive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sonoproof.data.labels.notknown import SIGNS, are_signed, find_codes, says_not_known
from sonoproof.data.labels.spelling import find_misspelt
from sonoproof.data.labels.vocabulary import Meaning, find_concept, find_meaning

TYPO_SHARE = 0.01
LABEL_NOT_KNOWN = "is marked as unknown"
FORMULA_TEXT = "is the text of a formula; open the sheet, let it calculate, and save it"
_FORMULA = re.compile(r"=\s*[\w.]+\(|=\s*\$?[A-Z]{1,3}\$?\d+", re.IGNORECASE)
LABEL_CODE = "looks like a code for 'not known'; if it is a label, name it with --positive or --negative"


@dataclass(frozen=True)
class ValueRule:
    """One reason why a value of a label column is not a label.

    Attributes:
        value: The values it applies to, in the words of the documentation.
        outcome: What happens to them, in the words of the documentation.
        find: Different values that no earlier rule applies to, with their number of rows -> why, for those that are no
            labels.
    """

    value: str
    outcome: str
    find: Callable[[Mapping[str, int]], dict[str, str]]


def _find_unknown(counts: Mapping[str, int]) -> dict[str, str]:
    """Words and marks for "not known"; a minus beside a plus is no such mark."""
    signed = are_signed(counts)
    return {text: LABEL_NOT_KNOWN for text in counts if says_not_known(text) and not (signed and text in SIGNS)}


def _find_formulas(counts: Mapping[str, int]) -> dict[str, str]:
    return {text: FORMULA_TEXT for text in counts if _FORMULA.match(text)}


def _find_codes(counts: Mapping[str, int]) -> dict[str, str]:
    return dict.fromkeys(find_codes(counts).certain, LABEL_CODE)


def _find_misspelt(counts: Mapping[str, int]) -> dict[str, str]:
    """Rare values that are a letter or two away from a frequent one."""
    rare = max(2, TYPO_SHARE * sum(counts.values()))
    rows: dict[str, int] = {}
    for text, count in counts.items():
        rows[find_concept(text)] = rows.get(find_concept(text), 0) + count
    frequent = [text for text, count in counts.items() if count > rare]
    reasons = {}
    for text in counts:
        concept = find_concept(text)
        if rows[concept] > rare or find_meaning(concept) is not Meaning.NONE or concept in {"yes", "no"}:
            continue
        meant = find_misspelt(concept, frequent)
        if meant:
            reasons[text] = f"is not a known value; did you mean {meant!r}?"
    return reasons


VALUE_RULES = (
    ValueRule(
        "says in words or marks that the label is not known (`NA`, `cyst?`, `.`, `pending`, `not done`, `#N/A`)",
        "quarantined as unknown",
        _find_unknown,
    ),
    ValueRule("is a formula written as text (`=IF(C2>12;1;0)`)", "quarantined as a formula", _find_formulas),
    ValueRule(
        "is a number far from the others, as codes for “not known” are (−1, 9, 99, −9, 88, 999)",
        "quarantined as a code",
        _find_codes,
    ),
    ValueRule(
        "is rare, and a letter or two away from a frequent one (`malignnt`)",
        "quarantined with a suggestion",
        _find_misspelt,
    ),
)
