"""Views of all frames, kept on disk: the search holds a few of them in memory, however many there are."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from sonoproof.data.lookalike.keypoints import FrameView

__all__ = ["Entry", "ViewSpool"]


class Entry(NamedTuple):
    """Where a view lies in the file.

    Attributes:
        start: First byte.
        height: Rows of its picture.
        width: Columns of its picture.
        features: Number of its features.
        to_view: 2 x 3 affine map from pixel coordinates of the frame to those of the view.
    """

    start: int
    height: int
    width: int
    features: int
    to_view: NDArray[np.float64]

    @property
    def end(self) -> int:
        """First byte behind it: a feature has two coordinates of 4 bytes and 128 of descriptor, a pixel one byte."""
        return self.start + (8 + 128) * self.features + self.height * self.width

    def to_json(self) -> list[Any]:
        """A value that JSON can hold and `from_json` takes."""
        return [self.start, self.height, self.width, self.features, self.to_view.tolist()]

    @classmethod
    def from_json(cls, value: Sequence[Any]) -> Entry:
        """The entry that `to_json` made this of."""
        start, height, width, features, to_view = value
        return cls(start, height, width, features, np.array(to_view, np.float64))


class ViewSpool:
    """An append-only file of views, read back by number from any thread.

    Plain reads instead of a memory map, so that pages of the file do not count as the process's memory.

    Args:
        path: The file.
        entries: Views that an earlier attempt wrote; what lies behind them is cut off.
    """

    def __init__(self, path: Path, *, entries: Sequence[Entry] = ()) -> None:
        self._file = path.open("r+b" if entries else "w+b")
        self._file.truncate(entries[-1].end if entries else 0)
        self._lock = threading.Lock()
        self._entries = list(entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, view: FrameView) -> Entry:
        """Store a view under the next number."""
        height, width = view.grey.shape
        with self._lock:
            entry = Entry(self._file.seek(0, 2), height, width, len(view.points), view.to_view)
            for part in (view.points, view.grey, view.descriptors):
                self._file.write(np.ascontiguousarray(part).tobytes())
            self._file.flush()
            self._entries.append(entry)
        return entry

    def view(self, number: int) -> FrameView:
        """Read a view."""
        start, height, width, count, to_view = entry = self._entries[number]
        greys = 8 * count
        content = self._read(start, entry.end - start)
        points = np.frombuffer(content, np.float32, 2 * count).reshape(count, 2)
        grey = np.frombuffer(content, np.uint8, height * width, offset=greys).reshape(height, width)
        descriptors = np.frombuffer(content, np.uint8, offset=greys + height * width).reshape(count, 128)
        return FrameView(grey, to_view, points, descriptors)

    def to_view(self, number: int) -> NDArray[np.float64]:
        """2 x 3 affine map from pixel coordinates of a frame to those of its view."""
        return self._entries[number].to_view

    def descriptors(self, number: int) -> NDArray[np.uint8]:
        """Read the descriptors of a view alone, uint8 (k, 128)."""
        start, height, width, count, _ = self._entries[number]
        content = self._read(start + height * width + count * 8, count * 128)
        return np.frombuffer(content, np.uint8).reshape(count, 128)

    def _read(self, start: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(start)
            return self._file.read(size)
