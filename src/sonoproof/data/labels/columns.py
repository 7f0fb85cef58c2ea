"""Finding the header row and the columns of a label sheet, by name and by content.

What a name says is weighed with what the cells hold, by the rules of `columnrules`. Two columns with equally strong
evidence are an error that lists both: the wrong label column is worse than a question.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from openpyxl.utils import get_column_letter

from sonoproof.config import SheetConfig
from sonoproof.data.folder.imagefolder import has_image_suffix
from sonoproof.data.labels.columnnames import IMAGE_NAMES, group_level, is_known_name
from sonoproof.data.labels.columnrules import (
    IMAGE_RULES,
    LABEL_RULES,
    ColumnRule,
    Fact,
    LabelEvidence,
    find_rule,
    image_facts,
    is_split_column,
    label_facts,
    other_purpose,
)
from sonoproof.data.labels.groupcolumns import find_groups
from sonoproof.data.labels.purposes import EXCLUSION, READER, find_purpose
from sonoproof.data.labels.spelling import did_you_mean
from sonoproof.data.labels.vocabulary import find_concept, squeezed
from sonoproof.data.spreadsheets.grid import EMPTY, TEXT, Grid
from sonoproof.data.spreadsheets.visible import clean_text, visible
from sonoproof.errors import SheetError, SheetFault

HEADER_SEARCH_ROWS = 50
VALUES_SHOWN = 6
NAMED_BY_USER = 99  # outweighs any evidence


class UnclearLabels(SheetError):
    """The worksheet has images, but no column says that it holds the labels."""


class NoSuchColumns(SheetError):
    """The worksheet has no column that could be the one looked for."""


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


@dataclass(frozen=True)
class Candidate:
    """A column that may be the one looked for; the strongest evidence wins, and two equally strong are ambiguous."""

    column: int
    evidence: int
    reason: str


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
    finder = _Finder(grid, header_row, in_folder)
    named, missing = finder.named_groups(config.group_columns, required=groups_required)
    split = finder.named(config.split_column, "split")
    used = (*named, *([split.column] if split else []))
    image = finder.named(config.image_column, "image") or finder.strongest(finder.images(taken=used), role="image")
    labels = finder.labels(taken=(image.column, *used))
    label = finder.named(config.label_column, "label") or finder.label(labels)
    if split and label.column == split.column:
        raise SheetError(f"column {finder.names[label.column]!r} cannot hold both the labels and the split")
    found = finder.groups(taken=(image.column, label.column, *used))
    take = config.find_groups and not config.group_columns
    groups = tuple(column for column, why in found.items() if not why) if take else named
    rest = [other for other in labels if other.column not in {label.column, *groups}]
    return Layout(
        header_row,
        finder.names,
        image.column,
        label.column,
        groups=groups,
        groups_named=not take,
        groups_left={column: why or "was not named" for column, why in found.items() if why or not take},
        missing_groups=missing,
        other_labels=tuple(other.column for other in rest if other.evidence >= LabelEvidence.KNOWN_WORDS),
        readers=tuple(other.column for other in rest if find_purpose(finder.names[other.column]) is READER),
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

    def __init__(self, grid: Grid, header_row: int | None, in_folder: Callable[[str], bool]) -> None:
        self.grid = grid
        self.header_row = header_row
        self.first_row = 0 if header_row is None else header_row + 1
        self.names = _column_names(grid, header_row)
        self._has_values = np.any(grid.kinds[self.first_row :], axis=0).tolist()
        self._in_folder = in_folder

    def named(self, wanted: str | None, role: str) -> Candidate | None:
        """The column that the user named, or None if the user named none."""
        if not wanted:
            return None
        found = self._find_by_name(wanted)
        if not found:
            hint = did_you_mean(wanted, self.names) or f" (columns: {self._list_names()})"
            raise NoSuchColumns(f"worksheet {self.grid.name!r}: there is no {role} column {wanted!r}{hint}")
        if len(found) > 1:
            faults = [self._fault(column, "has this name") for column in found]
            raise SheetError(f"several columns are named {wanted!r}; rename all but one", faults=faults)
        return Candidate(found[0], NAMED_BY_USER, "named by the user")

    def named_groups(self, wanted: Sequence[str], *, required: bool) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """The group columns that the user named, and the names of those that are missing."""
        missing = () if required else tuple(name for name in wanted if not self._find_by_name(name))
        found = [self.named(name, "group") for name in wanted if name not in missing]
        return tuple(dict.fromkeys(candidate.column for candidate in found if candidate)), missing

    def groups(self, *, taken: Sequence[int]) -> dict[int, str]:
        """The columns that are nothing else and may be group columns -> why they are not taken, "" if they are."""
        names = {index: self.names[index] for index in self._free(taken) if group_level(self.names[index]) is not None}
        return find_groups(names, {index: self.grid.cleaned(index).iloc[self.first_row :] for index in names})

    def images(self, *, taken: Sequence[int]) -> list[Candidate]:
        """The columns that may hold the image references."""
        return self._weigh(IMAGE_RULES, functools.partial(image_facts, in_folder=self._in_folder), taken=taken)

    def labels(self, *, taken: Sequence[int]) -> list[Candidate]:
        """The columns that may hold the labels, the likeliest first; some of them only as candidates of a question."""
        free = self._free(taken)
        is_only_column = self.header_row is None and len(free) == 1
        found = self._weigh(LABEL_RULES, functools.partial(label_facts, is_only_column=is_only_column), taken=taken)
        found = [
            Candidate(other.column, LabelEvidence.OTHER_PURPOSE, why)
            if (why := self._other_purpose(other.column))
            else other
            for other in found
            if other.evidence > LabelEvidence.YES_NO or self._values(other.column).nunique() > 1
        ]
        return sorted(found, key=lambda other: -other.evidence)

    def label(self, candidates: Sequence[Candidate]) -> Candidate:
        """The column that a name or known words make the label column; a question if there is none, or not one.

        Args:
            candidates: What `labels` found.
        """
        if not candidates:
            return self.strongest(candidates, role="label")
        best = [other for other in candidates if other.evidence == candidates[0].evidence]
        if not LabelEvidence(best[0].evidence).is_reason:
            raise self._unclear(
                UnclearLabels,
                "no column says that it holds the labels, neither by its name nor by its values",
                candidates,
            )
        if len(best) > 1 and not self._agree(best):
            problem = "several columns may be the label column"
        elif best[0].column in self.grid.hidden_columns:
            problem = f"the label column would be {self.names[best[0].column]!r}, which is hidden in the sheet"
        else:
            return best[0]
        raise self._unclear(SheetError, problem, candidates)

    def set_aside(self, *, taken: Sequence[int]) -> dict[int, str]:
        """The columns that give a split or say which rows to exclude -> what they are."""
        found: dict[int, str] = {}
        for index in self._free(taken):
            if is_split_column(self.names[index], self._values(index)):
                found[index] = "split"
            elif find_purpose(self.names[index]) is EXCLUSION:
                found[index] = "exclusion"
        return found

    def strongest(self, candidates: Sequence[Candidate], *, role: str) -> Candidate:
        """The one candidate with the strongest evidence; an error if there is none or more than one."""
        where = f"worksheet {self.grid.name!r}"
        if not candidates:
            raise NoSuchColumns(
                f"{where}: no {role} column was found; name it with --{role}-column (columns: {self._list_names()})"
            )
        top = max(candidate.evidence for candidate in candidates)
        best = [candidate for candidate in candidates if candidate.evidence == top]
        if len(best) > 1:
            raise SheetError(
                f"{where}: several columns may be the {role} column; name the right one with --{role}-column",
                faults=[self._fault(candidate.column, f"possible: {candidate.reason}") for candidate in best],
            )
        return best[0]

    def _find_by_name(self, wanted: str) -> list[int]:
        found = [index for index, name in enumerate(self.names) if name == clean_text(wanted)]
        found = found or [index for index, name in enumerate(self.names) if squeezed(name) == squeezed(wanted)]
        if not found and self.header_row is None:
            found = [index for index in range(len(self.names)) if get_column_letter(index + 1) == wanted.upper()]
        return found

    def _free(self, taken: Sequence[int]) -> list[int]:
        return [index for index, filled in enumerate(self._has_values) if filled and index not in taken]

    def _weigh(
        self, rules: Sequence[ColumnRule], see: Callable[[str, pd.Series[str]], Fact], *, taken: Sequence[int]
    ) -> list[Candidate]:
        candidates = []
        for index in self._free(taken):
            rule = find_rule(rules, see(self.names[index], self._values(index)))
            if rule:
                candidates.append(Candidate(index, rule.evidence, rule.reason))
        return candidates

    def _values(self, column: int) -> pd.Series[str]:
        """A column's cells that are not empty, as text."""
        values = self.grid.cleaned(column).iloc[self.first_row :]
        return values[values != ""]

    def _unclear(self, kind: type[SheetError], problem: str, candidates: Sequence[Candidate]) -> SheetError:
        return kind(
            f"worksheet {self.grid.name!r}: {problem}; name the right one with --label-column"
            + self._readers_disagree(candidates),
            faults=[self._fault(other.column, self._offer(other)) for other in candidates],
        )

    def _other_purpose(self, column: int) -> str:
        if group_level(self.names[column]) is not None:
            return "it is named for patients, examinations or clips"
        return other_purpose(self.names[column], self._values(column))

    def _offer(self, candidate: Candidate) -> str:
        counts = self._values(candidate.column).value_counts()
        shown = ", ".join(f"{value!r} ({count})" for value, count in counts.head(VALUES_SHOWN).items())
        more = f" and {len(counts) - VALUES_SHOWN} more" if len(counts) > VALUES_SHOWN else ""
        hidden = "; it is hidden" if candidate.column in self.grid.hidden_columns else ""
        unlikely = candidate.evidence == LabelEvidence.OTHER_PURPOSE
        return f"{'unlikely' if unlikely else 'possible'}: {candidate.reason}{hidden}; values {shown}{more}"

    def _agree(self, candidates: Sequence[Candidate]) -> bool:
        """Whether columns say the same in every row, so that it does not matter which of them is taken."""
        first, *others = (
            self.grid.cleaned(other.column).iloc[self.first_row :].map(find_concept) for other in candidates
        )
        return all(first.equals(other) for other in others)

    def _readers_disagree(self, candidates: Sequence[Candidate]) -> str:
        """In how many rows columns of single readers differ, in words that end a sentence; "" if they do not."""
        readers = [other.column for other in candidates if find_purpose(self.names[other.column]) is READER]
        if len(readers) < 2:
            return ""
        read = pd.concat([self._values(column).map(find_concept) for column in readers], axis=1)
        rows = int((read.nunique(axis=1) > 1).sum())
        return (
            f" (the readers {' and '.join(repr(self.names[c]) for c in readers)} differ in {rows} rows)" if rows else ""
        )

    def _fault(self, column: int, problem: str) -> SheetFault:
        row = None if self.header_row is None else self.header_row + 1
        return SheetFault(problem, self.grid.name, row, get_column_letter(column + 1), self.names[column])

    def _list_names(self) -> str:
        return ", ".join(repr(name) for name in self.names[:30]) or "none"


def _column_names(grid: Grid, header_row: int | None) -> tuple[str, ...]:
    written = [""] * len(grid.columns) if header_row is None else grid.row(header_row)
    return tuple(
        " ".join(visible(name).split()) or f"column {get_column_letter(column + 1)}"
        for column, name in enumerate(written)
    )


def _rows_with_values(grid: Grid) -> list[int]:
    return [int(index) for index in np.flatnonzero(grid.kinds.any(axis=1))[:HEADER_SEARCH_ROWS]]


def _all_text(grid: Grid, row: int) -> bool:
    kinds = grid.kinds[row]
    return bool((kinds[kinds != EMPTY] == TEXT).all())


def _is_reference(cell: str, in_folder: Callable[[str], bool]) -> bool:
    # A file image.png must not turn the column name "image" into a reference.
    return has_image_suffix(cell) or (squeezed(cell) not in IMAGE_NAMES and in_folder(cell))
