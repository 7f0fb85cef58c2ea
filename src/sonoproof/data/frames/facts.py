"""One image file: its bytes are read once, and give its hash, its pixels and what it says about itself."""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from sonoproof.data.frames.decode import DecodedFrame, decode_bytes, may_be_deep, needs_depth
from sonoproof.errors import FrameError
from sonoproof.types import UInt8Array

# No format read here needs more bytes per pixel (RGBA, 16 bit) than this, metadata aside.
_MAX_BYTES_PER_PIXEL: Final = 8
_MAX_METADATA_BYTES: Final = 64 * 2**20


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
        bits: Bits that its samples need; 8 for files that are not deeper.
        overlay: Share of its samples above the white of the cohort.
    """

    sha256: str
    pixel_sha256: str
    width: int
    height: int
    format: str
    mode: str
    file_bytes: int
    bits: int = 8
    overlay: float = 0.0


@dataclass(frozen=True)
class ReadFrame:
    """A frame while its pixels are at hand.

    Attributes:
        facts: What goes into ``records.csv``.
        pixels: RGB, (H, W, 3), upright.
        jpeg_luminance: See `DecodedFrame`.
    """

    facts: FrameFacts
    pixels: UInt8Array
    jpeg_luminance: tuple[int, ...] | None


def decode(source: Path | str | bytes, *, max_pixels: int, bits: int | None = None) -> UInt8Array:
    """Decode an image file to upright RGB pixels. See `sonoproof.data.frames.decode` for what a pixel means.

    Args:
        source: Path of the file, or its bytes.
        max_pixels: Images with more pixels than this are refused from their header alone.
        bits: The depth of 16-bit samples; None for each file's own.

    Returns:
        RGB pixels, (H, W, 3).

    Raises:
        FrameError: The file cannot be used; says why.
    """
    if isinstance(source, bytes):
        return decode_bytes(source, max_pixels=max_pixels, bits=bits).pixels
    return _read(Path(source), max_pixels=max_pixels, bits=bits)[1].pixels


def bits_of_deep_file(path: Path | str, *, max_pixels: int) -> int | None:
    """Bits that the samples of a 16-bit file need; None for other files and for those that cannot be read."""
    try:
        with Path(path).open("rb") as file:
            if not may_be_deep(file.read(32)):
                return None
        data = _read_bytes(Path(path), most_bytes=_most_bytes(max_pixels))
        return decode_bytes(data, max_pixels=max_pixels).bits if needs_depth(data) else None
    except (FrameError, OSError, ValueError):  # reading it again says why
        return None


def read_frame(path: Path | str, *, max_pixels: int, bits: int | None = None) -> ReadFrame:
    """Read and decode an image file once.

    Hash and pixels come from the same bytes, so that a file changed meanwhile cannot give one of each.

    Raises:
        FrameError: The file cannot be used; says why.
    """
    data, decoded = _read(Path(path), max_pixels=max_pixels, bits=bits)
    height, width = decoded.pixels.shape[:2]
    facts = FrameFacts(
        sha256=hashlib.sha256(data).hexdigest(),
        pixel_sha256=pixel_sha256(decoded.pixels),
        width=width,
        height=height,
        format=decoded.format,
        mode=decoded.mode,
        file_bytes=len(data),
        bits=decoded.bits,
        overlay=decoded.overlay,
    )
    return ReadFrame(facts, decoded.pixels, decoded.jpeg_luminance)


def pixel_sha256(pixels: UInt8Array) -> str:
    """SHA-256 of width, height (little-endian 32-bit) and the RGB bytes, row by row.

    Args:
        pixels: (H, W, 3).
    """
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(struct.pack("<II", width, height))
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _read(path: Path, *, max_pixels: int, bits: int | None) -> tuple[bytes, DecodedFrame]:
    data = _read_bytes(path, most_bytes=_most_bytes(max_pixels))
    try:
        return data, decode_bytes(data, max_pixels=max_pixels, bits=bits)
    except FrameError as error:
        raise FrameError(error.reason, path=path) from error


def _most_bytes(max_pixels: int) -> int:
    return max_pixels * _MAX_BYTES_PER_PIXEL + _MAX_METADATA_BYTES


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
