"""Values that may or may not belong to the class that the user named positive: each is a question.

Without a question they would count as the negative class, because they are not the value that was named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sonoproof.data.labels.labelvalues import ColumnValues
from sonoproof.data.labels.notknown import find_codes
from sonoproof.data.labels.severalvalues import (
    contains_value,
    find_grade,
    find_span,
    highest_number,
    is_birads,
    is_scale,
)
from sonoproof.errors import SheetError


@dataclass(frozen=True)
class Question:
    """One way in which a value may belong to the positive class, or to none.

    Attributes:
        value: The values it applies to, in the words of the documentation.
        problem: What is not clear about them, in words that follow the value.
        applies: Whether it applies to a concept of a column, given the positive concepts.
    """

    value: str
    problem: str
    applies: Callable[[str, ColumnValues, Sequence[str]], bool]


def refuse_questions(values: ColumnValues, *, positive: Sequence[str], negative: Sequence[str]) -> None:
    """Raise if the class of a value is a question; values named by ``--negative`` are none.

    Raises:
        SheetError: With the first cell of each such value.
    """
    if negative:
        return  # only what was named is used
    faults = []
    for concept, group in values.groups.items():
        question = None if concept in positive else find_question(concept, values, positive=positive)
        if question:
            faults.append(values.fault(group[0], f"{question.problem} ({values.rows_of(concept)} row(s))"))
    if faults:
        raise SheetError(
            f"the label column {values.column.name!r} holds values that may not belong to the negative class; name each"
            " of its values with --positive or --negative (commas between them), or leave rows out with"
            " --exclude-label",
            faults=faults,
        )


def find_question(concept: str, values: ColumnValues, *, positive: Sequence[str]) -> Question | None:
    """The first of `QUESTIONS` that applies to a concept beside the positive ones."""
    return next((question for question in QUESTIONS if question.applies(concept, values, positive)), None)


def _text(concept: str, values: ColumnValues) -> str:
    group = values.groups.get(concept)
    return group[0].text if group else concept


def _contains_positive(concept: str, values: ColumnValues, positive: Sequence[str]) -> bool:
    spellings = [value.text for other in positive for value in values.groups.get(other, ())] or list(positive)
    return contains_value(_text(concept, values), spellings)


def _is_code(concept: str, values: ColumnValues, _: Sequence[str]) -> bool:
    return _text(concept, values) in find_codes(map(_text, values.groups, [values] * len(values.groups))).doubtful


def _is_beside_yes_and_no(concept: str, values: ColumnValues, positive: Sequence[str]) -> bool:
    said = {values.says_yes(other) for other in values.groups}
    chosen = {values.says_yes(other) for other in positive}
    return said >= {True, False} and None not in chosen and values.says_yes(concept) is None


def _spans_positive(concept: str, values: ColumnValues, positive: Sequence[str]) -> bool:
    span = find_span(_text(concept, values))
    grades = [grade[0] for other in positive if (grade := find_grade(_text(other, values)))]
    return span is not None and any(span[0] <= grade <= span[1] for grade in grades)


def _is_near_grade(concept: str, values: ColumnValues, positive: Sequence[str]) -> bool:
    """Whether a grade is above one that is positive, or the same with or without a letter."""
    texts = [_text(other, values) for other in values.groups]
    chosen = [found for other in positive if (found := find_grade(_text(other, values)))]
    if not chosen or not is_scale(values.column.name, texts):
        return False
    grade = find_grade(_text(concept, values))
    if grade is None:
        return highest_number(_text(concept, values)) > min(chosen)[0]
    return grade > min(chosen) or any(grade[0] == other[0] and not grade[1] for other in chosen)


def _is_incomplete(concept: str, values: ColumnValues, _: Sequence[str]) -> bool:
    grade = find_grade(_text(concept, values))
    return grade == (0, "") and is_birads(values.column.name)


QUESTIONS = (
    Question(
        "contains a value that is positive, but is another (`cyst; solid`, `4a` beside `4`; not `no cyst`)",
        "contains the positive value, but is another",
        _contains_positive,
    ),
    Question(
        "is a number like a code for “not known”, and only one other value is left (1 and −1)",
        "may be the negative class or a code for 'not known'",
        _is_code,
    ),
    Question(
        "is beside yes and no, says neither, and is frequent (0, 1 and 2)",
        "says neither yes nor no",
        _is_beside_yes_and_no,
    ),
    Question("is a range that includes a positive grade (`3-4`, `>=3`)", "includes a positive grade", _spans_positive),
    Question(
        "is a grade above a positive one, or the same without its letter (`5` or `4` beside `4a`)",
        "is a grade as high as one that is positive, or higher",
        _is_near_grade,
    ),
    Question("is 0 in a column of BI-RADS categories", "means that the assessment is incomplete", _is_incomplete),
)
