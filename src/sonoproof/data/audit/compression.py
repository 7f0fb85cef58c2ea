"""How strongly a file was compressed, read from its quantisation table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

# Annex K, table K.1 of the JPEG standard, in the zigzag-free (row by row) order that Pillow gives.
_STANDARD_LUMINANCE: Final = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip


def jpeg_quality(luminance: Sequence[int] | None) -> float:
    """Quality of a JPEG on the scale of the Independent JPEG Group, 1 to 100; NaN for other files.

    Args:
        luminance: The file's luminance table, which is compared with the standard's; None where it has none.

    References:
        ITU-T T.81, Annex K.1. Independent JPEG Group, ``jcparam.c``: quality q scales the table by 5000 / q percent
        below 50 and by 200 - 2 q percent from 50 on.
    """
    if luminance is None:
        return math.nan
    table = np.asarray(luminance, dtype=np.float64)
    if table.max() <= 1:
        return 100.0
    # Entries cut off at 1 and 255 say nothing of the scale.
    free = (table > 1) & (table < 255)
    if not free.any():
        return 1.0
    percent = float(np.median(100 * table[free] / np.array(_STANDARD_LUMINANCE)[free]))
    quality = (200 - percent) / 2 if percent <= 100 else 5000 / percent
    return round(min(max(quality, 1.0), 100.0))
