"""The look-alike search on frames in memory, by way of files, as a run does it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import pandas as pd

from sonoproof.config import FramesConfig
from sonoproof.data.frames.one_pass import read_frames
from sonoproof.data.lookalike import LookalikeResult, ViewSpool, find_lookalikes
from sonoproof.types import UInt8Array

__all__ = ["search_files", "search_frames", "written"]


def written(frames: Mapping[str, UInt8Array], folder: Path) -> pd.DataFrame:
    """One record per frame, each written as a PNG."""
    folder.mkdir(exist_ok=True)
    paths = {name: folder / f"{number}.png" for number, name in enumerate(frames)}
    for name, path in paths.items():
        assert cv2.imwrite(str(path), frames[name][..., ::-1])
    return pd.DataFrame({"image_id": list(paths), "path": [str(path) for path in paths.values()]}, dtype="str")


def search_frames(frames: Mapping[str, UInt8Array], work: Path, *, workers: int = 0) -> LookalikeResult:
    return search_files(written(frames, work / "frames"), work, workers=workers)


def search_files(records: pd.DataFrame, work: Path, *, workers: int = 0) -> LookalikeResult:
    with ViewSpool(work / "views.bin") as spool:
        read = read_frames(records, config=FramesConfig(workers=workers), looks={"view": spool.look})
        assert not len(read.quarantine)
        journal = work / "pairs.jsonl"
        return find_lookalikes(read.records, read.seen["view"], spool=spool, journal=journal, workers=workers)
