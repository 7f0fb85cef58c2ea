"""The values of a label column, grouped by what they say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sonoproof.data.labels.choice import Choice
from sonoproof.data.labels.columnnames import column_meaning
from sonoproof.data.labels.notknown import SIGNS, are_signed
from sonoproof.data.labels.valuerules import VALUE_RULES
from sonoproof.data.labels.vocabulary import Meaning, find_concept, find_meaning, folded
from sonoproof.data.spreadsheets.visible import visible
from sonoproof.errors import SheetFault

# Further values beside yes and no are set aside up to this share of the rows; beyond it they look like a class.
MAX_UNKNOWN = 0.1

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
        count: How many rows have it.
        first_row: The first of these, 1-based.
    """

    text: str
    count: int = 1
    first_row: int = 1


class ColumnValues:
    """The values of one label column, grouped by concept.

    Attributes:
        column: The column.
        choice: What the user named.
        meaning: Whether it is named for health or for a disease.
        groups: Concept -> the values that say it, the most frequent first.
        unusable: Values that are not labels -> why.
    """

    def __init__(self, values: Sequence[LabelValue], column: LabelColumn, choice: Choice) -> None:
        self.column = column
        self.choice = choice
        self.meaning, self._word = column_meaning(column.name)
        self.unusable = choice.find_excluded([value.text for value in values])
        self.unusable |= _find_no_labels(values, choice, excluded=self.unusable)
        self.groups: dict[str, list[LabelValue]] = defaultdict(list)
        signed = are_signed(value.text for value in values)
        for value in values:
            if value.text not in self.unusable:
                concept = SIGNS.get(value.text) if signed else None
                self.groups[concept or find_concept(value.text)].append(value)

    @property
    def rows(self) -> int:
        """How many rows have a label."""
        return sum(map(self.rows_of, self.groups))

    def rows_of(self, concept: str) -> int:
        """How many rows have a concept."""
        return sum(value.count for value in self.groups[concept])

    def says_yes(self, concept: str) -> bool | None:
        """Whether a concept says yes or no to the column's name; None if it says neither.

        Under a name for health, healthy says yes and a disease says no.
        """
        if concept in {"yes", "no"}:
            return concept == "yes"
        if self.meaning is Meaning.HEALTH:
            if concept in {"healthy", "normal"}:
                return True
            if find_meaning(concept) is Meaning.DISEASE and concept != "positive":
                return False
        return None

    def are_yes_no(self) -> bool:
        """Whether the column says yes or no; not if the user chose a value that says neither (2 among 0, 1, 2).

        Rare further values are no classes if the column is named for health, or if the user named yes or no.
        """
        choice = self.choice
        if (
            choice.negative
            or len(choice.positive) > 1
            or not set(map(find_concept, choice.positive)).isdisjoint(self.further)
        ):
            return False
        chosen = any(self.says_yes(find_concept(name)) is not None for name in choice.positive)
        few = self.meaning is Meaning.HEALTH or (chosen and {"yes", "no"} <= self.groups.keys())
        return sum(map(self.rows_of, self.further)) <= (MAX_UNKNOWN * self.rows if few else 0)

    @property
    def further(self) -> list[str]:
        """The concepts that say neither yes nor no."""
        return [concept for concept in self.groups if self.says_yes(concept) is None]

    def yes_no_names(self) -> tuple[str, str]:
        """The class names that yes and no stand for."""
        concept = find_concept(self._word)
        if concept in OPPOSITES:
            return OPPOSITES[concept]
        if self._word:
            opposite = self._word.removeprefix("not ") if self._word.startswith("not ") else f"not {self._word}"
            return self._word, opposite
        written = {folded(value.text) for group in self.groups.values() for value in group}
        yes, no = ("1", "0") if written <= {"0", "1"} else ("yes", "no")
        return f"{self.column.name} {yes}", f"{self.column.name} {no}"

    def class_name(self, concept: str) -> str:
        """Name of a concept's class: its most frequent spelling, with the column's name before a bare number."""
        text = " ".join(visible(self.groups[concept][0].text).split())
        number = folded(text).lstrip("-").replace(".", "", 1).isdigit()
        return f"{self.column.name} {folded(text)}" if number or concept in {"yes", "no"} else text

    def joined_name(self, concepts: Sequence[str]) -> str:
        """Name of a class of one or more concepts: ``4a, 4b or 5``."""
        names = [self.class_name(concept) for concept in concepts]
        if len(names) < 2:
            return "".join(names)
        short = [name.removeprefix(f"{self.column.name} ") for name in names]
        prefix = f"{self.column.name} " if short != names else ""
        return f"{prefix}{', '.join(short[:-1])} or {short[-1]}"

    def fault(self, value: LabelValue, problem: str) -> SheetFault:
        """A fault at the first cell with a value."""
        column = self.column
        return SheetFault(problem, column.worksheet or None, value.first_row, column.letters or None, value.text)


def _find_no_labels(values: Sequence[LabelValue], choice: Choice, *, excluded: Mapping[str, str]) -> dict[str, str]:
    """The values that are no labels -> why, by `VALUE_RULES`; a value that the user named is one."""
    counts = {value.text: value.count for value in values if value.text not in excluded}
    named = {text for text in counts if choice.names(text)}
    reasons: dict[str, str] = {}
    for rule in VALUE_RULES:
        found = rule.find({text: count for text, count in counts.items() if text not in reasons})
        reasons |= {text: why for text, why in found.items() if text not in named}
    return reasons
