"""An answer to an item, with the files that it stands in."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Answer"]


@dataclass(frozen=True)
class Answer:
    """What the run says to an item.

    Attributes:
        text: The answer.
        sources: Files of the run that say it, relative to it; a section of the report as ``report.html#section``.
    """

    text: str
    sources: tuple[str, ...]
