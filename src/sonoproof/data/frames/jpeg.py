"""JPEG files to RGB pixels, by a decoder whose warnings are heard.

libjpeg forgives: it fills what it cannot decode, and warns. Pillow and OpenCV lose the warnings, `simplejpeg` raises
them; the pixels of all three are the same. `jpeg_blocks` and `jpeg_seam` look for damage of which
no decoder warns.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import simplejpeg
from PIL.JpegImagePlugin import JpegImageFile

from sonoproof.data.frames.jpeg_blocks import find_impossible_block
from sonoproof.data.frames.jpeg_seam import find_colour_seam
from sonoproof.data.frames.jpeg_segments import FRAME_HEADERS, START_OF_SCAN, segments
from sonoproof.errors import FrameError
from sonoproof.types import UInt8Array

_LOSSLESS: Final = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_HARMLESS: Final = ("Invalid SOS parameters", "unknown JFIF revision", "Unknown Adobe color transform")
"""Warnings about headers that some devices write; the pixels do not depend on them."""

_NOT_SUPPORTED: Final = "subsampling"
"""Sampling that TurboJPEG does not name and Pillow decodes, such as chrominance finer than luminance."""


def check_jpeg(data: bytes) -> None:
    """Check that a JPEG is whole and is of a kind that is read.

    Raises:
        FrameError: It has no end marker, more than 8 bits per sample, or is lossless.
    """
    has_end = False
    for marker, start, end in segments(data):
        if marker in _LOSSLESS:
            raise FrameError("is a lossless JPEG, which is not read; save it as PNG")
        if marker in FRAME_HEADERS and data[start : start + 1] > b"\x08":
            raise FrameError(f"is a JPEG of {data[start]} bits per sample, which is not read; save it as a 16-bit PNG")
        # In entropy-coded data a zero or a restart marker follows 0xFF, so that 0xFFD9 is a true end.
        has_end = marker == START_OF_SCAN and data.find(b"\xff\xd9", end) != -1
    if not has_end:
        raise FrameError("is truncated (the JPEG has no end marker)")


def decode_jpeg(data: bytes, image: JpegImageFile) -> UInt8Array | None:
    """Decode a JPEG, and refuse it if the decoder warns.

    Args:
        data: The file's bytes.
        image: The same as Pillow opened it; it is not decoded.

    Returns:
        RGB, (H, W, 3), or None if the pixels are left to Pillow (CMYK, rare sampling).

    Raises:
        FrameError: The file is damaged.
    """
    try:
        pixels = _decode_strictly(data, "CMYK" if image.mode == "CMYK" else "RGB")
    except ValueError as error:
        if _NOT_SUPPORTED in str(error):
            return None
        raise FrameError(_reason(str(error))) from error
    if image.mode == "CMYK":
        return None
    if fault := _find_damage(data, image, pixels):
        raise FrameError(f"is damaged ({fault})")
    return pixels


def _find_damage(data: bytes, image: JpegImageFile, pixels: UInt8Array) -> str:
    """Damage that the decoder took for data."""
    _, wide, high, table = image.layer[0]
    fault = find_impossible_block(data, table=image.quantization[table]) if _has_luminance(image) else ""
    return fault or (find_colour_seam(pixels, sampling=(wide, high)) if image.layers == 3 else "")


def _decode_strictly(data: bytes, colours: str) -> UInt8Array:
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, colours), np.uint8)
    except ValueError as error:
        if not any(warning in str(error) for warning in _HARMLESS):
            raise
        return np.asarray(simplejpeg.decode_jpeg(data, colours, strict=False), np.uint8)


def _reason(message: str) -> str:
    text = " ".join(message.partition("(): ")[2].split() or message.split())
    if text.startswith("Corrupt JPEG data"):
        return f"is damaged ({text[:120]})"
    return f"is truncated ({text[:120]})" if "Premature end" in text else f"cannot be decoded ({text[:120]})"


def _has_luminance(image: JpegImageFile) -> bool:
    """Whether the first component is the luminance, and not the red of an RGB file (Adobe's note 5116)."""
    return image.layers in (1, 3) and image.info.get("adobe_transform") != 0 and image.layer[0][0] != ord("R")
