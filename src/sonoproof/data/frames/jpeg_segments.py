"""The segments of a JPEG file before its entropy-coded data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

START_OF_SCAN: Final = 0xDA
QUANTISATION_TABLES: Final = 0xDB
FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, begin and end of the content of each segment, up to the first scan header.

    References:
        ITU-T T.81, B.1.1 and B.2.1.
    """
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        # A fill byte, or a marker without a length.
        if marker in (0x01, 0xFF) or 0xD0 <= marker <= 0xD7:
            position += 1 if marker == 0xFF else 2
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4])
        yield marker, position + 4, end
        if marker == START_OF_SCAN:
            return
        position = end
