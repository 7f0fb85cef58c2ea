"""Choosing the worksheet that holds the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sonoproof.data.labels.columns import Layout, NoSuchColumns
from sonoproof.data.labels.spelling import did_you_mean
from sonoproof.data.labels.vocabulary import folded
from sonoproof.data.spreadsheets.grid import Grid
from sonoproof.errors import SheetError, SheetFault

__all__ = ["choose_worksheet"]


def choose_worksheet(
    path: Path, grids: Sequence[Grid], *, wanted: str | None, find: Callable[[Grid], Layout]
) -> tuple[Grid, Layout]:
    """The one worksheet that has the columns looked for; hidden ones only where no visible one does.

    Args:
        path: The file, for messages.
        grids: Its worksheets.
        wanted: Name of the worksheet that the user named, or None.
        find: Finds the columns of a worksheet.

    Raises:
        SheetError: There is no such worksheet, or more than one.
    """
    if wanted:
        grid = _worksheet_named(path, grids, wanted)
        return grid, find(grid)
    filled = [grid for grid in grids if grid.height]
    if not filled:
        raise SheetError(f"{path}: is empty: no worksheet holds a value")
    refused: list[SheetError] = []
    for visible in (True, False):
        found = [
            (grid, layout)
            for grid in filled
            if grid.visible is visible and (layout := _attempt(find, grid, refused=refused)) is not None
        ]
        if len(found) > 1:
            raise _several_worksheets(path, [grid for grid, _ in found])
        if found:
            grid, layout = found[0]
            if isinstance(layout, SheetError):
                raise layout
            return grid, layout
    if len(refused) == 1:
        raise refused[0]
    raise SheetError(f"{path}: no worksheet is a label sheet", faults=[SheetFault(str(error)) for error in refused])


def _attempt(find: Callable[[Grid], Layout], grid: Grid, *, refused: list[SheetError]) -> Layout | SheetError | None:
    """The layout; the error of a label sheet that is not clear; or None for what is no label sheet."""
    try:
        return find(grid)
    except NoSuchColumns as error:
        refused.append(error)
        return None
    except SheetError as error:
        return error


def _worksheet_named(path: Path, grids: Sequence[Grid], wanted: str) -> Grid:
    for grid in grids:
        if folded(grid.name) == folded(wanted):
            if not grid.height:
                raise SheetError(f"{path}: worksheet {grid.name!r} is empty")
            return grid
    names = [grid.name for grid in grids]
    hint = did_you_mean(wanted, names) or f"; there are {', '.join(map(repr, names))}"
    raise SheetError(f"{path}: there is no worksheet {wanted!r}{hint}")


def _several_worksheets(path: Path, grids: Sequence[Grid]) -> SheetError:
    faults = [SheetFault(f"may be it ({grid.height} rows)", sheet=grid.name) for grid in grids]
    return SheetError(
        f"{path}: several worksheets may be the label sheet; name it with --set sheet.worksheet=NAME", faults=faults
    )
