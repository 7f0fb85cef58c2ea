"""Choosing the worksheet that holds the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sonoproof.data.labels.columns import Layout
from sonoproof.data.labels.labelcolumn import UnclearLabels
from sonoproof.data.labels.sheetcolumns import NoSuchColumns
from sonoproof.data.labels.spelling import did_you_mean
from sonoproof.data.labels.vocabulary import folded
from sonoproof.data.spreadsheets.grid import Grid
from sonoproof.errors import SheetError, SheetFault


def choose_worksheet(
    path: Path, grids: Sequence[Grid], *, wanted: str | None, find: Callable[[Grid], Layout]
) -> tuple[Grid, Layout]:
    """The one worksheet that has the columns looked for; a hidden one only if no visible one has them.

    Args:
        path: The file, for messages.
        grids: Its worksheets.
        wanted: Name of the worksheet that the user named, or None.
        find: Finds the columns of a worksheet.

    Raises:
        SheetError: There is no such worksheet, or more than one.
    """
    if wanted:
        grid = _find_by_name(path, grids, wanted)
        return grid, find(grid)
    filled = [grid for grid in grids if grid.height]
    if not filled:
        raise SheetError(f"{path}: is empty: no worksheet holds a value")
    if len(filled) == 1:
        return filled[0], find(filled[0])
    for visible in (True, False):
        found = [grid for grid in filled if grid.visible is visible and not _explain_refusal(grid, find)]
        if len(found) > 1:
            raise SheetError(
                f"{path}: several worksheets may be the label sheet; name it with --set sheet.worksheet=NAME",
                faults=[SheetFault(f"possible ({grid.height} rows)", sheet=grid.name) for grid in found],
            )
        if found:
            return found[0], find(found[0])
    unclear = [grid for grid in filled if grid.visible and _is_unclear(grid, find)]
    if len(unclear) == 1:
        return unclear[0], find(unclear[0])
    faults = [SheetFault(_explain_refusal(grid, find)) for grid in filled]
    raise SheetError(f"{path}: no worksheet is a label sheet", faults=faults)


def _explain_refusal(grid: Grid, find: Callable[[Grid], Layout]) -> str:
    """Why a worksheet is not a label sheet; "" if it is one, clear or not."""
    try:
        find(grid)
    except (NoSuchColumns, UnclearLabels) as error:
        return str(error)
    except SheetError:
        return ""
    return ""


def _is_unclear(grid: Grid, find: Callable[[Grid], Layout]) -> bool:
    """Whether a worksheet has images, but no column that says that it holds the labels."""
    try:
        find(grid)
    except UnclearLabels:
        return True
    except SheetError:
        return False
    return False


def _find_by_name(path: Path, grids: Sequence[Grid], wanted: str) -> Grid:
    for grid in grids:
        if folded(grid.name) == folded(wanted):
            if not grid.height:
                raise SheetError(f"{path}: worksheet {grid.name!r} is empty")
            return grid
    names = [grid.name for grid in grids]
    hint = did_you_mean(wanted, names) or f"; there are {', '.join(map(repr, names))}"
    raise SheetError(f"{path}: there is no worksheet {wanted!r}{hint}")
