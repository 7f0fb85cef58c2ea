"""What takes long to make and is only read: made once in a session, whichever worker asks first."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from filelock import FileLock

Made = TypeVar("Made")


class Shelf:
    """Folders and results shared by the workers of one session.

    Args:
        root: A folder that all workers of the session share, and no other session.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(exist_ok=True)
        self._root = root

    def once(self, name: str, make: Callable[[Path], Made]) -> Made:
        """The result of ``make(folder)``, made by the first who asks for `name`; the others wait for it.

        Args:
            name: A name that says everything the result depends on, apart from the source.
            make: Fills the folder, which is not there yet, and returns something that can be pickled.
        """
        folder, result = self._root / name, self._root / f"{name}.result"
        with FileLock(self._root / f"{name}.lock"):
            if not result.exists():
                shutil.rmtree(folder, ignore_errors=True)
                result.write_bytes(pickle.dumps(make(folder)))
        return cast(Made, pickle.loads(result.read_bytes()))
