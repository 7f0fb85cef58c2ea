"""What the values of a label column mean: two named classes, one of them positive.

The positive class has a name in everything that is written later, so it is settled here, once, and the rule that
settled it is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from sonoproof.classes import Classes
from sonoproof.data.labels.columnnames import column_meaning
from sonoproof.data.labels.spelling import did_you_mean, find_misspelt
from sonoproof.data.labels.vocabulary import NOT_KNOWN, Meaning, find_concept, find_meaning, folded
from sonoproof.errors import CohortError, ConfigError, SheetError, SheetFault

__all__ = ["LabelCoding", "LabelColumn", "LabelValue", "code_labels", "label_values"]

# Values that are no label are set aside up to this share of the rows; beyond it they look like a class of their own.
MAX_UNKNOWN = 0.1
TYPO_SHARE = 0.01
LABEL_NOT_KNOWN = "says that the label is not known"

# Concept of a column's name -> class names that yes and no stand for under it.
OPPOSITES = {
    "healthy": ("healthy", "unhealthy"),
    "normal": ("healthy", "unhealthy"),
    "health": ("healthy", "unhealthy"),
    "unhealthy": ("unhealthy", "healthy"),
    "not healthy": ("unhealthy", "healthy"),
    "abnormal": ("abnormal", "normal"),
    "not normal": ("abnormal", "normal"),
}


@dataclass(frozen=True)
class LabelColumn:
    """Where a label column is.

    Attributes:
        name: Its header.
        letters: Its letters in the spreadsheet program.
        worksheet: The worksheet it is on.
    """

    name: str
    letters: str = ""
    worksheet: str = ""


@dataclass(frozen=True)
class LabelValue:
    """One value of a label column as it is written.

    Attributes:
        text: The value.
        count: In how many rows it stands.
        first_row: The first of these, 1-based.
    """

    text: str
    count: int = 1
    first_row: int = 1


@dataclass(frozen=True)
class LabelCoding:
    """The classes, and what each written value says.

    Attributes:
        classes: The two classes.
        labels: Written value -> class name.
        unusable: Written value -> why it is no label.
        rule: How the coding was settled, one sentence.
    """

    classes: Classes
    labels: dict[str, str]
    unusable: dict[str, str] = field(default_factory=dict)
    rule: str = ""


def label_values(rows: pd.DataFrame) -> list[LabelValue]:
    """The different values of the column ``value``, the most frequent first.

    Args:
        rows: Columns ``value`` (text) and ``sheet_row`` (1-based).
    """
    table = rows.groupby("value", sort=False)["sheet_row"].agg(["size", "min"])
    values = [LabelValue(str(text), int(size), int(first)) for text, size, first in table.itertuples()]
    return sorted(values, key=lambda value: (-value.count, value.first_row))


def code_labels(
    values: Sequence[LabelValue], *, column: LabelColumn, positive: str | None = None, classes: Classes | None = None
) -> LabelCoding:
    """Settle the two classes of a label column and what each value says.

    In a column named for health, 1 or yes is the negative class; in one named for a disease it is the positive
    class; elsewhere 1 or yes is positive under a name such as "label 1". Two words are told apart by what they mean.
    Anything else needs ``positive``, which makes one value the positive class against the rest.

    Args:
        values: The values seen, the most frequent first.
        column: The label column.
        positive: Value or class name that is to be positive; None to find it by meaning.
        classes: Classes that are settled already (those of a trained model): values are only assigned to them.

    Raises:
        SheetError: The values do not make two classes without more being said.
        ConfigError: ``positive`` is not among the values.
        CohortError: All rows have one value.
    """
    coder = _Coder(values, column)
    if classes is not None:
        return coder.into(classes)
    coder.refuse_one_class()
    if coder.is_answer_column() and not (positive and coder.is_further_value(positive)):
        return coder.by_answers(positive)
    return coder.by_value(positive) if positive else coder.by_meaning()


class _Coder:
    """The values of one label column, grouped by concept."""

    def __init__(self, values: Sequence[LabelValue], column: LabelColumn) -> None:
        self.column = column
        self.meaning, self.word = column_meaning(column.name)
        self.unusable = {value.text: LABEL_NOT_KNOWN for value in values if folded(value.text) in NOT_KNOWN}
        known = [value for value in values if value.text not in self.unusable]
        self.total = sum(value.count for value in known)
        self.groups: dict[str, list[LabelValue]] = defaultdict(list)
        for value in known:
            self.groups[find_concept(value.text)].append(value)
        self._set_typos_aside()

    def refuse_one_class(self) -> None:
        """Raise where there is nothing to tell apart."""
        if not self.groups:
            raise SheetError(f"the label column {self.column.name!r} holds no label")
        if len(self.groups) == 1:
            only = next(iter(self.groups.values()))[0]
            raise CohortError(
                f"only one class: all {self.total} labelled rows of {self.column.name!r} say {only.text!r};"
                " a classifier needs frames of two classes"
            )

    def is_answer_column(self) -> bool:
        """Whether the column answers a question with yes and no (or, named for health, with healthy and sick)."""
        further = sum(_rows(group) for concept, group in self.groups.items() if not self._answer(concept))
        return further <= (MAX_UNKNOWN * self.total if self.meaning is Meaning.HEALTH else 0)

    def is_further_value(self, positive: str) -> bool:
        """Whether the value asked for stands in the column without being an answer (the 2 of 0, 1, 2)."""
        concept = find_concept(positive)
        return concept in self.groups and not self._answer(concept)

    def by_answers(self, positive: str | None) -> LabelCoding:
        """Code yes and no by what the column's name asks."""
        yes, no = self._answer_names()
        classes = Classes(yes, no) if self.meaning is Meaning.HEALTH else Classes(no, yes)
        if positive and self._chosen_answer(positive, yes=yes, no=no) == classes.negative:
            classes = Classes(classes.positive, classes.negative)
        names = {"yes": yes, "no": no}
        labels = {
            value.text: names[self._answer(concept)]
            for concept, group in self.groups.items()
            if self._answer(concept)
            for value in group
        }
        self._set_aside(labels, f"is neither {yes!r} nor {no!r}")
        return LabelCoding(classes, labels, self.unusable, self._rule(labels))

    def by_meaning(self) -> LabelCoding:
        """Code two values by what the words mean."""
        if len(self.groups) > 2:
            raise self._question(f"holds {len(self.groups)} classes; say which is positive against the rest")
        first, second = self.groups
        positive = _diseased(first, second)
        if not positive:
            raise self._question("does not say which of its two values is the positive class")
        return self._against_rest(positive)

    def by_value(self, positive: str) -> LabelCoding:
        """Code the value that the user named against the rest."""
        wanted = folded(positive)
        for concept, group in self.groups.items():
            if wanted in {folded(value.text) for value in group} | {folded(self._display(concept)), concept}:
                return self._against_rest(concept)
        if find_concept(positive) in self.groups:
            return self._against_rest(find_concept(positive))
        raise self._unknown_positive(positive, [self._display(concept) for concept in self.groups])

    def into(self, classes: Classes) -> LabelCoding:
        """Assign the values to classes that are settled already."""
        labels = {}
        for concept, group in self.groups.items():
            name = self._assigned(concept, classes)
            labels.update({value.text: name for value in group if name})
        if not labels:
            faults = [self._fault(group[0], "is none of the classes") for group in self.groups.values()]
            raise SheetError(
                f"the labels of {self.column.name!r} do not name the classes {classes.negative!r} and"
                f" {classes.positive!r}",
                faults=faults,
            )
        self._set_aside(labels, f"is neither {classes.negative!r} nor {classes.positive!r}")
        return LabelCoding(classes, labels, self.unusable, self._rule(labels))

    def _answer(self, concept: str) -> str:
        if concept in {"yes", "no"}:
            return concept
        if self.meaning is Meaning.HEALTH:
            if concept in {"healthy", "normal"}:
                return "yes"
            if find_meaning(concept) is Meaning.DISEASE and concept != "positive":
                return "no"
        return ""

    def _answer_names(self) -> tuple[str, str]:
        """Class names that yes and no stand for."""
        concept = find_concept(self.word)
        if concept in OPPOSITES:
            return OPPOSITES[concept]
        if self.word:
            opposite = self.word.removeprefix("not ") if self.word.startswith("not ") else f"not {self.word}"
            return self.word, opposite
        written = {folded(value.text) for group in self.groups.values() for value in group}
        yes, no = ("1", "0") if written <= {"0", "1"} else ("yes", "no")
        return f"{self.column.name} {yes}", f"{self.column.name} {no}"

    def _chosen_answer(self, positive: str, *, yes: str, no: str) -> str:
        for name in (yes, no):
            if folded(positive) == folded(name):
                return name
        answer = self._answer(find_concept(positive))
        if not answer:
            raise self._unknown_positive(positive, [yes, no])
        return yes if answer == "yes" else no

    def _against_rest(self, concept: str) -> LabelCoding:
        positive = self._display(concept)
        rest = [other for other in self.groups if other != concept]
        negative = self._display(rest[0]) if len(rest) == 1 else f"not {positive}"
        labels = {
            value.text: positive if other == concept else negative
            for other, group in self.groups.items()
            for value in group
        }
        return LabelCoding(Classes(negative, positive), labels, self.unusable, self._rule(labels))

    def _assigned(self, concept: str, classes: Classes) -> str:
        names = {folded(self._display(concept)), concept}
        answer = self._answer(concept)
        if answer:
            yes, no = self._answer_names()
            names |= {folded(yes if answer == "yes" else no), folded(f"{self.column.name} {answer}")}
        for name in (classes.negative, classes.positive):
            if names & {folded(name), find_concept(name)}:
                return name
        meanings = {find_meaning(find_concept(name)): name for name in (classes.negative, classes.positive)}
        if {Meaning.HEALTH, Meaning.DISEASE} <= set(meanings) and find_meaning(concept) in meanings:
            return meanings[find_meaning(concept)]
        if classes.negative == f"not {classes.positive}" and not answer:
            return classes.negative
        return ""

    def _display(self, concept: str) -> str:
        """Name of a concept's class: its most frequent spelling, with the column's name before a bare number."""
        text = " ".join(self.groups[concept][0].text.split())
        return f"{self.column.name} {folded(text)}" if _is_number(text) or concept in {"yes", "no"} else text

    def _set_typos_aside(self) -> None:
        """Set aside rare values that are a letter or two away from a frequent one."""
        rare = max(2, TYPO_SHARE * self.total)
        frequent = [value.text for group in self.groups.values() for value in group if value.count > rare]
        for concept, group in list(self.groups.items()):
            if _rows(group) > rare or find_meaning(concept) is not Meaning.NONE or concept in {"yes", "no"}:
                continue
            meant = find_misspelt(concept, frequent)
            if meant:
                self.unusable.update({value.text: f"is no label; did you mean {meant!r}?" for value in group})
                del self.groups[concept]

    def _set_aside(self, labels: Mapping[str, str], reason: str) -> None:
        for group in self.groups.values():
            for value in group:
                if value.text not in labels:
                    self.unusable[value.text] = f"{reason}{did_you_mean(value.text, labels)}"

    def _rule(self, labels: Mapping[str, str]) -> str:
        said: dict[str, list[str]] = defaultdict(list)
        for text, name in labels.items():
            said[name].append(text)
        parts = [f"{' or '.join(map(repr, texts[:8]))} is {name!r}" for name, texts in said.items()]
        return f"in {self.column.name!r}, {' and '.join(parts)}"

    def _question(self, problem: str) -> SheetError:
        faults = [
            self._fault(group[0], f"first of {_rows(group)} row(s) of {self._display(concept)!r}")
            for concept, group in self.groups.items()
        ]
        return SheetError(f"the label column {self.column.name!r} {problem} with --positive", faults=faults)

    def _unknown_positive(self, positive: str, names: Sequence[str]) -> ConfigError:
        return ConfigError(
            f"--positive {positive!r} is no value of the column {self.column.name!r}{did_you_mean(positive, names)}"
            f" (classes: {', '.join(map(repr, names))})"
        )

    def _fault(self, value: LabelValue, problem: str) -> SheetFault:
        return SheetFault(
            problem, self.column.worksheet or None, value.first_row, self.column.letters or None, value.text
        )


def _rows(group: Iterable[LabelValue]) -> int:
    return sum(value.count for value in group)


def _diseased(first: str, second: str) -> str:
    """Which of two concepts is the diseased one, "" where neither says so."""
    for one, other in ((first, second), (second, first)):
        if find_meaning(one) is Meaning.DISEASE and find_meaning(other) is not Meaning.DISEASE:
            return one
        if find_meaning(one) is Meaning.NONE and (find_meaning(other) is Meaning.HEALTH or other == f"not {one}"):
            return one
    return ""


def _is_number(text: str) -> bool:
    return folded(text).lstrip("-").replace(".", "", 1).isdigit()
