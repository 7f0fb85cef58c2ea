"""What the user says of the values of the label column: which are positive, which negative, which are left out."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sonoproof.data.labels.spelling import did_you_mean
from sonoproof.data.labels.vocabulary import find_concept, folded
from sonoproof.errors import ConfigError

LEFT_OUT = "is left out with --exclude-label"


@dataclass(frozen=True)
class Choice:
    """Values (or class names) that the user named, each as it was typed.

    Attributes:
        positive: Joined into the positive class.
        negative: Joined into the negative class; empty for all that are not positive.
        excluded: Left out.
    """

    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    @classmethod
    def from_settings(
        cls, values: Sequence[str], *, positive: str | None, negative: str | None, excluded: Sequence[str]
    ) -> Choice:
        """Divide what was typed at its commas, except where a value of the column holds a comma.

        Args:
            values: The values of the column.
            positive: What was given to ``--positive``.
            negative: What was given to ``--negative``.
            excluded: What was given to ``--exclude-label``.

        Raises:
            ConfigError: Only the negative class is named, or a value is both.
        """
        if negative and not positive:
            raise ConfigError("--negative needs --positive: name the values of the positive class too")
        known = {_close_commas(value) for value in values}
        choice = cls(_divide(positive or "", known), _divide(negative or "", known), tuple(excluded))
        choice._refuse_double()
        return choice

    def names(self, text: str) -> bool:
        """Whether the user named a value as one of a class."""
        return not forms_of((text,)).isdisjoint(forms_of((*self.positive, *self.negative)))

    def find_excluded(self, texts: Sequence[str]) -> dict[str, str]:
        """The values that the user left out -> why."""
        excluded = forms_of(self.excluded)
        return {text: LEFT_OUT for text in texts if not forms_of((text,)).isdisjoint(excluded)}

    def require_excluded(self, texts: Sequence[str]) -> None:
        """Check that every value to be left out is in the column.

        Raises:
            ConfigError: One is not.
        """
        there = forms_of(texts)
        for name in self.excluded:
            if there.isdisjoint(forms_of((name,))):
                raise ConfigError(
                    f"--exclude-label {name!r} is not a value of the label column{did_you_mean(name, texts)}"
                )

    def _refuse_double(self) -> None:
        named = [folded(name) for name in dict.fromkeys((*self.positive, *self.negative, *self.excluded))]
        sides = (self.positive, self.negative, self.excluded)
        if len(set(named)) < sum(len({folded(name) for name in side}) for side in sides):
            raise ConfigError("--positive, --negative and --exclude-label name the same value; name each value once")


def forms_of(names: Iterable[str]) -> set[str]:
    """What spellings of one value have in common: two values are one if any of their forms is."""
    return {form for name in names for form in (_close_commas(name), find_concept(name))}


def _divide(text: str, known: set[str]) -> tuple[str, ...]:
    """The parts between commas; what is in quotation marks, and a known value with commas, stays together."""
    parts = [part.strip() for part in next(csv.reader([text], skipinitialspace=True), []) if part.strip()]
    found: list[str] = []
    while parts:
        size = next((n for n in range(len(parts), 1, -1) if _close_commas(",".join(parts[:n])) in known), 1)
        if size > 1 and all(_close_commas(part) in known for part in parts[:size]):
            whole = ",".join(parts[:size])
            raise ConfigError(
                f"{text!r} names one value or several: the column holds {whole!r} and each of its parts; put a value"
                " that holds a comma in quotation marks, and every other on its own"
            )
        found.append(",".join(parts[:size]))
        parts = parts[size:]
    return tuple(dict.fromkeys(found))


def _close_commas(text: str) -> str:
    """Folded text in which blanks beside commas make no difference."""
    return ",".join(map(folded, text.split(",")))
