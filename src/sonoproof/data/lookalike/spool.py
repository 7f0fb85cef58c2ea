"""Views of all frames, kept on disk: the search holds a few of them in memory, however many there are."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sonoproof.data.lookalike.features import FrameView

__all__ = ["ViewSpool"]


class ViewSpool:
    """An append-only file of views, read back by number from any thread.

    Plain reads instead of a memory map, so that pages of the file do not count as the process's memory.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")
        self._lock = threading.Lock()
        self._entries: list[tuple[int, tuple[int, int], int, NDArray[np.float64]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, view: FrameView) -> None:
        """Store a view under the next number."""
        height, width = view.grey.shape
        with self._lock:
            start = self._file.seek(0, 2)
            self._entries.append((start, (height, width), len(view.points), view.to_view))
            for part in (view.points, view.grey, view.descriptors):
                self._file.write(np.ascontiguousarray(part).tobytes())

    def view(self, number: int) -> FrameView:
        """Read a view."""
        start, (height, width), count, to_view = self._entries[number]
        greys = 8 * count
        content = self._read(start, greys + height * width + 128 * count)
        points = np.frombuffer(content, np.float32, 2 * count).reshape(count, 2)
        grey = np.frombuffer(content, np.uint8, height * width, offset=greys).reshape(height, width)
        descriptors = np.frombuffer(content, np.uint8, offset=greys + height * width).reshape(count, 128)
        return FrameView(grey, to_view, points, descriptors)

    def to_view(self, number: int) -> NDArray[np.float64]:
        """2 x 3 affine map from pixel coordinates of a frame to those of its view."""
        return self._entries[number][3]

    def descriptors(self, number: int) -> NDArray[np.uint8]:
        """Read the descriptors of a view alone, uint8 (k, 128)."""
        start, (height, width), count, _ = self._entries[number]
        content = self._read(start + height * width + count * 8, count * 128)
        return np.frombuffer(content, np.uint8).reshape(count, 128)

    def _read(self, start: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(start)
            return self._file.read(size)
