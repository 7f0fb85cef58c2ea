"""The values of a label column, grouped by what they say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sonoproof.data.labels.columnnames import column_meaning
from sonoproof.data.labels.spelling import find_misspelt
from sonoproof.data.labels.vocabulary import NOT_KNOWN, Meaning, find_concept, find_meaning, folded
from sonoproof.errors import SheetFault

# Values that are not labels are set aside up to this share of the rows; beyond it they look like a class of their own.
MAX_UNKNOWN = 0.1
TYPO_SHARE = 0.01
LABEL_NOT_KNOWN = "is marked as unknown"

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
        meaning: Whether it is named for health or for a disease.
        groups: Concept -> the values that say it, the most frequent first.
        unusable: Values that are not labels -> why.
        total: How many rows have a label.
    """

    def __init__(self, values: Sequence[LabelValue], column: LabelColumn) -> None:
        self.column = column
        self.meaning, self._word = column_meaning(column.name)
        self.unusable = {value.text: LABEL_NOT_KNOWN for value in values if folded(value.text) in NOT_KNOWN}
        known = [value for value in values if value.text not in self.unusable]
        self.total = sum(value.count for value in known)
        self.groups: dict[str, list[LabelValue]] = defaultdict(list)
        for value in known:
            self.groups[find_concept(value.text)].append(value)
        self._set_typos_aside()

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

    def are_yes_no(self, *, unless: str | None) -> bool:
        """Whether the column says yes or no; not if the value `unless` is in it without saying so (2 among 0, 1, 2)."""
        further = {concept: group for concept, group in self.groups.items() if self.says_yes(concept) is None}
        rows = sum(value.count for group in further.values() for value in group)
        return find_concept(unless or "") not in further and rows <= (
            MAX_UNKNOWN * self.total if self.meaning is Meaning.HEALTH else 0
        )

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
        text = " ".join(self.groups[concept][0].text.split())
        number = folded(text).lstrip("-").replace(".", "", 1).isdigit()
        return f"{self.column.name} {folded(text)}" if number or concept in {"yes", "no"} else text

    def fault(self, value: LabelValue, problem: str) -> SheetFault:
        """A fault at the first cell with a value."""
        column = self.column
        return SheetFault(problem, column.worksheet or None, value.first_row, column.letters or None, value.text)

    def _set_typos_aside(self) -> None:
        """Set aside rare values that are a letter or two away from a frequent one."""
        rare = max(2, TYPO_SHARE * self.total)
        frequent = [value.text for group in self.groups.values() for value in group if value.count > rare]
        for concept, group in list(self.groups.items()):
            is_rare = sum(value.count for value in group) <= rare
            if not is_rare or find_meaning(concept) is not Meaning.NONE or concept in {"yes", "no"}:
                continue
            meant = find_misspelt(concept, frequent)
            if meant:
                self.unusable.update({value.text: f"is not a known value; did you mean {meant!r}?" for value in group})
                del self.groups[concept]
