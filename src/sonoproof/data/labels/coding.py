"""What the values of a label column mean: two named classes, one of them positive.

The positive class has a name in everything that is written later, so it is settled here, once, and how it was settled
is recorded. The rules are `CODING_RULES`; docs/data.md shows them as a table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from sonoproof.classes import Classes
from sonoproof.data.labels.choice import Choice, forms_of
from sonoproof.data.labels.labelvalues import ColumnValues, LabelColumn, LabelValue
from sonoproof.data.labels.openquestions import find_question, refuse_questions
from sonoproof.data.labels.spelling import did_you_mean
from sonoproof.data.labels.vocabulary import Meaning, find_concept, find_meaning, folded
from sonoproof.errors import CohortError, ConfigError, SheetError

# A word whose meaning is not known is the opposite of one that is known only if it is not rarer than this.
MIN_SHARE = 0.05


@dataclass(frozen=True)
class LabelCoding:
    """The classes, and what each written value says.

    Attributes:
        classes: The two classes.
        labels: Written value -> class name.
        unusable: Written value -> why it is not a label.
        rule: How the values were coded, in one sentence.
    """

    classes: Classes
    labels: dict[str, str]
    unusable: dict[str, str] = field(default_factory=dict)
    rule: str = ""


@dataclass(frozen=True)
class CodingRule:
    """One way in which a label column says what its values mean; the first rule that applies is taken.

    Attributes:
        column: The columns it applies to, in the words of the documentation.
        meaning: What their values mean, in the words of the documentation.
        applies: Whether it applies to a column's values, of which the user may have named some.
        code: Codes the values.
    """

    column: str
    meaning: str
    applies: Callable[[ColumnValues], bool]
    code: Callable[[ColumnValues], LabelCoding]


def label_values(rows: pd.DataFrame) -> list[LabelValue]:
    """The different values of the column ``value``, the most frequent first.

    Args:
        rows: Columns ``value`` (text) and ``sheet_row`` (1-based).
    """
    table = rows.groupby("value", sort=False)["sheet_row"].agg(["size", "min"])
    values = [LabelValue(str(text), int(size), int(first)) for text, size, first in table.itertuples()]
    return sorted(values, key=lambda value: (-value.count, value.first_row))


def code_labels(
    values: Sequence[LabelValue],
    *,
    column: LabelColumn,
    positive: str | None = None,
    negative: str | None = None,
    excluded: Sequence[str] = (),
    classes: Classes | None = None,
) -> LabelCoding:
    """Settle the two classes of a label column and what each value says, by the first of `CODING_RULES` that applies.

    Args:
        values: The values seen, the most frequent first.
        column: The label column.
        positive: Values or class name that are to be positive, with commas between them; None to find it by meaning.
        negative: Values that are to be negative, with commas between them; None for all that are not positive.
        excluded: Values whose rows are left out.
        classes: Classes that are settled already (those of a trained model): values are only assigned to them.

    Raises:
        SheetError: The values do not make two classes unless the user says more.
        ConfigError: A value that was named is not among the values.
        CohortError: All rows have the same value.
    """
    texts = [value.text for value in values]
    choice = Choice.from_settings(texts, positive=positive, negative=negative, excluded=excluded)
    found = ColumnValues(values, column, choice)
    if classes is not None:
        return _assign_to(classes, found)
    choice.require_excluded(texts)
    _require_two_values(found)
    rule = next(rule for rule in CODING_RULES if rule.applies(found))
    return rule.code(found)


def _require_two_values(values: ColumnValues) -> None:
    aside = ", ".join(map(repr, list(values.unusable)[:8]))
    hint = f" (no labels: {aside}; name those that are with --positive or --negative)" if aside else ""
    if not values.groups:
        raise SheetError(f"the label column {values.column.name!r} holds no label{hint}")
    if len(values.groups) == 1:
        only = next(iter(values.groups.values()))[0]
        raise CohortError(
            f"only one class: all {values.rows} labelled rows of {values.column.name!r} say {only.text!r};"
            f" a classifier needs frames of two classes{hint}"
        )


def _code_yes_no(values: ColumnValues) -> LabelCoding:
    yes, no = values.yes_no_names()
    classes = Classes(yes, no) if values.meaning is Meaning.HEALTH else Classes(no, yes)
    for positive in values.choice.positive:
        if _find_class(positive, values, yes=yes, no=no) == classes.negative:
            classes = Classes(classes.positive, classes.negative)
    names = {True: yes, False: no, None: ""}
    return _coding(values, classes, {concept: names[values.says_yes(concept)] for concept in values.groups})


def _find_class(positive: str, values: ColumnValues, *, yes: str, no: str) -> str:
    """The class name that ``--positive`` asks for, by name or by a value that means yes or no."""
    for name in (yes, no):
        if folded(positive) == folded(name):
            return name
    says_yes = values.says_yes(find_concept(positive))
    if says_yes is None:
        raise _unknown_value("--positive", positive, values, [yes, no])
    return yes if says_yes else no


def _code_chosen(values: ColumnValues) -> LabelCoding:
    """The values named by ``--positive`` against those named by ``--negative``, or against the rest."""
    positive = [_find_named("--positive", name, values) for name in values.choice.positive]
    negative = [_find_named("--negative", name, values) for name in values.choice.negative]
    refuse_questions(values, positive=positive, negative=negative)
    return _code_against(values, positive, negative)


def _find_named(flag: str, name: str, values: ColumnValues) -> str:
    """The concept of the value that the user named."""
    for concept, group in values.groups.items():
        if forms_of((name,)) & forms_of((*(value.text for value in group), values.class_name(concept), concept)):
            return concept
    raise _unknown_value(flag, name, values, [values.class_name(concept) for concept in values.groups])


def _code_against(values: ColumnValues, positive: Sequence[str], negative: Sequence[str] = ()) -> LabelCoding:
    """The coding of some concepts as positive, and of others as negative; all others if none are given."""
    rest = list(negative) or [concept for concept in values.groups if concept not in positive]
    chosen = values.joined_name(positive)
    other = values.joined_name(rest) if len(rest) == 1 or (negative and len(positive) > 1) else f"not {chosen}"
    names = {**dict.fromkeys(values.groups, ""), **dict.fromkeys(rest, other), **dict.fromkeys(positive, chosen)}
    return _coding(values, Classes(other, chosen), names)


def _find_diseased(values: ColumnValues) -> str:
    """Which of two concepts is the diseased one, "" if neither says so, or if there are more than two labels."""
    if len(values.groups) != 2 or not all(_is_label(concept, values) for concept in values.groups):
        return ""
    first, second = values.groups
    for one, other in ((first, second), (second, first)):
        if find_meaning(one) is Meaning.DISEASE and find_meaning(other) is not Meaning.DISEASE:
            return one
        if find_meaning(one) is Meaning.NONE and (find_meaning(other) is Meaning.HEALTH or other == f"not {one}"):
            return one
    return ""


def _is_label(concept: str, values: ColumnValues) -> bool:
    """Whether a concept is known, or a word that is not rare: a number or a note is not the opposite of a disease."""
    if find_meaning(concept) is not Meaning.NONE or concept.startswith("not "):
        return True
    return not any(map(str.isdigit, concept)) and values.rows_of(concept) >= MIN_SHARE * values.rows


def _ask(values: ColumnValues) -> LabelCoding:
    """Raise: only the user can say which class is positive."""
    faults = [
        values.fault(group[0], f"first of {values.rows_of(concept)} row(s) of {values.class_name(concept)!r}")
        for concept, group in values.groups.items()
    ]
    problem = (
        f"holds {len(values.groups)} classes; say which one is positive, against the rest, with --positive"
        if len(values.groups) > 2
        else "does not say which of its two values is the positive class; name it with --positive"
    )
    raise SheetError(f"the label column {values.column.name!r} {problem}", faults=faults)


CODING_RULES = (
    CodingRule(
        "is named for health (`Healthy`, `is_normal`) and holds 1/0 or yes/no",
        "1 or yes is `healthy`, the negative class; 0 or no is `unhealthy`, the positive class",
        lambda values: values.meaning is Meaning.HEALTH and values.are_yes_no(),
        _code_yes_no,
    ),
    CodingRule(
        "is named for a disease (`PCOS`) and holds 1/0 or yes/no",
        "1 or yes is the disease, the positive class",
        lambda values: values.meaning is Meaning.DISEASE and values.are_yes_no(),
        _code_yes_no,
    ),
    CodingRule(
        "has another name (`label`) and holds 1/0 or yes/no",
        "1 or yes is the positive class, `label 1`",
        lambda values: values.are_yes_no(),
        _code_yes_no,
    ),
    CodingRule(
        "holds other values, and `--positive` names some of them",
        "these are the positive class, against the rest, or against those that `--negative` names",
        lambda values: bool(values.choice.positive),
        _code_chosen,
    ),
    CodingRule(
        "holds two words (`benign`, `malignant`), and one of them means health or disease",
        "the word that means disease, or does not mean health, is the positive class",
        lambda values: _find_diseased(values) != "",
        lambda values: _code_against(values, [_find_diseased(values)]),
    ),
    CodingRule(
        "holds two words that say nothing about health, or more than two classes",
        "an error; name one with `--positive`",
        lambda _: True,
        _ask,
    ),
)


def _assign_to(classes: Classes, values: ColumnValues) -> LabelCoding:
    joined = len(values.choice.positive) > 1 or bool(values.choice.negative)
    match = _match_named if joined else _match_class
    assigned = {concept: match(concept, classes, values) for concept in values.groups}
    if not any(assigned.values()):
        raise SheetError(
            f"the labels of {values.column.name!r} do not name the classes {classes.negative!r} and"
            f" {classes.positive!r}",
            faults=[values.fault(group[0], "is neither of the classes") for group in values.groups.values()],
        )
    return _coding(values, classes, assigned)


def _match_class(concept: str, classes: Classes, values: ColumnValues) -> str:
    """The class that a concept names or means, "" if neither."""
    names = {folded(values.class_name(concept)), concept}
    says_yes = values.says_yes(concept)
    if says_yes is not None:
        yes, no = values.yes_no_names()
        names |= {folded(yes if says_yes else no), folded(f"{values.column.name} {'yes' if says_yes else 'no'}")}
    for name in classes.names:
        if names & {folded(name), find_concept(name)}:
            return name
    meanings = {find_meaning(find_concept(name)): name for name in classes.names}
    if {Meaning.HEALTH, Meaning.DISEASE} <= set(meanings) and find_meaning(concept) in meanings:
        return meanings[find_meaning(concept)]
    if classes.negative != f"not {classes.positive}" or says_yes is not None:
        return ""
    return "" if find_question(concept, values, positive=[find_concept(classes.positive)]) else classes.negative


def _match_named(concept: str, classes: Classes, values: ColumnValues) -> str:
    """The class of a concept whose values the user named one by one."""
    positive, negative = forms_of(values.choice.positive), forms_of(values.choice.negative)
    forms = forms_of((*(value.text for value in values.groups[concept]), values.class_name(concept), concept))
    if forms & positive:
        return classes.positive
    if forms & negative or not (negative or find_question(concept, values, positive=sorted(positive))):
        return classes.negative
    return ""


def _coding(values: ColumnValues, classes: Classes, names: Mapping[str, str]) -> LabelCoding:
    """The coding that gives each concept a class name; "" for none of the two."""
    spellings = [(value.text, names[concept]) for concept, group in values.groups.items() for value in group]
    labels = {text: name for text, name in spellings if name}
    reason = f"is neither {classes.names[0]!r} nor {classes.names[1]!r}"
    strays = {text: f"{reason}{did_you_mean(text, labels)}" for text, name in spellings if not name}
    return LabelCoding(classes, labels, {**values.unusable, **strays}, _describe(values.column, labels))


def _describe(column: LabelColumn, labels: Mapping[str, str]) -> str:
    written: dict[str, list[str]] = defaultdict(list)
    for text, name in labels.items():
        written[name].append(text)
    parts = [f"{' or '.join(map(repr, texts[:8]))} is {name!r}" for name, texts in written.items()]
    return f"in {column.name!r}, {' and '.join(parts)}"


def _unknown_value(flag: str, name: str, values: ColumnValues, names: Sequence[str]) -> ConfigError:
    return ConfigError(
        f"{flag} {name!r} is not a value of the column {values.column.name!r}{did_you_mean(name, names)}"
        f" (classes: {', '.join(map(repr, names))})"
    )
