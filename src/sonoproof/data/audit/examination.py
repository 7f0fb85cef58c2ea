"""What the audit learns from the pixels of a cohort, all of it in one pass over the files.

```text
              -> facts       records.csv
one decoding  -> canvas      the store, read by every later stage
of each file  -> measures    detectors and probes
              -> view        the look-alike search, once every frame has been seen
```
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sonoproof import __version__
from sonoproof.data.audit.descriptors import describe_frame
from sonoproof.data.frames.journal import Journal
from sonoproof.data.frames.one_pass import FramesRead, Look, read_frames
from sonoproof.data.frames.store import FrameStore
from sonoproof.data.lookalike import Entry, LookalikeResult, ViewSpool, find_lookalikes
from sonoproof.progress import SILENT, Progress


@dataclass(frozen=True)
class Examination:
    """The frames of a cohort as the audit sees them.

    Attributes:
        records: The usable records with the columns of `FrameFacts`, numbered from 0.
        unreadable: The records whose file cannot be used, `QUARANTINE_COLUMNS`.
        measures: ``image_id`` and the measures of `describe_frame`, with the index of `records`.
        lookalikes: What the look-alike search found, or None where it was not run.
        bits: The depth of the frames; 8 where none has samples of 16 bits.
    """

    records: pd.DataFrame
    unreadable: pd.DataFrame
    measures: pd.DataFrame
    lookalikes: LookalikeResult | None
    bits: int = 8


def examine_frames(
    records: pd.DataFrame,
    *,
    store: FrameStore,
    folder: Path,
    lookalikes: bool,
    resume: bool = False,
    progress: Progress = SILENT.progress,
) -> Examination:
    """Read every frame once, put it into the store, measure it, and search for look-alikes.

    Args:
        records: One row per frame; see `read_frames`.
        store: Takes the frames; its settings say how they are decoded.
        folder: Holds what is known so far, about 110 KB per frame, and is removed at the end; a pass that was
            stopped leaves it.
        lookalikes: Whether to search for look-alikes.
        resume: Whether to continue where an earlier attempt was stopped. The frames must not have changed meanwhile.
        progress: Called with (done, of), first for the frames, then for blocks of frames and the pairs of each round.

    Raises:
        RunFolderError: The disk is full.
    """
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    cohort_is = hashlib.sha256(
        "\0".join([__version__, str(lookalikes), store.preprocessing.key(), *records["image_id"]]).encode()
    ).hexdigest()
    views = folder / "views.bin"
    with (
        Journal(folder / "frames.jsonl", of=cohort_is) as journal,
        ViewSpool(views, size=_needed_bytes(journal, views)) as spool,
    ):
        looks: dict[str, Look] = {
            "canvas": lambda frame: store.put(frame.facts.sha256, frame.pixels),
            "measures": describe_frame,
        }
        if lookalikes:
            looks["view"] = spool.look
        bits = store.preprocessing.bits
        read = read_frames(records, config=store.frames, bits=bits, looks=looks, journal=journal, progress=progress)
        found = _search(read, spool, folder, workers=store.frames.workers, progress=progress) if lookalikes else None
    shutil.rmtree(folder)
    measures = pd.DataFrame(read.seen["measures"], index=read.records.index)
    measures.insert(0, "image_id", read.records["image_id"])
    return Examination(read.records, read.quarantine, measures, found, bits or 8)


def _needed_bytes(journal: Journal, views: Path) -> int:
    """Size of the file of views up to the last one in the journal; a journal whose views are lost is begun again."""
    needed = max((Entry(*seen["view"]).end for seen in journal.kept if "view" in seen), default=0)
    if needed and not (views.is_file() and views.stat().st_size >= needed):
        journal.begin_anew()
        return 0
    return needed


def _search(
    read: FramesRead, spool: ViewSpool, folder: Path, *, workers: int | None, progress: Progress
) -> LookalikeResult:
    return find_lookalikes(
        read.records,
        [Entry(*view) for view in read.seen["view"]],
        spool=spool,
        journal=folder / "pairs.jsonl",
        workers=workers,
        progress=progress,
    )
