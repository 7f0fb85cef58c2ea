"""A seam in the colour of a JPEG: from one block on, row by row, every block is tinted by the same amount.

Colour is stored as differences from block to block, so that one wrong difference tints all blocks after it. Echoes are
grey and colour maps are smooth, so that no picture has such an edge along the rows of blocks.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from sonoproof.types import FloatArray, IntArray, UInt8Array

_SIDE: Final = 8
_CLEAR: Final = 8.0
"""Step of a seam over its standard error. The largest of 2,500 real frames was 5; in grey frames it is 0."""

_LEAST_STEP: Final = 0.5
"""Levels of a step under which none is looked for."""

_CORRELATED: Final = 3.0
"""Neighbouring pixels are not independent: so many count as one."""


def find_colour_seam(pixels: UInt8Array, *, sampling: tuple[int, int]) -> str:
    """What is wrong with a frame whose colour changes from one block on; empty if it does not.

    Args:
        pixels: RGB, (H, W, 3).
        sampling: Columns and rows of blocks of luminance in a unit of the file.
    """
    wide, high = (_SIDE * factor for factor in sampling)
    rows = np.arange(high, pixels.shape[0] - 1, high)
    if len(rows) < 2:
        return ""
    above, below = pixels[rows - 2], pixels[rows + 1]  # the rows between are mixed when the colour is enlarged
    if all(np.array_equal(side[..., 0], side[..., channel]) for side in (above, below) for channel in (1, 2)):
        return ""
    tints = [cv2.cvtColor(side, cv2.COLOR_RGB2YCrCb)[..., 1:].astype(np.float64) for side in (below, above)]
    steps = (tints[0] - tints[1]).transpose(2, 0, 1)
    sums = steps.sum(axis=2)
    if np.abs(sums[:, :-1] + sums[:, 1:]).max() < _LEAST_STEP * pixels.shape[1]:
        return ""
    return "its colour changes from one block on" if _clearest_seam(steps, unit_px=wide) > _CLEAR else ""


def _clearest_seam(steps: FloatArray, *, unit_px: int) -> float:
    """The largest step of a seam over its standard error.

    A seam that begins in column c runs along a row of units from c on, and along the next row up to c. Both parts must
    show the step: the edge of a coloured bar is straight.

    Args:
        steps: Differences across each row of units, (2, K, W).
        unit_px: Columns of a unit.
    """
    begins = np.arange(unit_px, steps.shape[2], unit_px)
    sums, squares = (np.cumsum(np.pad(values, ((0, 0), (0, 0), (1, 0))), axis=2) for values in (steps, steps**2))
    from_here, before = [], []
    for values in (sums, squares):
        from_here.append(values[:, :-1, -1:] - values[:, :-1, begins])
        before.append(values[:, 1:, begins])
    right = _clarity(*from_here, counts=steps.shape[2] - begins)
    left = _clarity(*before, counts=begins)
    return float(np.where(np.sign(right) == np.sign(left), np.minimum(np.abs(right), np.abs(left)), 0).max())


def _clarity(sums: FloatArray, squares: FloatArray, *, counts: IntArray) -> FloatArray:
    means = sums / counts
    return np.asarray(means / np.sqrt((np.maximum(squares / counts - means**2, 0) + 2) * _CORRELATED / counts))
