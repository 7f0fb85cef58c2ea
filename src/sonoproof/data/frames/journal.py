"""What was found so far, on disk: work that was stopped continues after its last complete line."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sonoproof.runfolder import disk_errors


class Journal:
    """An append-only file of JSON values, one per line, below a first line that says what they belong to.

    Each line reaches the file before the next is computed, so that a kill loses the last one at most; a line that was
    cut is dropped with all behind it.

    Args:
        path: The file.
        of: What the values belong to; a file of anything else is begun again.
    """

    def __init__(self, path: Path, *, of: str) -> None:
        self._of, self._path = of, path
        (first, *kept), whole_bytes = _whole_lines(path)
        self.kept: list[Any] = kept
        self._file = path.open("r+b" if whole_bytes else "w+b")
        self._file.truncate(whole_bytes)
        self._file.seek(0, 2)
        if first != of:
            self.begin_anew()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What cannot be flushed was reported by `append`.
        with contextlib.suppress(OSError):
            self._file.close()

    def begin_anew(self) -> None:
        """Forget every value."""
        self.kept = []
        self._file.seek(0)
        self._file.truncate()
        self.append(self._of)

    def append(self, value: Any) -> None:
        """Write a value that JSON can hold; numbers come back to the bit.

        Raises:
            RunFolderError: The file cannot be written.
        """
        with disk_errors(self._path):
            self._file.write(json.dumps(value).encode() + b"\n")
            self._file.flush()


def _whole_lines(path: Path) -> tuple[list[Any], int]:
    """The values up to the first line that is not whole, and how many bytes they take; one None where there is none."""
    values: list[Any] = []
    size = 0
    for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else ():
        try:
            if not line.endswith(b"\n"):
                break
            values.append(json.loads(line))
        except ValueError:
            break
        size += len(line)
    return values or [None], size
