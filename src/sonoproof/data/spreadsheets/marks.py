"""What a spreadsheet says of its cells beside their values: number formats, formulas, links."""

from __future__ import annotations

import bisect
from collections import defaultdict
from dataclasses import dataclass, field

from sonoproof.data.spreadsheets.numberformats import GENERAL


@dataclass
class CellMarks:
    """What was seen of the cells of one worksheet (rows and columns 0-based).

    Attributes:
        formats: Column -> the number formats of its cells from the top, each as (first row, format).
        shown: Cells whose shown text is known and is not the number: (row, column) -> text.
        formulas: Column -> the rows that hold formulas.
        links: Cells that are links: (row, column) -> target.
        recalculates: Whether the file says that its formulas must be calculated when it is opened, so that the results
            in it are not those of a spreadsheet program.
    """

    formats: dict[int, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    shown: dict[tuple[int, int], str] = field(default_factory=dict)
    formulas: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    links: dict[tuple[int, int], str] = field(default_factory=dict)
    recalculates: bool = False

    def note_format(self, row: int, column: int, code: str) -> None:
        """Note the number format of a cell below those seen so far."""
        seen = self.formats[column]
        if not seen or seen[-1][1] != code:
            seen.append((row, code))

    def find_format(self, row: int, column: int) -> str:
        """The number format of a cell."""
        seen = self.formats.get(column, [])
        place = bisect.bisect_right(seen, row, key=lambda item: item[0])
        return seen[place - 1][1] if place else GENERAL
