"""The columns of a worksheet below its header row: their names, their cells, and what speaks for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from openpyxl.utils import get_column_letter

from sonoproof.data.labels.columnrules import ColumnRule, Fact, find_rule
from sonoproof.data.labels.vocabulary import as_concepts
from sonoproof.data.spreadsheets.grid import Grid
from sonoproof.data.spreadsheets.visible import visible
from sonoproof.errors import SheetError, SheetFault


class NoSuchColumns(SheetError):
    """The worksheet has no column that could be the one looked for."""


@dataclass(frozen=True)
class Candidate:
    """A column that may be the one looked for; the strongest evidence wins, and two equally strong are ambiguous."""

    column: int
    evidence: int
    reason: str


@dataclass(frozen=True)
class SheetColumns:
    """The columns of a worksheet (rows and columns 0-based).

    Attributes:
        grid: The worksheet.
        header_row: Row of the column names, or None if there are none.
    """

    grid: Grid
    header_row: int | None
    _cells: dict[int, pd.Series[str]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def first_row(self) -> int:
        """First row of data."""
        return 0 if self.header_row is None else self.header_row + 1

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of every column ("column B" if it has none)."""
        written = [""] * len(self.grid.columns) if self.header_row is None else self.grid.row(self.header_row)
        return tuple(
            " ".join(visible(name).split()) or f"column {get_column_letter(column + 1)}"
            for column, name in enumerate(written)
        )

    def free(self, taken: Sequence[int]) -> list[int]:
        """The columns with values that are not taken."""
        return [index for index in self._filled if index not in taken]

    def cells(self, column: int) -> pd.Series[str]:
        """A column's cells on the rows that have a value anywhere, as text; "" where empty."""
        if column not in self._cells:
            self._cells[column] = self.grid.cleaned(column).iloc[self._rows]
        return self._cells[column]

    def values(self, column: int) -> pd.Series[str]:
        """A column's cells that are not empty, as text."""
        cells = self.cells(column)
        return cells[cells != ""]

    def concepts(self, column: int) -> pd.Series[str]:
        """What a column's cells say, whatever their spelling."""
        return as_concepts(self.cells(column))

    def weigh(
        self, rules: Sequence[ColumnRule], see: Callable[[str, pd.Series[str]], Fact], *, taken: Sequence[int]
    ) -> list[Candidate]:
        """The free columns for which a rule speaks, each with the strongest.

        Args:
            rules: The rules, the strongest first.
            see: Gives the facts of a column from its name and its values.
            taken: Columns that are something else.
        """
        found = ((index, find_rule(rules, see(self.names[index], self.values(index)))) for index in self.free(taken))
        return [Candidate(index, rule.evidence, rule.reason) for index, rule in found if rule]

    def fault(self, column: int, problem: str) -> SheetFault:
        """A fault at the name of a column."""
        row = None if self.header_row is None else self.header_row + 1
        return SheetFault(problem, self.grid.name, row, get_column_letter(column + 1), self.names[column])

    def list_names(self) -> str:
        """The names for a message."""
        return ", ".join(repr(name) for name in self.names[:30]) or "none"

    @cached_property
    def _rows(self) -> npt.NDArray[np.intp]:
        rows = np.flatnonzero(self.grid.kinds.any(axis=1))
        return rows[rows >= self.first_row]

    @cached_property
    def _filled(self) -> list[int]:
        return [int(index) for index in np.flatnonzero(self.grid.kinds[self.first_row :].any(axis=0))]
