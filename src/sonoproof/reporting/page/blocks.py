"""What a section of the report consists of. Sections are built from these; the template only lays them out.

All text is plain: the template escapes it. The only markup is the drawing or the ``data:`` address of a `Picture`, both
written by us.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup


class Block:
    """What a section consists of."""

    @property
    def kind(self) -> str:
        """Name of the template's macro that lays it out."""
        return type(self).__name__


@dataclass(frozen=True)
class Prose(Block):
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Notice(Block):
    """A highlighted line: something is missing, or a warning."""

    text: str
    level: Literal["missing", "warning"] = "missing"


@dataclass(frozen=True)
class Points(Block):
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table(Block):
    """A table; the first cell of each row is its heading.

    Attributes:
        caption: What it shows.
        header: Column headings.
        rows: Cells as text.
        sources: Files of the run that the numbers come from, relative to it.
        numeric: Whether the cells after the first are numbers, aligned to the right.
        note: A line under the table.
        code: Whether the cells after the first are names, paths or hashes, in a fixed-width font.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sources: tuple[str, ...] = ()
    numeric: bool = False
    note: str = ""
    code: bool = False


@dataclass(frozen=True)
class Picture(Block):
    """A figure with its caption.

    Attributes:
        caption: What it shows.
        alt: The same for a reader who does not see it, with the numbers that matter.
        svg: The picture as inline markup, or None.
        data_uri: The picture as a ``data:`` address, or None; one of the two, or neither where it is only linked.
        sources: Files of the run that the numbers come from.
        links: Name and run-relative path of files to open, such as the full resolution.
        facts: Names and values, shown under the caption.
    """

    caption: str
    alt: str
    svg: Markup | None = None
    data_uri: Markup | None = None
    sources: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Gallery(Block):
    """Pictures beside each other, under a heading if there is one; ``wide`` gives each the full width."""

    pictures: tuple[Picture, ...]
    wide: bool = False
    title: str = ""


@dataclass(frozen=True)
class Headline:
    """One headline number."""

    label: str
    value: str
    interval: str = ""


@dataclass(frozen=True)
class KeyFigures(Block):
    """Headline numbers of one part."""

    title: str
    headlines: tuple[Headline, ...]
    sources: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class FlowBox:
    """One box of the flow diagram."""

    title: str
    count: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class FlowStep:
    """One level of the flow diagram: boxes side by side, and the rows that leave the flow here."""

    boxes: tuple[FlowBox, ...]
    aside: FlowBox | None = None


@dataclass(frozen=True)
class Flow(Block):
    """Where the rows went, from the sheet to the parts; ``links`` lead to the same as a figure."""

    caption: str
    steps: tuple[FlowStep, ...]
    sources: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class AuditFinding(Block):
    """One finding of the audit."""

    identifier: str
    level: str
    title: str
    detail: str
    facts: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Listing(Block):
    """Lines of a file, unchanged."""

    caption: str
    lines: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A section with its heading; ``identifier`` is the target of links to it."""

    identifier: str
    title: str
    blocks: tuple[Block, ...]
