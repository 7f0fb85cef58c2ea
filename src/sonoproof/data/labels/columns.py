"""Finding the header row and the columns of a label sheet, by name and by content.

What a name says is weighed with what the cells hold, by the rules of `columnrules`. Two columns with equally strong
evidence are an error that lists both: the wrong label column is worse than a question.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from openpyxl.utils import get_column_letter

from sonoproof.config import SheetConfig
from sonoproof.data.folder.imagefolder import has_image_suffix
from sonoproof.data.labels.columnnames import IMAGE_NAMES, group_level, is_identifier, is_known_name
from sonoproof.data.labels.columnrules import IMAGE_RULES, LabelEvidence, image_facts, is_split_column
from sonoproof.data.labels.groupcolumns import find_groups
from sonoproof.data.labels.labelcolumn import choose_label, is_reader, label_candidates
from sonoproof.data.labels.purposes import EXCLUSION, find_purpose
from sonoproof.data.labels.sheetcolumns import Candidate, NoSuchColumns, SheetColumns
from sonoproof.data.labels.spelling import did_you_mean
from sonoproof.data.labels.vocabulary import squeezed
from sonoproof.data.spreadsheets.grid import EMPTY, TEXT, Grid
from sonoproof.data.spreadsheets.visible import clean_text
from sonoproof.errors import SheetError

HEADER_SEARCH_ROWS = 50
NAMED_BY_USER = 99  # outweighs any evidence


@dataclass(frozen=True)
class Layout:
    """What is where on a worksheet (rows and columns 0-based).

    Attributes:
        header_row: Row of the column names, or None if there are none.
        names: Name of every column ("column B" if it has none).
        image: The column with the image references.
        label: The column with the labels.
        groups: The columns whose values must not be split.
        groups_named: Whether the user named them; otherwise they were found.
        groups_left: Columns that may identify patients or clips but were not taken -> why.
        missing_groups: Group columns that the user named but that are missing.
        other_labels: Columns that would have been taken for the labels without the chosen one.
        readers: Columns of single readers.
        split: The column with the given split that is used, or None.
        set_aside: Columns that give a split or say which rows to exclude, and are not used -> what they are.
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
    readers: tuple[int, ...] = ()
    split: int | None = None
    set_aside: dict[int, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def first_row(self) -> int:
        """First row of data."""
        return 0 if self.header_row is None else self.header_row + 1


def find_layout(
    grid: Grid, *, config: SheetConfig, in_folder: Callable[[str], bool], groups_required: bool = True
) -> Layout:
    """Find the header row, the image column, the label column and the group columns of a worksheet.

    Args:
        grid: The worksheet.
        config: Columns that the user named; these are not searched for.
        in_folder: Whether a reference names a file of the image folder (always false if there is none).
        groups_required: Whether a missing group column is an error.

    Raises:
        NoSuchColumns: The worksheet has no such columns.
        SheetError: Several columns are equally likely.
    """
    header_row = find_header(grid, config=config, in_folder=in_folder)
    if header_row is not None and not grid.kinds[header_row + 1 :].any():
        raise NoSuchColumns(
            f"worksheet {grid.name!r}: there are no rows below the column names in row {header_row + 1}"
        )
    columns = SheetColumns(grid, header_row)
    finder = _Finder(columns)
    named, missing = finder.named_groups(config.group_columns, required=groups_required)
    split = finder.named(config.split_column, "split")
    used = (*named, *([split.column] if split else []))
    image = finder.named(config.image_column, "image") or finder.image(in_folder, taken=used)
    labels = label_candidates(columns, taken=(image.column, *used))
    label = finder.named(config.label_column, "label") or choose_label(columns, labels)
    if split and label.column == split.column:
        raise SheetError(f"column {columns.names[label.column]!r} cannot hold both the labels and the split")
    found = finder.groups(taken=(image.column, label.column, *used))
    take = config.find_groups and not config.group_columns
    groups = tuple(column for column, why in found.items() if not why) if take else named
    rest = [other for other in labels if other.column not in {label.column, *groups}]
    return Layout(
        header_row,
        columns.names,
        image.column,
        label.column,
        groups=groups,
        groups_named=not take,
        groups_left={column: why or "was not named" for column, why in found.items() if why or not take},
        missing_groups=missing,
        other_labels=tuple(other.column for other in rest if other.evidence >= LabelEvidence.KNOWN_WORDS),
        readers=tuple(other.column for other in rest if is_reader(columns.names[other.column])),
        split=split.column if split else None,
        set_aside=finder.set_aside(taken=(image.column, label.column, *used, *groups)),
        reasons={"image_column": image.reason, "label_column": label.reason},
    )


def find_header(grid: Grid, *, config: SheetConfig, in_folder: Callable[[str], bool]) -> int | None:
    """Find the row of the column names, 0-based; None if the first row with a value holds data already.

    It is the row with the most names that are known (or were given by the user), above any image reference. If no name
    is known, it is the row above the first image reference.
    """
    named = (config.image_column, config.label_column, config.split_column, *config.group_columns)
    wanted = {squeezed(name) for name in named if name}
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
    """Looks for the columns of one worksheet."""

    def __init__(self, columns: SheetColumns) -> None:
        self.columns = columns

    def named(self, wanted: str | None, role: str) -> Candidate | None:
        """The column that the user named, or None if the user named none."""
        if not wanted:
            return None
        columns, found = self.columns, self._find_by_name(wanted)
        if not found:
            hint = did_you_mean(wanted, columns.names) or f" (columns: {columns.list_names()})"
            raise NoSuchColumns(f"worksheet {columns.grid.name!r}: there is no {role} column {wanted!r}{hint}")
        if len(found) > 1:
            faults = [columns.fault(column, "has this name") for column in found]
            raise SheetError(f"several columns are named {wanted!r}; rename all but one", faults=faults)
        return Candidate(found[0], NAMED_BY_USER, "named by the user")

    def named_groups(self, wanted: Sequence[str], *, required: bool) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """The group columns that the user named, and the names of those that are missing."""
        missing = () if required else tuple(name for name in wanted if not self._find_by_name(name))
        found = [self.named(name, "group") for name in wanted if name not in missing]
        return tuple(dict.fromkeys(candidate.column for candidate in found if candidate)), missing

    def groups(self, *, taken: Sequence[int]) -> dict[int, str]:
        """The columns that are nothing else and may be group columns -> why they are not taken, "" if they are."""
        names = {at: self.columns.names[at] for at in self.columns.free(taken)}
        names = {at: name for at, name in names.items() if group_level(name) is not None or is_identifier(name)}
        return find_groups(names, {at: self.columns.cells(at) for at in names})

    def set_aside(self, *, taken: Sequence[int]) -> dict[int, str]:
        """The columns that give a split or say which rows to exclude -> what they are."""
        found: dict[int, str] = {}
        for index in self.columns.free(taken):
            name = self.columns.names[index]
            if is_split_column(name, self.columns.values(index)):
                found[index] = "split"
            elif find_purpose(name) is EXCLUSION:
                found[index] = "exclusion"
        return found

    def image(self, in_folder: Callable[[str], bool], *, taken: Sequence[int]) -> Candidate:
        """The one column with the strongest evidence for images; an error if there is none or more than one."""
        columns, where = self.columns, f"worksheet {self.columns.grid.name!r}"
        candidates = columns.weigh(IMAGE_RULES, functools.partial(image_facts, in_folder=in_folder), taken=taken)
        if not candidates:
            raise NoSuchColumns(
                f"{where}: no image column was found; name it with --image-column (columns: {columns.list_names()})"
            )
        top = max(candidate.evidence for candidate in candidates)
        best = [candidate for candidate in candidates if candidate.evidence == top]
        if len(best) > 1:
            raise SheetError(
                f"{where}: several columns may be the image column; name the right one with --image-column",
                faults=[columns.fault(candidate.column, f"possible: {candidate.reason}") for candidate in best],
            )
        return best[0]

    def _find_by_name(self, wanted: str) -> list[int]:
        names = self.columns.names
        found = [index for index, name in enumerate(names) if name == clean_text(wanted)]
        found = found or [index for index, name in enumerate(names) if squeezed(name) == squeezed(wanted)]
        if not found and self.columns.header_row is None:
            found = [index for index in range(len(names)) if get_column_letter(index + 1) == wanted.upper()]
        return found


def _rows_with_values(grid: Grid) -> list[int]:
    return [int(index) for index in np.flatnonzero(grid.kinds.any(axis=1))[:HEADER_SEARCH_ROWS]]


def _all_text(grid: Grid, row: int) -> bool:
    kinds = grid.kinds[row]
    return bool((kinds[kinds != EMPTY] == TEXT).all())


def _is_reference(cell: str, in_folder: Callable[[str], bool]) -> bool:
    # A file image.png must not turn the column name "image" into a reference.
    return has_image_suffix(cell) or (squeezed(cell) not in IMAGE_NAMES and in_folder(cell))
