"""Views of all frames, kept on disk: the search holds a few of them in memory, however many there are."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from sonoproof.data.frames.facts import ReadFrame
from sonoproof.data.lookalike.keypoints import FrameView, describe
from sonoproof.runfolder import disk_errors
from sonoproof.types import FloatArray, UInt8Array


class Entry(NamedTuple):
    """Where a view lies in the file.

    Attributes:
        start: First byte.
        height: Rows of its picture.
        width: Columns of its picture.
        features: Number of its features.
        to_view: 2 x 3 affine map from pixel coordinates of the frame to those of the view, as lists.
    """

    start: int
    height: int
    width: int
    features: int
    to_view: list[list[float]]

    @property
    def end(self) -> int:
        """First byte behind it: a feature has two coordinates of 4 bytes and 128 of descriptor, a pixel one byte."""
        return self.start + (8 + 128) * self.features + self.height * self.width


class ViewSpool:
    """An append-only file of views, written and read from any thread.

    Plain reads instead of a memory map, so that pages of the file do not count as the process's memory.

    Args:
        path: The file.
        size: Bytes that an earlier attempt wrote and that are still needed; what lies behind them is cut off.
    """

    def __init__(self, path: Path, *, size: int = 0) -> None:
        self._path = path
        self._file = path.open("r+b" if size else "w+b")
        self._file.truncate(size)
        self._lock = threading.Lock()
        self._seen: dict[str, Entry] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # what cannot be flushed was reported by `append`
            self._file.close()

    def look(self, frame: ReadFrame) -> Entry:
        """Describe a frame and keep its view, once for all frames with the same pixels."""
        key = frame.facts.pixel_sha256
        if key not in self._seen:
            self._seen[key] = self.append(describe(frame.pixels))
        return self._seen[key]

    def append(self, view: FrameView) -> Entry:
        """Keep a view.

        Raises:
            RunFolderError: The file cannot be written.
        """
        height, width = view.grey.shape
        with self._lock, disk_errors(self._path):
            entry = Entry(self._file.seek(0, 2), height, width, len(view.points), view.to_view.tolist())
            for part in (view.points, view.grey, view.descriptors):
                self._file.write(np.ascontiguousarray(part).tobytes())
            self._file.flush()
        return entry

    def read(self, start: int, size: int) -> bytes:
        """Bytes of the file."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(size)


@dataclass(frozen=True)
class Views:
    """Views of a spool by number.

    Attributes:
        spool: The file, open.
        entries: Where each view lies in it.
    """

    spool: ViewSpool
    entries: Sequence[Entry]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, number: int) -> FrameView:
        start, height, width, count, _ = entry = self.entries[number]
        greys = 8 * count
        content = self.spool.read(start, entry.end - start)
        points = np.frombuffer(content, np.float32, 2 * count).reshape(count, 2)
        grey = np.frombuffer(content, np.uint8, height * width, offset=greys).reshape(height, width)
        descriptors = np.frombuffer(content, np.uint8, offset=greys + height * width).reshape(count, 128)
        return FrameView(grey, self.to_view(number), points, descriptors)

    def to_view(self, number: int) -> FloatArray:
        """2 x 3 affine map from pixel coordinates of a frame to those of its view."""
        return np.array(self.entries[number].to_view, np.float64)

    def descriptors(self, number: int) -> UInt8Array:
        """Read the descriptors of a view alone, (k, 128)."""
        start, height, width, count, _ = self.entries[number]
        content = self.spool.read(start + height * width + count * 8, count * 128)
        return np.frombuffer(content, np.uint8).reshape(count, 128)
