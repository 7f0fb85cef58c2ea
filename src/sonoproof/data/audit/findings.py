"""What an audit says: a finding, its level, and the words for its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How much a finding matters, from what is good to know to what must not be trained on."""

    INFO = "info"
    WARNING = "warning"
    SERIOUS = "serious"
    BLOCKING = "blocking"


def severity(level: str | None) -> int:
    """Rank of a level, 0 for `Level.INFO`; -1 for a word that is none."""
    ranks: dict[str | None, int] = {known: rank for rank, known in enumerate(Level)}
    return ranks.get(level, -1)


@dataclass(frozen=True)
class Finding:
    """One thing that the audit found.

    Attributes:
        id: Short name that stays the same from version to version.
        level: ``info`` is good to know, ``warning`` may spoil a result, ``serious`` spoils it unless something is
            done, ``blocking`` stops the run because the settings ask for that.
        title: What it is, in one line.
        detail: What was counted, what was done about it and what to do next, in plain sentences.
        numbers: The numbers behind the sentences.
        files: Pictures and tables, relative to the run folder.
    """

    id: str
    level: Level
    title: str
    detail: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    def with_files(self, files: Iterable[str]) -> Finding:
        """The same finding with further files."""
        return replace(self, files=(*self.files, *files))

    def as_json(self) -> dict[str, Any]:
        """The finding as ``audit.json`` holds it."""
        return asdict(self)


def shares_by_class(by_class: Mapping[str, Any], *, classes: Sequence[str]) -> str:
    """``"12.0 % of healthy, 80.0 % of unhealthy"``."""
    return ", ".join(f"{100 * by_class[name]:.1f} % of {name}" for name in classes if name in by_class)
