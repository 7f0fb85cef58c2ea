"""Frames on disk: decoding, content hashes and the facts that stand in ``records.csv``.

A file that cannot be used becomes a quarantine row with its reason; it is never replaced by another frame or
by zeros.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from sonoproof.concurrency import Progress, map_in_order
from sonoproof.config import FramesConfig
from sonoproof.data.frames.decode import DecodedFrame, decode_bytes
from sonoproof.errors import FrameError
from sonoproof.runfolder import QUARANTINE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FrameFacts",
    "decode",
    "inspect",
    "pixel_sha256",
    "read_frame",
    "read_frames_facts",
    "read_named_pixels",
]

# No format read here needs more bytes a pixel (RGBA, 16 bit) than this, metadata aside.
_MAX_BYTES_PER_PIXEL: Final = 8
_MAX_METADATA_BYTES: Final = 64 * 2**20

Decoded = Callable[[str, npt.NDArray[np.uint8]], None]


@dataclass(frozen=True)
class FrameFacts:
    """What is known of a frame once it was decoded.

    Attributes:
        sha256: Hash of the file's bytes.
        pixel_sha256: Hash of the decoded pixels, the same whatever file format holds them.
        width: Width in pixels, upright.
        height: Height in pixels, upright.
        format: ``JPEG``, ``PNG``, ``BMP`` or ``TIFF``.
        mode: Pixel layout of the file in Pillow's words (``L``, ``RGB``, ``P``, ``I;16``, …).
        file_bytes: Size of the file in bytes.
    """

    sha256: str
    pixel_sha256: str
    width: int
    height: int
    format: str
    mode: str
    file_bytes: int


def decode(source: Path | str | bytes, *, max_pixels: int) -> npt.NDArray[np.uint8]:
    """Decode an image file to upright RGB pixels. See `sonoproof.data.frames.decode` for what a pixel means.

    Args:
        source: Path of the file, or its bytes.
        max_pixels: Images with more pixels than this are refused from their header alone.

    Returns:
        RGB pixels, (H, W, 3) uint8.

    Raises:
        FrameError: The file cannot be used; says why.
    """
    if isinstance(source, bytes):
        return decode_bytes(source, max_pixels=max_pixels).pixels
    return _read(Path(source), max_pixels=max_pixels)[1].pixels


def inspect(path: Path | str, *, max_pixels: int) -> FrameFacts:
    """Decode an image file and say what it is.

    Raises:
        FrameError: The file cannot be used; says why.
    """
    return read_frame(path, max_pixels=max_pixels)[0]


def read_frame(path: Path | str, *, max_pixels: int) -> tuple[FrameFacts, npt.NDArray[np.uint8]]:
    """Read an image file once and return its facts and its RGB pixels, (H, W, 3) uint8.

    Hash and pixels come from the same bytes, so that a file changed meanwhile cannot give one of each.

    Raises:
        FrameError: The file cannot be used; says why.
    """
    data, decoded = _read(Path(path), max_pixels=max_pixels)
    height, width = decoded.pixels.shape[:2]
    facts = FrameFacts(
        sha256=hashlib.sha256(data).hexdigest(),
        pixel_sha256=pixel_sha256(decoded.pixels),
        width=width,
        height=height,
        format=decoded.format,
        mode=decoded.mode,
        file_bytes=len(data),
    )
    return facts, decoded.pixels


def read_named_pixels(path: Path | str, *, sha256: str, max_pixels: int) -> npt.NDArray[np.uint8]:
    """Read an image file that was read before.

    Args:
        path: The file.
        sha256: Hash of its bytes when it was read before.
        max_pixels: Images with more pixels than this are refused from their header alone.

    Returns:
        RGB pixels, (H, W, 3) uint8.

    Raises:
        FrameError: The file cannot be used, or has changed since.
    """
    data, decoded = _read(Path(path), max_pixels=max_pixels)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise FrameError("has changed since the cohort was read; start a new run", path=path)
    return decoded.pixels


def pixel_sha256(pixels: npt.NDArray[np.uint8]) -> str:
    """SHA-256 of width, height (little-endian 32-bit) and the RGB bytes, row by row.

    Args:
        pixels: (H, W, 3) uint8.
    """
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(struct.pack("<II", width, height))
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def read_frames_facts(
    records: pd.DataFrame,
    *,
    config: FramesConfig,
    progress: Progress | None = None,
    decoded: Decoded | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decode every frame and add its facts to the records.

    Args:
        records: One row a frame with at least ``image_id`` and ``path``; ``sheet_row``, ``reference``,
            ``origin``, ``sheet`` and ``cell`` go into the quarantine row where they are there.
        config: Size limit and number of threads.
        progress: Called with (frames done, frames in all).
        decoded: Called with (sha256, RGB pixels) of each usable frame, in the records' order, so that a store
            can be filled while the pixels are at hand.

    Returns:
        The usable records with the columns of `FrameFacts`, and the quarantine rows (`QUARANTINE_COLUMNS`).
        Together they have as many rows as `records`.
    """
    outcomes: list[FrameFacts | str] = []
    read = partial(_facts_or_reason, max_pixels=config.max_pixels, with_pixels=decoded is not None)
    paths = records["path"].tolist()
    for outcome, pixels in map_in_order(read, paths, workers=config.workers, progress=progress):
        outcomes.append(outcome)
        if decoded is not None and pixels is not None and isinstance(outcome, FrameFacts):
            decoded(outcome.sha256, pixels)
    return _with_facts(records, outcomes), _quarantine(records, outcomes)


def _facts_or_reason(
    path: str, *, max_pixels: int, with_pixels: bool
) -> tuple[FrameFacts | str, npt.NDArray[np.uint8] | None]:
    try:
        facts, pixels = read_frame(path, max_pixels=max_pixels)
    except FrameError as error:
        return error.reason, None
    return facts, pixels if with_pixels else None


def _with_facts(records: pd.DataFrame, outcomes: list[FrameFacts | str]) -> pd.DataFrame:
    import pandas as pd  # slow to import, and decoding one frame needs no table

    usable = [isinstance(outcome, FrameFacts) for outcome in outcomes]
    kept = records.loc[usable].reset_index(drop=True)
    facts = [asdict(outcome) for outcome in outcomes if isinstance(outcome, FrameFacts)]
    table = pd.DataFrame(facts, columns=[field.name for field in fields(FrameFacts)])
    return pd.concat([kept.drop(columns=list(table.columns), errors="ignore"), table], axis=1)


def _quarantine(records: pd.DataFrame, outcomes: list[FrameFacts | str]) -> pd.DataFrame:
    import pandas as pd

    rows = [
        {**_place(record), "reason": outcome}
        for record, outcome in zip(records.to_dict("records"), outcomes, strict=True)
        if isinstance(outcome, str)
    ]
    return pd.DataFrame(rows, columns=list(QUARANTINE_COLUMNS))


def _place(record: dict[Any, Any]) -> dict[str, Any]:
    reference = record.get("reference", record["image_id"])
    place = {column: record.get(column, "") for column in QUARANTINE_COLUMNS}
    return {**place, "reference": reference, "value": record.get("value", reference)}


def _read(path: Path, *, max_pixels: int) -> tuple[bytes, DecodedFrame]:
    data = _read_bytes(path, most_bytes=max_pixels * _MAX_BYTES_PER_PIXEL + _MAX_METADATA_BYTES)
    try:
        return data, decode_bytes(data, max_pixels=max_pixels)
    except FrameError as error:
        raise FrameError(error.reason, path=path) from error


def _read_bytes(path: Path, *, most_bytes: int) -> bytes:
    try:
        if not path.is_file():  # also keeps a named pipe from blocking for ever
            raise FrameError("is not a file" if path.exists() else "does not exist", path=path)
        with path.open("rb") as file:
            file_bytes = os.fstat(file.fileno()).st_size
            if file_bytes > most_bytes:
                raise FrameError(f"has {file_bytes} bytes, more than any image of frames.max_pixels", path=path)
            return file.read()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise FrameError(f"cannot be read ({getattr(error, 'strerror', None) or error})", path=path) from error
