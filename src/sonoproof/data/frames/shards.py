"""Shards of the frame store: an append-only file of canvases and the index that makes it count.

A shard is ``NAME.frames`` (canvases one after the other, raw uint8) and ``NAME.json`` (keys and checksums in
the same order). The writer fills the data file under its own name, flushes it to the disk and only then
renames the index into place: a data file without an index is read by nobody. The writer holds a lock on its
data file until then, so that another process can tell what a killed writer left behind from what is being
written.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import numpy as np
import numpy.typing as npt

from sonoproof.errors import RunFolderError
from sonoproof.runfolder import read_json, write_json

try:
    import fcntl
except ImportError:  # Windows has no flock; what is left behind is then told by its age
    fcntl = None  # type: ignore[assignment]

__all__ = ["Shard", "ShardWriter", "drop_shard", "read_shard", "remove_leftovers"]

_SCHEMA: Final = "frame-shard"
_LEFTOVER_SECONDS: Final = 86_400.0
_YOUNG_SECONDS: Final = 60.0

_Pixels = npt.NDArray[np.uint8]


@dataclass
class Shard:
    """A committed shard, read canvas by canvas.

    Not through a memory map: each page of one that was ever touched counts as memory of the process, and a file that
    becomes shorter under it kills the process.

    Attributes:
        index: Path of the index.
        size: Side of a canvas in pixels.
        channels: 1 for grey canvases (R = G = B), 3 for colour.
        keys: Name of each canvas.
        checksums: CRC-32 of each canvas.
    """

    index: Path
    size: int
    channels: int
    keys: tuple[str, ...]
    checksums: npt.NDArray[np.uint32]
    _intact: npt.NDArray[np.bool_] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._intact = np.zeros(len(self.keys), np.bool_)

    @property
    def data(self) -> Path:
        """Path of the canvases."""
        return self.index.with_suffix(".frames")

    def is_whole(self) -> bool:
        """Whether the data file is there with the length that the index says."""
        try:
            return self.data.stat().st_size == len(self.keys) * self.size * self.size * self.channels
        except OSError:
            return False

    def read(self, row: int) -> _Pixels | None:
        """The canvas in a row, (size, size, channels) uint8; None where its checksum does not hold.

        A checksum is computed once a process.
        """
        shape = (self.size, self.size, self.channels)
        content = np.empty(shape, np.uint8)
        with self.data.open("rb", buffering=0) as file:
            file.seek(row * content.nbytes)
            if file.readinto(content.data) != content.nbytes:
                return None
        if not self._intact[row]:
            if zlib.crc32(content.data) != self.checksums[row]:
                return None
            self._intact[row] = True
        return content


class ShardWriter:
    """Writes one shard under a name of its own, so that two processes never write to one file.

    Args:
        folder: Folder of the shards.
        size: Side of a canvas in pixels.
        channels: 1 or 3.
    """

    def __init__(self, folder: Path, *, size: int, channels: int) -> None:
        self.size, self.channels = size, channels
        self.keys: list[str] = []
        self.checksums: list[int] = []
        self.index = folder / f"{'grey' if channels == 1 else 'colour'}-{uuid.uuid4().hex}.json"
        self.data = self.index.with_suffix(".frames")
        with _disk_errors(self.data):
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = self.data.open("xb")
            _try_lock(self._file)

    @property
    def n_bytes(self) -> int:
        """Bytes of canvases added."""
        return len(self.keys) * self.size * self.size * self.channels

    def add(self, key: str, canvas: _Pixels) -> None:
        """Append a canvas, (size, size, channels) uint8.

        Raises:
            RunFolderError: The disk does not take it.
        """
        content = np.ascontiguousarray(canvas)
        if content.shape != (self.size, self.size, self.channels) or content.dtype != np.uint8:
            raise ValueError(f"{content.shape} {content.dtype} is no canvas of this shard")
        with _disk_errors(self.data):
            self._file.write(content.data)
        self.keys.append(key)
        self.checksums.append(zlib.crc32(content.data))

    def commit(self) -> Shard | None:
        """Flush the canvases to the disk, then put the index in its place. None if nothing was added.

        Raises:
            RunFolderError: The disk does not take it; nothing of the shard counts then.
        """
        if not self.keys:
            self.discard()
            return None
        try:
            with _disk_errors(self.data):
                self._file.flush()
                os.fsync(self._file.fileno())
            content = {
                "size": self.size,
                "channels": self.channels,
                "keys": self.keys,
                "crc32": self.checksums,
            }
            write_json(self.index, content, schema=_SCHEMA)
            _sync_folder(self.index.parent)
        except RunFolderError:
            self.discard()
            raise
        self._file.close()
        checksums = np.array(self.checksums, np.uint32)
        return Shard(self.index, self.size, self.channels, tuple(self.keys), checksums)

    def discard(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(OSError):  # closing flushes what a full disk has already refused
            self._file.close()
        self.data.unlink(missing_ok=True)


def read_shard(index: Path) -> Shard | None:
    """The shard of an index; None where the index or the length of its data is not what it should be."""
    try:
        content = read_json(index, schema=_SCHEMA)
        checksums = np.array(content["crc32"], np.uint32)
        shard = Shard(index, int(content["size"]), int(content["channels"]), tuple(content["keys"]), checksums)
    except (RunFolderError, LookupError, TypeError, ValueError, OverflowError):
        return None
    return shard if len(shard.keys) == len(checksums) and shard.is_whole() else None


def drop_shard(index: Path) -> None:
    """Forget a shard: the index first, so that no data file is missing under an index that counts."""
    with _disk_errors(index):
        index.unlink(missing_ok=True)
        index.with_suffix(".frames").unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left: unlocked data files without an index, and old temporaries."""
    for data in folder.glob("*.frames"):
        if not data.with_suffix(".json").exists() and _is_abandoned(data):
            data.unlink(missing_ok=True)
    for temporary in folder.glob(".*.json"):
        if _age_seconds(temporary) > _LEFTOVER_SECONDS:
            temporary.unlink(missing_ok=True)


def _is_abandoned(data: Path) -> bool:
    # A writer locks its file at once, but not in the same instant as it makes it.
    if _age_seconds(data) < _YOUNG_SECONDS:
        return False
    try:
        with data.open("rb") as file:
            locked = _try_lock(file)
            if locked is None:
                return _age_seconds(data) > _LEFTOVER_SECONDS
            # The writer may have committed between the listing and the lock.
            return locked and not data.with_suffix(".json").exists()
    except OSError:
        return False


def _try_lock(file: IO[bytes]) -> bool | None:
    """Lock a file until it is closed: whether it was free, None where the file system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _age_seconds(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _sync_folder(folder: Path) -> None:
    """Flush the renames in a folder to the disk, where the system lets a folder be opened."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunFolderError(
            f"{path.parent}: a frame store cannot be written there ({error.strerror or error}); "
            "make room or name another folder, then run again: frames stored before are kept"
        ) from error
