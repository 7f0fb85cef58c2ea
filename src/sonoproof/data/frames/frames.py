"""The frames of a run by image id, as the network sees them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.data.frames.store import FrameStore
from sonoproof.progress import SILENT, Progress
from sonoproof.types import UInt8Array


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
