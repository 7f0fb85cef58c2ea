"""The decode-once store: canvases on disk, shared by all stages and by several processes.

A canvas is named by the SHA-256 of its file; the folder by `Preprocessing.key`. What is read was written
whole: see `sonoproof.data.frames.shards`. A canvas whose checksum does not hold takes its shard with it, and is
decoded anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.concurrency import Progress, map_in_order
from sonoproof.config import FramesConfig
from sonoproof.data.frames.facts import read_named_pixels
from sonoproof.data.frames.preprocessing import Preprocessing, grey_plane
from sonoproof.data.frames.shards import Shard, ShardWriter, drop_shard, read_shard, remove_leftovers
from sonoproof.errors import RunFolderError

__all__ = ["FrameStore", "StoreWriter", "open_store"]

# A killed writer loses at most this much work in each of its two open shards.
_SHARD_BYTES: Final = 64 * 2**20

_Pixels = npt.NDArray[np.uint8]


def open_store(folder: Path, *, preprocessing: Preprocessing, frames: FramesConfig) -> FrameStore:
    """Open the store of a preprocessing, empty or not, and clear away what killed writers left in it.

    Args:
        folder: Folder of all stores; each preprocessing has a folder of its own in it.
        preprocessing: What brings a decoded frame to its canvas.
        frames: Size limit and number of threads of the decoding.
    """
    store = FrameStore(folder / preprocessing.key(), preprocessing=preprocessing, frames=frames)
    store.refresh()
    return store


class FrameStore:
    """Canvases by the SHA-256 of their files. Opened by `open_store`.

    Attributes:
        folder: Folder of the shards.
        preprocessing: What brought the frames to their canvases.
        frames: Size limit and number of threads of the decoding.
    """

    def __init__(self, folder: Path, *, preprocessing: Preprocessing, frames: FramesConfig) -> None:
        self.folder, self.preprocessing, self.frames = folder, preprocessing, frames
        self._place: dict[str, tuple[Shard, int]] = {}
        self._paths: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._place)

    def __contains__(self, key: str) -> bool:
        return key in self._place

    def refresh(self) -> None:
        """Read the indexes anew, to see what other processes have added."""
        known = {shard.index: shard for shard, _ in self._place.values()}
        self._place = {}
        remove_leftovers(self.folder)
        for index in sorted(self.folder.glob("[!.]*.json")):
            shard = known.get(index) or read_shard(index)
            if shard is None or shard.size != self.preprocessing.size:
                drop_shard(index)
            else:
                self._register(shard)

    def add(self, records: pd.DataFrame, *, progress: Progress | None = None) -> int:
        """Decode the frames that are not in the store yet, and remember where each frame's file is.

        Args:
            records: One row a frame with ``path`` and ``sha256``.
            progress: Called with (frames done, frames to be decoded).

        Returns:
            Number of frames decoded.

        Raises:
            FrameError: A file cannot be decoded, or is not the one that `sha256` was taken of.
            RunFolderError: The disk does not take it. In both cases what was stored before stays.
        """
        paths = dict(zip(records["sha256"].tolist(), records["path"].tolist(), strict=True))
        self._paths.update(paths)
        missing = [(key, path) for key, path in paths.items() if key not in self._place]
        if missing:
            self._decode(missing, progress=progress)
        return len(missing)

    def get(self, keys: Sequence[str]) -> _Pixels:
        """The canvases of some frames, in the order asked for.

        A canvas that is damaged or missing is decoded again from the file that `add` was given.

        Args:
            keys: SHA-256 of the files.

        Returns:
            RGB, (len(keys), size, size, 3) uint8.

        Raises:
            RunFolderError: A frame is not in the store and `add` was not given its file.
            FrameError: A damaged frame cannot be decoded again.
        """
        size = self.preprocessing.size
        batch = np.empty((len(keys), size, size, 3), np.uint8)
        broken = [position for position, key in enumerate(keys) if not self._read_into(batch[position], key)]
        if broken:
            self._restore(keys[position] for position in broken)
        for position in broken:
            if not self._read_into(batch[position], keys[position]):
                raise RunFolderError(f"{self.folder}: a frame just written reads back damaged; check the disk")
        return batch

    def writer(self) -> StoreWriter:
        """A context that takes decoded frames, for a stage that has them at hand (`read_frames_facts`)."""
        return StoreWriter(self)

    def _read_into(self, canvas: _Pixels, key: str) -> bool:
        """Copy a frame into `canvas`, (size, size, 3), grey repeated; False if it is missing or damaged."""
        place = self._place.get(key)
        if place is None:
            return False
        shard, row = place
        try:
            content = shard.read(row)
        except (OSError, ValueError):  # the data file is gone or shorter than its index says
            content = None
        if content is None:
            self._forget(shard)
            return False
        if content.shape[2] == 1:
            cv2.cvtColor(content, cv2.COLOR_GRAY2RGB, dst=canvas)  # a broadcast takes ten times as long
        else:
            canvas[...] = content
        return True

    def _restore(self, keys: Iterable[str]) -> None:
        """Decode again what is missing of all that `add` was told of: a damaged frame took its shard with it."""
        unknown = sorted(key for key in keys if key not in self._paths and key not in self._place)
        if unknown:
            raise RunFolderError(
                f"{self.folder}: {len(unknown)} frame(s) are missing from the store or were damaged "
                f"(first: sha256 {unknown[0][:12]}…); run the stage again to decode them"
            )
        self._decode([(key, path) for key, path in self._paths.items() if key not in self._place])

    def _forget(self, shard: Shard) -> None:
        self._place = {key: place for key, place in self._place.items() if place[0] is not shard}
        drop_shard(shard.index)

    def _register(self, shard: Shard) -> None:
        self._place.update({key: (shard, row) for row, key in enumerate(shard.keys)})

    def _decode(self, missing: Sequence[tuple[str, str]], *, progress: Progress | None = None) -> None:
        with self.writer() as writer:
            canvases = map_in_order(self._canvas_of_file, missing, workers=self.frames.workers, progress=progress)
            for (key, _), canvas in zip(missing, canvases, strict=True):
                writer.add_canvas(key, canvas)

    def _canvas_of_file(self, named: tuple[str, str]) -> _Pixels:
        key, path = named
        pixels = read_named_pixels(path, sha256=key, max_pixels=self.frames.max_pixels)
        return _grey_if_grey(self.preprocessing(pixels))


class StoreWriter:
    """Fills a store's shards; what was added counts when the context is left, shard by shard before.

    An error of the caller (a frame that cannot be decoded, an interrupt) does not cost what was added; a
    full disk costs the shard being written and no other.
    """

    def __init__(self, store: FrameStore) -> None:
        self._store = store
        self._open: dict[int, ShardWriter] = {}
        self._added: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for channels in list(self._open):
            if isinstance(error, RunFolderError):
                self._open.pop(channels).discard()
            else:
                self._commit(channels)

    def add(self, key: str, pixels: _Pixels) -> None:
        """Add a decoded frame under the SHA-256 of its file, unless it is there.

        Args:
            key: SHA-256 of the file.
            pixels: RGB, (H, W, 3) uint8.

        Raises:
            RunFolderError: The disk does not take it.
        """
        if key not in self._store:
            self.add_canvas(key, _grey_if_grey(self._store.preprocessing(pixels)))

    def add_canvas(self, key: str, canvas: _Pixels) -> None:
        """Add a canvas, (size, size, 1 or 3) uint8, under the SHA-256 of its file."""
        if key in self._added:
            return
        channels = canvas.shape[2]
        if channels not in self._open:
            self._open[channels] = ShardWriter(
                self._store.folder, size=self._store.preprocessing.size, channels=channels
            )
        self._open[channels].add(key, canvas)
        self._added.add(key)
        if self._open[channels].n_bytes >= _SHARD_BYTES:
            self._commit(channels)

    def _commit(self, channels: int) -> None:
        shard = self._open.pop(channels).commit()
        if shard is not None:
            self._store._register(shard)


def _grey_if_grey(canvas: _Pixels) -> _Pixels:
    """One channel where all three are equal everywhere: a third of the bytes, the same pixels."""
    plane = grey_plane(canvas)
    return canvas if plane is None else plane[..., None]
