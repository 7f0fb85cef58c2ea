"""What an audit says: a finding, its level, and the words for its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

__all__ = ["LEVELS", "Finding", "Level", "counted", "gravest_first", "of_rows", "tells_apart"]

Level = Literal["info", "warning", "serious", "blocking"]

LEVELS: Final[tuple[Level, ...]] = ("info", "warning", "serious", "blocking")
"""From what is merely good to know to what must not be trained on."""


@dataclass(frozen=True)
class Finding:
    """One thing that the audit found.

    Attributes:
        id: Short name that stays the same from version to version.
        level: ``info`` is good to know, ``warning`` may spoil a result, ``serious`` spoils it unless something is
            done, ``blocking`` stops the run because the settings ask for that.
        title: What it is, a line.
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

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"a finding's level is one of {', '.join(LEVELS)}, not {self.level!r}")

    def with_files(self, files: Iterable[str]) -> Finding:
        """The same finding with further files."""
        return replace(self, files=(*self.files, *files))

    def as_json(self) -> dict[str, Any]:
        """The finding as it stands in ``audit.json``."""
        return {
            "id": self.id,
            "level": self.level,
            "title": self.title,
            "detail": self.detail,
            "numbers": dict(self.numbers),
            "files": list(self.files),
        }


def gravest_first(findings: Iterable[Finding]) -> list[Finding]:
    """The findings by falling level; those of one level in the order they came."""
    return sorted(findings, key=lambda finding: -LEVELS.index(finding.level))


def of_rows(part: int, whole: int, *, things: str = "rows") -> str:
    """A count with its share: ``"74 of 3,200 rows (2.3 %)"``."""
    share = f" ({100 * part / whole:.1f} %)" if whole else ""
    return f"{part:,} of {whole:,} {things}{share}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """A count with its noun: ``"1 pair"``, ``"99 pairs"``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def tells_apart(by_class: Mapping[str, Any], *, classes: Sequence[str]) -> str:
    """``"12.0 % of healthy, 80.0 % of unhealthy"`` for shares by class."""
    return ", ".join(f"{100 * by_class[name]:.1f} % of {name}" for name in classes if name in by_class)
