"""A run beside itself: what is computed again goes there, and the run is not touched."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from sonoproof.runfolder import RunFolder


def shadow_of(run: RunFolder, folder: Path, *, without: Collection[Path]) -> RunFolder:
    """A run folder that reads as the run does and can be written to.

    Each file is a link to the run's own. Everything in a run is written beside its place and renamed into it, so that
    a link is replaced and never written through. Decoded frames and checkpoints are left out.

    Args:
        run: The run.
        folder: An empty folder.
        without: Files of the run, and folders with all that is in them, to leave out.
    """
    left_out = {run.store, run.checkpoints, *without}
    for path in sorted(run.root.rglob("*")):
        if path.is_file() and left_out.isdisjoint((path, *path.parents)):
            _link(path.resolve(), folder / path.relative_to(run.root))
    return RunFolder(folder)


def _link(source: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.symlink_to(source)
    except OSError:  # some systems keep links from ordinary users
        shutil.copy2(source, link)
