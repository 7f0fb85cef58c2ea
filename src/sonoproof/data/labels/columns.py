"""Finding the header row and the columns of a label sheet, by name and by content.

What a name says is weighed with what the cells hold. Two candidates of equal weight are an error that lists both:
the wrong label column is worse than a question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from openpyxl.utils import get_column_letter

from sonoproof.config import SheetConfig
from sonoproof.data.folder.imagefolder import has_image_suffix
from sonoproof.data.labels.columnnames import (
    IMAGE_NAMES,
    NAMED_FOR_DISEASE,
    group_level,
    group_like,
    image_name_weight,
    is_known_name,
    label_name_rank,
)
from sonoproof.data.labels.groupcolumns import FoundGroups, find_groups
from sonoproof.data.labels.spelling import did_you_mean
from sonoproof.data.labels.vocabulary import Meaning, find_concept, find_meaning, folded, squeezed
from sonoproof.data.spreadsheets.grid import EMPTY, TEXT, Grid, clean_text
from sonoproof.errors import SheetError, SheetFault

__all__ = ["Layout", "NoSuchColumns", "find_header", "find_layout"]

HEADER_SEARCH_ROWS = 50
CONTENT_SAMPLE = 2000
MAX_LABELS = 20


class NoSuchColumns(SheetError):
    """The worksheet holds nothing that looks like what is looked for."""


@dataclass(frozen=True)
class Layout:
    """Where things are on a worksheet (rows and columns 0-based).

    Attributes:
        header_row: Row of the column names, or None where there are none.
        names: Name of every column ("column B" where it has none).
        image: The column with the image references.
        label: The column with the labels.
        groups: The columns that hold what must not be split.
        groups_named: Whether the user named them; else they were found.
        groups_left: Columns that may name patients or clips and were not taken -> why.
        missing_groups: Group columns that were asked for and are not there.
        other_labels: Columns that could have held the labels, had the chosen one not been more likely.
        reasons: Why the columns were chosen: "image_column", "label_column" -> reason.
    """

    header_row: int | None
    names: tuple[str, ...]
    image: int
    label: int
    groups: tuple[int, ...] = ()
    groups_named: bool = False
    groups_left: dict[int, str] = field(default_factory=dict)
    missing_groups: tuple[str, ...] = ()
    other_labels: tuple[int, ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def first_row(self) -> int:
        """First row of data."""
        return 0 if self.header_row is None else self.header_row + 1


@dataclass(frozen=True)
class Candidate:
    """A column that may be the one looked for; the heaviest wins, two of equal weight are a question."""

    column: int
    weight: tuple[int, int]
    reason: str


def find_layout(
    grid: Grid, *, config: SheetConfig, in_folder: Callable[[str], bool], groups_required: bool = True
) -> Layout:
    """Find the header row, the image column, the label column and the group columns of a worksheet.

    Args:
        grid: The worksheet.
        config: Columns that the user named; what is named is not searched for.
        in_folder: Whether a reference names a file of the image folder (always false where there is none).
        groups_required: Whether a group column that is not there is an error.

    Raises:
        NoSuchColumns: The worksheet has no such columns.
        SheetError: Several columns are equally likely.
    """
    header_row = find_header(grid, config=config, in_folder=in_folder)
    if header_row is not None and not grid.kinds[header_row + 1 :].any():
        raise NoSuchColumns(
            f"worksheet {grid.name!r}: there are no rows under the column names of row {header_row + 1}"
        )
    names = _column_names(grid, header_row)
    finder = _Finder(grid, header_row, names)
    named, missing = finder.groups(config.group_columns, required=groups_required)
    image = finder.named(config.image_column, "image") or finder.image(in_folder, taken=named)
    labels = finder.label_candidates(taken=(image.column, *named))
    label = finder.named(config.label_column, "label") or finder.heaviest(labels, role="label", flag="--label-column")
    others = tuple(other.column for other in labels if other.column != label.column and other.weight > (1, 1))
    found = finder.found_groups(taken=(image.column, label.column, *named))
    take = config.find_groups and not config.group_columns
    return Layout(
        header_row,
        names,
        image.column,
        label.column,
        groups=found.taken if take else named,
        groups_named=not take,
        groups_left=found.left if take else {**dict.fromkeys(found.taken, "was not named"), **found.left},
        missing_groups=missing,
        other_labels=others,
        reasons={"image_column": image.reason, "label_column": label.reason},
    )


def find_header(grid: Grid, *, config: SheetConfig, in_folder: Callable[[str], bool]) -> int | None:
    """Find the row of the column names, 0-based; None where the first row with a value holds data already.

    The row is the one with the most names that are known (or were given by the user), above any image reference.
    Where no name is known it is the row above the first image reference.
    """
    wanted = {squeezed(name) for name in (config.image_column, config.label_column, *config.group_columns) if name}
    best, best_score = None, (0, 0, 0)
    above: int | None = None
    for index in _rows_with_values(grid):
        cells = [cell for cell in grid.row(index) if cell]
        if any(_is_reference(cell, in_folder) for cell in cells):
            return best if best is not None else above
        above = index if len(cells) > 1 and _all_text(grid, index) else None
        score = (sum(squeezed(cell) in wanted for cell in cells), sum(map(is_known_name, cells)), len(cells))
        if any(score[:2]) and score > best_score:
            best, best_score = index, score
    return best


class _Finder:
    """Weighs the columns of one worksheet."""

    def __init__(self, grid: Grid, header_row: int | None, names: tuple[str, ...]) -> None:
        self.grid = grid
        self.header_row = header_row
        self.names = names
        self.first_row = 0 if header_row is None else header_row + 1

    def named(self, wanted: str | None, role: str) -> Candidate | None:
        """The column that the user named, or None where none was."""
        if not wanted:
            return None
        found = [index for index, name in enumerate(self.names) if name == clean_text(wanted)]
        found = found or [index for index, name in enumerate(self.names) if squeezed(name) == squeezed(wanted)]
        if not found and self.header_row is None:
            found = [index for index in range(len(self.names)) if get_column_letter(index + 1) == wanted.upper()]
        if not found:
            raise NoSuchColumns(
                f"worksheet {self.grid.name!r}: there is no {role} column {wanted!r}{self._suggestion(wanted)}"
            )
        if len(found) > 1:
            faults = [self._fault(column, "has the name that was asked for") for column in found]
            raise SheetError(f"several columns are named {wanted!r}; rename one", faults=faults)
        return Candidate(found[0], (9, 9), "named by the user")

    def groups(self, wanted: Sequence[str], *, required: bool) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """The group columns that the user named, and those that are not there."""
        found: list[int] = []
        missing: list[str] = []
        for name in wanted:
            try:
                candidate = self.named(name, "group")
            except NoSuchColumns:
                if required:
                    raise
                missing.append(name)
            else:
                found += [candidate.column] if candidate and candidate.column not in found else []
        return tuple(found), tuple(missing)

    def found_groups(self, *, taken: Sequence[int]) -> FoundGroups:
        """The group columns by name and content, of the columns that are nothing else."""
        names = {
            column: self.names[column] for column in self._free(taken) if group_level(self.names[column]) is not None
        }
        return find_groups(names, {column: self.grid.cleaned(column).iloc[self.first_row :] for column in names})

    def image(self, in_folder: Callable[[str], bool], *, taken: Sequence[int]) -> Candidate:
        """The column with the image references."""
        candidates = []
        for column in self._free(taken):
            name = image_name_weight(self.names[column])
            content, evidence = self._image_content(column, in_folder)
            if name or content:
                candidates.append(Candidate(column, (content, name), evidence or "by its name"))
        return self.heaviest(candidates, role="image", flag="--image-column")

    def label_candidates(self, *, taken: Sequence[int]) -> list[Candidate]:
        """The columns that may hold the labels."""
        return [weighed for column in self._free(taken) if (weighed := self._label_weight(column))]

    def _free(self, taken: Sequence[int]) -> list[int]:
        has_values = np.any(self.grid.kinds[self.first_row :], axis=0).tolist()
        return [column for column in range(len(self.names)) if column not in taken and has_values[column]]

    def _image_content(self, column: int, in_folder: Callable[[str], bool]) -> tuple[int, str]:
        values = self._values(column)
        sample = values.iloc[:: max(1, len(values) // CONTENT_SAMPLE)]
        for weight, test, what in (
            (2, in_folder, "name files of the image folder"),
            (1, has_image_suffix, "end like image files"),
        ):
            share = sum(map(test, sample)) / max(len(sample), 1)
            if share >= 0.5:
                return weight, f"{share:.0%} of its values {what}"
        return 0, ""

    def _label_weight(self, column: int) -> Candidate | None:
        values = self._values(column)
        different = values.map(folded).unique() if values.nunique() <= 10 * MAX_LABELS else None
        few = different is not None and len(different) <= max(2, min(MAX_LABELS, len(values) // 2))
        rank, reason = label_name_rank(self.names[column])
        concepts = {find_concept(value) for value in different} if different is not None and few else set()
        if rank == 3 and reason == NAMED_FOR_DISEASE and not concepts <= {"yes", "no"}:
            rank = 2
        if rank < 2 and column in group_like(self.names):
            return None
        if not rank and len(concepts) == 2:
            known = concepts <= {"yes", "no"} or any(find_meaning(concept) is not Meaning.NONE for concept in concepts)
            rank, reason = (1, "its two values are known words") if known else (0, "it has two values")
            return Candidate(column, (1, rank), reason)
        return Candidate(column, (int(few), rank), reason) if rank else None

    def heaviest(self, candidates: Sequence[Candidate], *, role: str, flag: str) -> Candidate:
        """The one candidate that outweighs the others; an error that lists them where there is none."""
        if not candidates:
            raise NoSuchColumns(
                f"worksheet {self.grid.name!r}: no {role} column was found; name it with {flag}"
                f" (columns: {self._listed()})"
            )
        top = max(candidate.weight for candidate in candidates)
        best = [candidate for candidate in candidates if candidate.weight == top]
        if len(best) > 1:
            faults = [self._fault(candidate.column, f"may be it: {candidate.reason}") for candidate in best]
            raise SheetError(
                f"worksheet {self.grid.name!r}: several columns may be the {role} column; name it with {flag}",
                faults=faults,
            )
        return best[0]

    def _values(self, column: int) -> pd.Series[str]:
        values = self.grid.cleaned(column).iloc[self.first_row :]
        return values[values != ""]

    def _fault(self, column: int, problem: str) -> SheetFault:
        row = None if self.header_row is None else self.header_row + 1
        return SheetFault(
            problem, sheet=self.grid.name, row=row, column=get_column_letter(column + 1), value=self.names[column]
        )

    def _suggestion(self, wanted: str) -> str:
        return did_you_mean(wanted, self.names) or f" (columns: {self._listed()})"

    def _listed(self) -> str:
        return ", ".join(repr(name) for name in self.names[:30]) or "none"


def _column_names(grid: Grid, header_row: int | None) -> tuple[str, ...]:
    written = [""] * len(grid.columns) if header_row is None else grid.row(header_row)
    return tuple(
        " ".join(name.split()) or f"column {get_column_letter(column + 1)}" for column, name in enumerate(written)
    )


def _rows_with_values(grid: Grid) -> list[int]:
    return [int(index) for index in np.flatnonzero(grid.kinds.any(axis=1))[:HEADER_SEARCH_ROWS]]


def _all_text(grid: Grid, row: int) -> bool:
    kinds = grid.kinds[row]
    return bool((kinds[kinds != EMPTY] == TEXT).all())


def _is_reference(cell: str, in_folder: Callable[[str], bool]) -> bool:
    # A file image.png must not turn the column name "image" into a reference.
    return has_image_suffix(cell) or (squeezed(cell) not in IMAGE_NAMES and in_folder(cell))
