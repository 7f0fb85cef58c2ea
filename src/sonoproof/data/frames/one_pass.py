"""One pass over the frames: each file is read and decoded once, and all that needs its pixels is done then.

A file that cannot be used becomes a quarantine row with its reason; it is never replaced by another frame or by zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any

import pandas as pd

from sonoproof.concurrency import map_in_order
from sonoproof.config import FramesConfig
from sonoproof.data.frames.depth import Depth, agree_on_depth
from sonoproof.data.frames.facts import FrameFacts, ReadFrame, bits_of_deep_file, read_frame
from sonoproof.data.frames.journal import Journal
from sonoproof.errors import FrameError
from sonoproof.progress import SILENT, Progress
from sonoproof.runfolder import QUARANTINE_COLUMNS

Look = Callable[[ReadFrame], Any]
"""What is done with a frame while its pixels are at hand, called in threads; what it returns can be written as JSON."""


@dataclass(frozen=True)
class FramesRead:
    """The frames of a cohort after the pass.

    Attributes:
        records: The usable records with the columns of `FrameFacts`, numbered from 0.
        quarantine: The other ones, `QUARANTINE_COLUMNS`. Together they have as many rows as there were records.
        seen: By the name of each look what it returned for each row of `records`.
    """

    records: pd.DataFrame
    quarantine: pd.DataFrame
    seen: Mapping[str, list[Any]]


def read_frames(
    records: pd.DataFrame,
    *,
    config: FramesConfig,
    bits: int | None = None,
    looks: Mapping[str, Look] = MappingProxyType({}),
    journal: Journal | None = None,
    progress: Progress = SILENT.progress,
) -> FramesRead:
    """Read every frame, add its facts to the records, and let each look see its pixels.

    Two decoded frames per thread are in memory at a time.

    Args:
        records: One row per frame with at least ``image_id`` and ``path``; ``sheet_row``, ``reference``, ``origin``,
            ``sheet`` and ``cell`` go into the quarantine row where they are there.
        config: Size limit and number of threads.
        bits: The depth of the cohort's 16-bit samples (`find_depth`); None for each file's own.
        looks: What is done with each usable frame, by name.
        journal: Keeps what was seen of each frame; frames that an earlier attempt saw are not read again.
        progress: Called with (frames done, frames in all).

    Raises:
        Exception: Whatever a look raises.
    """

    def read(path: str) -> dict[str, Any]:
        try:
            frame = read_frame(path, max_pixels=config.max_pixels, bits=bits)
        except FrameError as error:
            return {"unusable": error.reason}
        return {"facts": asdict(frame.facts), **{name: look(frame) for name, look in looks.items()}}

    outcomes: list[dict[str, Any]] = [] if journal is None else list(journal.kept)
    before, paths = len(outcomes), records["path"].tolist()
    for outcome in map_in_order(
        read, paths[before:], workers=config.workers, progress=lambda done, rest: progress(before + done, before + rest)
    ):
        if journal is not None:
            journal.append(outcome)
        outcomes.append(outcome)
    return _joined(records, outcomes, looks=list(looks))


def find_depth(paths: Sequence[str], *, config: FramesConfig, progress: Progress = SILENT.progress) -> Depth:
    """The depth of a cohort's frames; only files with samples of 16 bits are decoded.

    Args:
        paths: The files.
        config: Size limit and number of threads.
        progress: Called with (files done, files in all).
    """

    def bits(path: str) -> int | None:
        return bits_of_deep_file(path, max_pixels=config.max_pixels)

    needs = map_in_order(bits, paths, workers=config.workers, progress=progress)
    return agree_on_depth([need for need in needs if need is not None])


def _joined(records: pd.DataFrame, outcomes: Sequence[Mapping[str, Any]], *, looks: Sequence[str]) -> FramesRead:
    usable = [outcome for outcome in outcomes if "facts" in outcome]
    kept = records.loc[["facts" in outcome for outcome in outcomes]].reset_index(drop=True)
    facts = pd.DataFrame([outcome["facts"] for outcome in usable], columns=[field.name for field in fields(FrameFacts)])
    lost = [
        {**_place(record), "reason": outcome["unusable"]}
        for record, outcome in zip(records.to_dict("records"), outcomes, strict=True)
        if "unusable" in outcome
    ]
    return FramesRead(
        records=pd.concat([kept.drop(columns=list(facts.columns), errors="ignore"), facts], axis=1),
        quarantine=pd.DataFrame(lost, columns=list(QUARANTINE_COLUMNS)),
        seen={name: [outcome[name] for outcome in usable] for name in looks},
    )


def _place(record: Mapping[Any, Any]) -> dict[str, Any]:
    reference = record.get("reference", record["image_id"])
    place = {column: record.get(column, "") for column in QUARANTINE_COLUMNS}
    return {**place, "reference": reference, "value": record.get("value", reference)}
