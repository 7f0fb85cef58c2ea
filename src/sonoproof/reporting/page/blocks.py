"""What a section of the report is made of. Sections are built as these; the template only lays them out.

All text is plain: the template escapes it. The only markup are the drawings and the
``data:`` addresses of a `Picture`, both written by us.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from markupsafe import Markup

__all__ = [
    "Block",
    "Finding",
    "Flow",
    "FlowBox",
    "FlowStep",
    "Gallery",
    "KeyFigures",
    "Listing",
    "Notice",
    "Picture",
    "Points",
    "Prose",
    "Section",
    "Table",
    "Tile",
]


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    kind: ClassVar[str] = "prose"
    text: str


@dataclass(frozen=True)
class Notice:
    """A line that stands out: something missing, or to beware of."""

    kind: ClassVar[str] = "notice"
    text: str
    level: Literal["missing", "warning"] = "missing"


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    kind: ClassVar[str] = "points"
    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table; the first cell of each row is its heading.

    Attributes:
        caption: What it shows.
        header: Column headings.
        rows: Cells as text.
        sources: Files of the run that the numbers come from, relative to it.
        numeric: Whether the cells after the first are numbers (set to the right, in figures of equal width).
        note: A line under the table.
        code: Whether the cells after the first are names, paths or hashes (set in a fixed-width face).
    """

    kind: ClassVar[str] = "table"
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sources: tuple[str, ...] = ()
    numeric: bool = False
    note: str = ""
    code: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure with its caption.

    Attributes:
        caption: What it shows.
        alt: The same for a reader who does not see it, with the numbers that matter.
        svg: The picture as inline markup, or None.
        data_uri: The picture as a ``data:`` address, or None; one of the two, or neither where it is only linked.
        sources: Files of the run that the numbers come from.
        links: Name and run-relative path of files to open (the full resolution).
        facts: Name and value, shown under the caption.
    """

    kind: ClassVar[str] = "picture"
    caption: str
    alt: str
    svg: Markup | None = None
    data_uri: Markup | None = None
    sources: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Gallery:
    """Pictures beside each other, under a heading if there is one; ``wide`` gives each the full width."""

    kind: ClassVar[str] = "gallery"
    pictures: tuple[Picture, ...]
    wide: bool = False
    title: str = ""


@dataclass(frozen=True)
class Tile:
    """One headline number."""

    label: str
    value: str
    interval: str = ""


@dataclass(frozen=True)
class KeyFigures:
    """Headline numbers of one part."""

    kind: ClassVar[str] = "key_figures"
    title: str
    tiles: tuple[Tile, ...]
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
    """One level of the flow diagram: boxes side by side, and what leaves the flow here."""

    boxes: tuple[FlowBox, ...]
    aside: FlowBox | None = None


@dataclass(frozen=True)
class Flow:
    """Where the rows went, from the sheet to the parts; ``links`` lead to the same as a figure."""

    kind: ClassVar[str] = "flow"
    caption: str
    steps: tuple[FlowStep, ...]
    sources: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Finding:
    """One finding of the audit."""

    kind: ClassVar[str] = "finding"
    identifier: str
    level: str
    title: str
    detail: str
    facts: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Listing:
    """Lines of a file as they are."""

    kind: ClassVar[str] = "listing"
    caption: str
    lines: tuple[str, ...]
    sources: tuple[str, ...]


Block: TypeAlias = Prose | Notice | Points | Table | Gallery | KeyFigures | Flow | Finding | Listing


@dataclass(frozen=True)
class Section:
    """A section with its heading; ``identifier`` is the target of links to it."""

    identifier: str
    title: str
    blocks: tuple[Block, ...]
