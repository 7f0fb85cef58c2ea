"""The decode-once store: the canvas of each frame in a file of its own, shared by all stages and several processes.

A canvas is named by the SHA-256 of its image file, its folder by `Preprocessing.key`. Its file holds the raw pixels
(one plane where the frame is grey) and their CRC-32. It is written under another name and then renamed, so that
whoever reads finds a whole canvas or none, however many write and whenever they are killed. Nothing waits for the disk:
what a power cut leaves damaged is found by its checksum and decoded again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pandas as pd

from sonoproof.concurrency import map_in_order
from sonoproof.config import FramesConfig
from sonoproof.data.frames.facts import read_frame
from sonoproof.data.frames.preprocessing import Preprocessing, grey_plane
from sonoproof.errors import FrameError, RunFolderError
from sonoproof.progress import SILENT, Progress
from sonoproof.runfolder import atomic_path
from sonoproof.types import UInt8Array

_CHECKSUM_BYTES: Final = 4


def open_store(folder: Path, *, preprocessing: Preprocessing, frames: FramesConfig) -> FrameStore:
    """Open the store of a preprocessing, empty or not.

    Args:
        folder: Folder of all stores; each preprocessing has a folder of its own in it.
        preprocessing: What brings a decoded frame to its canvas.
        frames: Size limit and number of threads of the decoding.
    """
    return FrameStore(folder / preprocessing.key(), preprocessing=preprocessing, frames=frames)


class FrameStore:
    """Canvases by the SHA-256 of their image files. Opened by `open_store`.

    Attributes:
        folder: Folder of the canvases.
        preprocessing: What brought the frames to their canvases.
        frames: Size limit and number of threads of the decoding.
    """

    def __init__(self, folder: Path, *, preprocessing: Preprocessing, frames: FramesConfig) -> None:
        self.folder, self.preprocessing, self.frames = folder, preprocessing, frames
        self._grey_bytes = preprocessing.size**2
        self._paths: dict[str, str] = {}
        self._intact: set[str] = set()

    def __len__(self) -> int:
        return sum(1 for _ in self.folder.glob("*/[!.]*"))

    def __contains__(self, key: str) -> bool:
        try:
            return self._channels(self._file(key).stat().st_size) > 0
        except OSError:
            return False

    def put(self, key: str, pixels: UInt8Array) -> None:
        """Keep a decoded frame, unless it is there; may be called from several threads and processes at once.

        Args:
            key: SHA-256 of the image file.
            pixels: RGB, (H, W, 3).

        Raises:
            RunFolderError: The canvas cannot be written.
        """
        if key not in self:
            self._write(key, self.preprocessing(pixels))

    def add(self, records: pd.DataFrame, *, progress: Progress = SILENT.progress) -> int:
        """Decode the frames that are not in the store yet, and remember where each frame's file is.

        Args:
            records: One row per frame with ``path`` and ``sha256``.
            progress: Called with (frames done, frames to be decoded).

        Returns:
            Number of frames decoded.

        Raises:
            FrameError: A file cannot be decoded, or is not the one that `sha256` was taken of.
            RunFolderError: A canvas cannot be written. In both cases what was stored before stays.
        """
        paths = dict(zip(records["sha256"].tolist(), records["path"].tolist(), strict=True))
        self._paths.update(paths)
        missing = [key for key in paths if key not in self]
        self._decode(missing, progress=progress)
        return len(missing)

    def get(self, keys: Sequence[str]) -> UInt8Array:
        """The canvases of some frames, in the order asked for.

        A canvas that is damaged or missing is decoded again from the file that `add` was given.

        Args:
            keys: SHA-256 of the image files.

        Returns:
            RGB, (len(keys), size, size, 3).

        Raises:
            RunFolderError: A frame is not in the store and `add` was not given its file.
            FrameError: A damaged frame cannot be decoded again.
        """
        size = self.preprocessing.size
        batch = np.empty((len(keys), size, size, 3), np.uint8)
        broken = [position for position, key in enumerate(keys) if not self._read_into(batch[position], key)]
        if broken:
            self._restore({keys[position] for position in broken})
        for position in broken:
            if not self._read_into(batch[position], keys[position]):
                raise RunFolderError(f"{self.folder}: a frame just written reads back damaged; check the disk")
        return batch

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def _channels(self, file_bytes: int) -> int:
        """Channels of the canvas in a file of this size: 1 or 3, or 0 where the file is not whole."""
        channels, rest = divmod(file_bytes - _CHECKSUM_BYTES, self._grey_bytes)
        return channels if channels in (1, 3) and rest == 0 else 0

    def _read_into(self, canvas: UInt8Array, key: str) -> bool:
        """Copy a frame into `canvas`, (size, size, 3), grey repeated; False if it is missing or damaged."""
        try:
            with self._file(key).open("rb", buffering=0) as file:
                content = file.read()
        except OSError:
            return False
        channels = self._channels(len(content))
        if channels == 0 or not self._is_intact(key, content):
            return False
        pixels = np.frombuffer(content, np.uint8, self._grey_bytes * channels).reshape(*canvas.shape[:2], channels)
        if channels == 1:
            cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB, dst=canvas)  # a broadcast takes ten times as long
        else:
            canvas[...] = pixels
        return True

    def _is_intact(self, key: str, content: bytes) -> bool:
        """Whether the checksum holds; it is computed once per process."""
        if key not in self._intact:
            pixels, checksum = memoryview(content)[:-_CHECKSUM_BYTES], content[-_CHECKSUM_BYTES:]
            if zlib.crc32(pixels) != int.from_bytes(checksum, "little"):
                return False
            self._intact.add(key)
        return True

    def _restore(self, keys: Iterable[str]) -> None:
        unknown = sorted(key for key in keys if key not in self._paths)
        if unknown:
            raise RunFolderError(
                f"{self.folder}: {len(unknown)} frame(s) are missing from the store or were damaged "
                f"(first: sha256 {unknown[0][:12]}…); run the stage again to decode them"
            )
        self._decode(sorted(keys))

    def _decode(self, keys: Sequence[str], *, progress: Progress = SILENT.progress) -> None:
        def decode(key: str) -> None:
            limit, bits = self.frames.max_pixels, self.preprocessing.bits
            frame = read_frame(self._paths[key], max_pixels=limit, bits=bits)
            if frame.facts.sha256 != key:
                raise FrameError("has changed since the cohort was read; start a new run", path=self._paths[key])
            self._write(key, self.preprocessing(frame.pixels))

        for _ in map_in_order(decode, keys, workers=self.frames.workers, progress=progress):
            pass

    def _write(self, key: str, canvas: UInt8Array) -> None:
        plane = grey_plane(canvas)  # of a frame whose channels are equal: a third of the bytes, the same pixels
        content = (canvas if plane is None else plane).tobytes()
        with atomic_path(self._file(key), durable=False) as partial:
            partial.write_bytes(content + zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "little"))
        self._intact.discard(key)
