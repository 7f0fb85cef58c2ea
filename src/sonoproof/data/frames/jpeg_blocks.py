"""Blocks that no encoder writes: damage that a JPEG decoder takes for data.

A changed byte often leaves codes that can be read. The blocks there are then noise, and every later block is brighter
or darker by one amount, for a JPEG stores the brightness of a block as the difference from the one before. An encoder
starts from levels of 0 to 255 and rounds, so that what it writes leaves this range by no more than its rounding does. A
decoder cuts the excess off. To see it, the file is decoded once more with all quantisation steps halved: at half the
contrast, where nothing is cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import simplejpeg

from sonoproof.data.frames.jpeg_segments import QUANTISATION_TABLES, segments
from sonoproof.types import Float32Array, UInt8Array

_SIDE: Final = 8
_SLACK: Final = 1.5
"""Levels by which a mean may be off: the levels of the plane and of the means are whole numbers."""

_LOW: Final = 64
_HIGH: Final = 192
"""Black and white at half the contrast."""

_MOST_SUSPECTS: Final = 48
"""Blocks that leave the range most are looked at again; so few are transformed in one thread."""

_UNSURE_LIMIT: Final = 1.25
"""The same limit where steps of 1 cannot be halved: there the coefficients are known less exactly."""

_DCT: Final = np.kron(*2 * (cv2.dct(np.eye(_SIDE, dtype=np.float32), flags=cv2.DCT_ROWS).T,))
"""The transform of a block that is written row by row, (64, 64) (ITU-T T.81, A.3.3)."""


def find_impossible_block(data: bytes, *, table: Sequence[int]) -> str:
    """What is wrong with a JPEG that has a block which no encoder writes; empty if there is none.

    Args:
        data: The file's bytes; its first component is the luminance.
        table: The quantisation steps of the luminance, 64 numbers row by row.
    """
    plane = _at_half_contrast(data)
    if not plane.size:
        return ""
    steps = np.asarray(table, np.float32)
    if _mean_beyond_range(plane, step=float(steps[0])) > _SLACK:
        return "it has blocks darker than black or brighter than white"
    if _excess(plane, steps) > 1:
        return "it has blocks that no picture gives"
    return ""


def _at_half_contrast(data: bytes) -> UInt8Array:
    """The luminance at half its contrast around the level 128, whole blocks only, (H, W)."""
    plane = np.asarray(simplejpeg.decode_jpeg(_with_halved_steps(data), "GRAY", strict=False), np.uint8)[..., 0]
    height, width = (side // _SIDE * _SIDE for side in plane.shape)
    return plane[:height, :width]


def _with_halved_steps(data: bytes) -> bytes:
    changed = bytearray(data)
    for marker, begin, end in segments(data):
        position = begin
        while marker == QUANTISATION_TABLES and position < end:
            dtype = np.dtype(">u2" if data[position] >> 4 else "u1")  # T.81, B.2.4.1
            stop = position + 1 + _SIDE**2 * dtype.itemsize
            steps = np.frombuffer(data[position + 1 : stop], dtype).astype(np.float32)
            changed[position + 1 : stop] = _halved(steps).astype(dtype).tobytes()
            position = stop
    return bytes(changed)


def _halved(steps: Float32Array) -> Float32Array:
    return np.maximum(1, (steps + 1) // 2)


def _mean_beyond_range(plane: UInt8Array, *, step: float) -> float:
    """Levels by which the mean of a block is below 0 or above 255, beyond half a quantisation step."""
    contrast = max(1, (step + 1) // 2) / step
    means = 128 + (_block_means(plane) - 128.0) / contrast
    rounding = step / 2 / _SIDE  # the mean of a block is its first coefficient, divided by 8
    return float(max(-means.min(), means.max() - 255) - rounding)


def _excess(plane: UInt8Array, steps: Float32Array) -> float:
    """The largest excess of a block over 0 to 255, its root of squares, in units of what rounding can cause."""
    limit = np.sqrt((steps**2).sum()) / 2
    grid = plane.reshape(plane.shape[0] // _SIDE, _SIDE, plane.shape[1] // _SIDE, _SIDE)
    darkest, brightest = (by(by(grid, 1), 2) for by in (np.min, np.max))  # the long axis first: ten times as fast
    beyond = np.maximum(_LOW - darkest.astype(np.int16), brightest.astype(np.int16) - _HIGH)
    many = min(_MOST_SUSPECTS, beyond.size)
    suspects = np.argpartition(beyond, beyond.size - many, axis=None)[-many:]
    rows, columns = np.unravel_index(suspects[2 * _SIDE * beyond.ravel()[suspects] > limit], beyond.shape)
    halved = _halved(steps)
    blocks = grid[rows, :, columns].reshape(-1, _SIDE**2)
    if steps.min() < 2:  # a step of 1 is not halved: the contrast may still be too high, and values cut off
        blocks = blocks[(blocks.min(axis=1) > 0) & (blocks.max(axis=1) < 255)]
    coefficients = np.rint((blocks.astype(np.float32) - 128) @ _DCT.T / halved)
    levels = coefficients * steps @ _DCT + 128
    squares = (np.maximum(np.maximum(-levels, levels - 255) - 1, 0) ** 2).sum(axis=1)
    return float(np.sqrt(squares.max(initial=0)) / limit / (1 if halved.min() > 1 else _UNSURE_LIMIT))


def _block_means(plane: UInt8Array | Float32Array) -> Float32Array:
    rows, columns = (side // _SIDE for side in plane.shape)
    return np.asarray(cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
