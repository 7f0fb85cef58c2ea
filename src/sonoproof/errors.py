"""What can go wrong, and what it is called.

::

    SonoproofError
    ├── ConfigError         a setting that is unknown, of the wrong type or out of range
    ├── SheetError          the label sheet: where (sheet, row, column), the value, how to fix it
    ├── FrameError          one image: which file, why it cannot be used
    ├── CohortError         the sheet and the folder do not make a data set (no image found, one class only)
    ├── RunFolderError      the run folder: exists already, is incomplete, was written by another version
    ├── AuditBlocked        the audit found what must not be trained on (exit code 3)
    ├── LeakageError        one source on two sides of a split
    ├── ScoreError          labels, scores or groups that cannot be measured; also a ValueError
    ├── BundleError         a saved model that is missing, damaged or not what it says
    └── MissingExtra        an optional dependency is needed; says which extra installs it

Every message says what is wrong, where, and how to fix it. The command line prints it without a traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class SonoproofError(Exception):
    """Base of everything that Sonoproof raises on purpose."""

    exit_code = 1


class ConfigError(SonoproofError):
    """A setting is unknown, of the wrong type or out of range."""


@dataclass(frozen=True)
class SheetFault:
    """One fault of a label sheet, with the place a person can go to.

    Attributes:
        problem: What is wrong and how to fix it, in one sentence.
        sheet: Name of the worksheet (for a csv file its file name).
        row: 1-based row as the spreadsheet program shows it, or None for a fault of the whole sheet.
        column: Column letter(s) as the spreadsheet program shows them, or None.
        value: The offending cell value as text, or None.
    """

    problem: str
    sheet: str | None = None
    row: int | None = None
    column: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        cell = f"{self.column or ''}{self.row or ''}"
        where = ", ".join(part for part in (f"sheet {self.sheet!r}" if self.sheet else "", cell) if part)
        value = f" (value {self.value!r})" if self.value is not None else ""
        return f"{where + ': ' if where else ''}{self.problem}{value}"


class SheetError(SonoproofError):
    """The label sheet cannot be used as it is.

    Args:
        message: The summary, one sentence.
        faults: Every fault found; the first 20 are shown in the message.
    """

    shown = 20

    def __init__(self, message: str, *, faults: Sequence[SheetFault] = ()) -> None:
        self.faults = tuple(faults)
        lines = [message, *(f"  - {fault}" for fault in self.faults[: self.shown])]
        if len(self.faults) > self.shown:
            lines.append(f"  … and {len(self.faults) - self.shown} more")
        super().__init__("\n".join(lines))


class FrameError(SonoproofError):
    """One image cannot be used.

    Args:
        reason: Why, in a few words fit for ``quarantine.csv``.
        path: The file.
    """

    def __init__(self, reason: str, *, path: Path | str | None = None) -> None:
        self.reason = reason
        self.path = path
        super().__init__(f"{path}: {reason}" if path is not None else reason)


class CohortError(SonoproofError):
    """The sheet and the folder together do not make a data set."""


class RunFolderError(SonoproofError):
    """The run folder exists already, is incomplete or was written by another version."""


class AuditBlocked(SonoproofError):
    """The audit found what must not be trained on; the message says what to do next."""

    exit_code = 3


class LeakageError(SonoproofError):
    """One source, patient or identical frame is on two sides of a split."""


class ScoreError(SonoproofError, ValueError):
    """Labels, scores or groups cannot be measured as they are given."""


class BundleError(SonoproofError):
    """A saved model is missing, damaged or not what it says."""


class MissingExtra(SonoproofError):
    """An optional dependency is needed.

    Args:
        feature: What needs it.
        extra: The extra of ``pip install "sonoproof[EXTRA]"`` that brings it.
    """

    def __init__(self, feature: str, *, extra: str) -> None:
        super().__init__(f'{feature} needs an optional dependency: pip install "sonoproof[{extra}]"')
