"""Cells that hold more than one answer: lists (``cyst; solid``), ranges (``3-4``) and grades (``4a`` beside ``4``)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sonoproof.data.labels.vocabulary import find_concept, folded, name_tokens, word_set

_SEPARATORS = re.compile(r"[;,/|+&\n\r\t]|\s(?:and|und|et|y|e|or|oder|ou|with|mit)\s")
_WORDS = re.compile(r"(?<!\w)-\d+|\d+(?:\.\d+)?|[^\W\d_]+")
_NEGATING_SUFFIXES = frozenset({"free", "frei", "negative", "negativ", "neg", "excluded", "absent", "negatif"})
_GRADE = re.compile(r"([a-z][a-z\s_-]*?)?\s*(\d{1,2})\s*([a-f])?")
_RANGE = re.compile(r"(\d{1,2})\s*[a-f]?\s*(?:-|–|—|to|bis|à|a|/)\s*(\d{1,2})\s*[a-f]?")
_OPEN_ABOVE = re.compile(r"(?:>=?|≥|from|ab|at least)\s*(\d{1,2})|(\d{1,2})\s*(?:\+|or more|or higher|and above)")
_OPEN_BELOW = re.compile(r"(?:<=?|≤|up to|bis|at most)\s*(\d{1,2})")
_SCALE_WORDS = word_set(
    "birads rads tirads orads lirads pirads grade grading score stage staging category level gradus grad"
)
TOP_GRADE = 99


def contains_value(text: str, wanted: Iterable[str]) -> bool:
    """Whether a value contains another without being it: ``cyst; solid`` contains ``cyst``; ``no cyst`` does not.

    Args:
        text: The value.
        wanted: The spellings of the other.
    """
    words = _WORDS.findall(folded(text))
    concepts = {find_concept(piece) for piece in _SEPARATORS.split(text.casefold()) if piece.strip()}
    for other in wanted:
        if len(concepts) > 1 and find_concept(other) in concepts:
            return True
        if _is_within(_WORDS.findall(folded(other)), words) and not find_concept(text).startswith("not "):
            return True
    return False


def _is_within(part: list[str], words: list[str]) -> bool:
    """Whether words hold a run of others that is not negated by the word behind it (``cyst free``)."""
    size = len(part)
    starts = [start for start in range(len(words) - size + 1) if words[start : start + size] == part]
    return bool(part) and any(not _NEGATING_SUFFIXES & set(words[start + size : start + size + 1]) for start in starts)


def find_grade(text: str) -> tuple[int, str] | None:
    """The number and the letter of a grade (``BI-RADS 4a`` is 4 and "a"), or None."""
    found = _GRADE.fullmatch(folded(text))
    return (int(found[2]), found[3] or "") if found else None


def find_span(text: str) -> tuple[int, int] | None:
    """The lowest and the highest grade of a range (``3-4``, ``>=4``, ``4+``, ``<3``), or None if it is none."""
    word = folded(text)
    if found := _RANGE.fullmatch(word):
        return int(found[1]), int(found[2])
    if found := _OPEN_ABOVE.fullmatch(word):
        return int(found[1] or found[2]), TOP_GRADE
    if found := _OPEN_BELOW.fullmatch(word):
        return 0, int(found[1])
    return None


def highest_number(text: str) -> int:
    """The highest whole number of a text, -1 if it has none: 5 in ``3 or 5``."""
    return max(map(int, re.findall(r"\d{1,2}", folded(text))), default=-1)


def is_scale(column: str, values: Iterable[str]) -> bool:
    """Whether a column holds grades: its name says so, or its values have letters behind numbers (``4a``)."""
    if not _SCALE_WORDS.isdisjoint(name_tokens(column)):
        return True
    grades = [grade for grade in map(find_grade, values) if grade]
    return any(letter for _, letter in grades) or any(
        not _SCALE_WORDS.isdisjoint(name_tokens(value)) for value in values
    )


def is_birads(column: str) -> bool:
    """Whether a column holds BI-RADS categories, where 0 means that the assessment is incomplete."""
    return "birads" in "".join(name_tokens(column))
