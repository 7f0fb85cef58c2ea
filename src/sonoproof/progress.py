"""Reporting of messages and progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do."""

Say = Callable[[str], None]
"""Takes a line for the reader of the terminal."""


class Reporter(Protocol):
    """Receives messages and progress of a run."""

    def stage(self, name: str) -> None:
        """A stage begins."""

    def say(self, line: str) -> None:
        """Something worth reading."""

    def progress(self, done: int, total: int) -> None:
        """How far the stage is."""


class _Silent:
    """A reporter that keeps everything to itself."""

    def stage(self, name: str) -> None: ...

    def say(self, line: str) -> None: ...

    def progress(self, done: int, total: int) -> None: ...


SILENT: Reporter = _Silent()
"""The reporter of whoever wants to hear nothing; ``SILENT.progress`` and ``SILENT.say`` are its parts."""
