"""A large PNG with its resolution and words, written fast.

References:
    W3C (2025). Portable Network Graphics (PNG) Specification, third edition, sections 5.3, 9.2, 11.3.3.4 and 11.3.4.3.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["png_bytes"]

_METRES_PER_INCH = 0.0254
# Eight bytes of signature, then the header: length, type, 13 bytes, checksum.
_BEFORE_OTHERS = 8 + 4 + 4 + 13 + 4


def png_bytes(rgb: NDArray[np.uint8], *, dpi: float, words: Mapping[str, str]) -> bytes:
    """Encode a picture whose rows mostly resemble the row above, as those of an enlarged frame and of white paper do.

    Choosing a filter for each row, as Pillow does, takes twice the time and saves nothing here. The fastest
    compression: the slowest saves a tenth of the size and takes many times as long.

    Args:
        rgb: uint8, shape (H, W, 3).
        dpi: Dots per inch.
        words: Keyword, of Latin letters, and text of each ``iTXt`` chunk.
    """
    options = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP)
    encoded = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)[1].tobytes()
    dots_per_metre = round(dpi / _METRES_PER_INCH)
    chunks = _chunk(b"pHYs", struct.pack(">IIB", dots_per_metre, dots_per_metre, 1))
    for keyword, text in words.items():
        # Not compressed, of no language, with no translated keyword.
        chunks += _chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode())
    return encoded[:_BEFORE_OTHERS] + chunks + encoded[_BEFORE_OTHERS:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
