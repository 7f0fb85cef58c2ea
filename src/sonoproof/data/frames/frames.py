"""The frames of a run by image id: what the network sees, and the truth masks beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sonoproof.data.cohort.image_id import relative_file
from sonoproof.data.frames.facts import decode
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.data.frames.store import FrameStore
from sonoproof.errors import ConfigError
from sonoproof.progress import SILENT, Progress
from sonoproof.types import BoolArray, UInt8Array

# Grey value from which a pixel of a mask, brought to the network's size, is inside.
_INSIDE = 128


class Frames:
    """The frames of a run, from the store; what the store lacks is decoded into it.

    Args:
        records: One row per frame with ``image_id``, ``path`` and ``sha256``.
        store: Where canvases are kept.
        progress: Told how many frames are decoded.
    """

    def __init__(self, records: pd.DataFrame, *, store: FrameStore, progress: Progress = SILENT.progress) -> None:
        store.add(records, progress=progress)
        self._store = store
        self._sha256 = dict(zip(records["image_id"], records["sha256"], strict=True))

    @property
    def preprocessing(self) -> Preprocessing:
        """How the frames were brought to the network's size."""
        return self._store.preprocessing

    def __call__(self, image_ids: Sequence[str]) -> UInt8Array:
        """The frames in the order asked for, RGB (N, size, size, 3)."""
        return self._store.get(self.sha256(image_ids))

    def sha256(self, image_ids: Sequence[str]) -> list[str]:
        """The hashes of the files that the frames were decoded from."""
        return [self._sha256[image_id] for image_id in image_ids]


class Masks:
    """The truth masks of a folder, as the network sees their frames.

    Args:
        folder: PNG files named as the frames; whatever is not black is inside.
        preprocessing: How the frames are brought to the network's size.
        max_pixels: Larger files are refused.

    Raises:
        ConfigError: There is no such folder.
    """

    def __init__(self, folder: Path, *, preprocessing: Preprocessing, max_pixels: int) -> None:
        if not folder.is_dir():
            raise ConfigError(f"--masks {folder}: there is no such folder")
        self._folder, self._preprocessing, self._max_pixels = folder, preprocessing, max_pixels

    def __call__(self, image_id: str) -> BoolArray | None:
        """The mask of a frame, (size, size), or None where it has none."""
        path = (self._folder / relative_file(image_id)).with_suffix(".png")
        if not path.is_file():
            return None
        inside = decode(path, max_pixels=self._max_pixels).max(axis=2, keepdims=True) > 0
        canvas = self._preprocessing(np.repeat(np.where(inside, 255, 0).astype(np.uint8), 3, axis=2))
        return np.asarray(canvas[..., 0] >= _INSIDE)
