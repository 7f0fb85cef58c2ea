"""Maps laid over a frame so that the frame stays legible: colour shows the sign, opacity the size.

Both colours are of the palette of Okabe and Ito and differ in lightness as well as in hue, so that the sign can be
seen with every common form of colour blindness.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sonoproof.types import UInt8Array

_NEGATIVE = np.array([0x56, 0xB4, 0xE9], dtype=np.float32)  # sky blue
_POSITIVE = np.array([0xFF, 0x7F, 0x0E], dtype=np.float32)  # orange
_PLAIN = np.array([0xF0, 0xE4, 0x42], dtype=np.float32)  # yellow
# The frame is dimmed under a map, so that no bright tissue is mistaken for attribution.
_DIMMED = 0.6


def overlay(frame: UInt8Array, values: NDArray[np.floating], *, scale: float, signed: bool) -> UInt8Array:
    """Lay a map over a frame.

    Args:
        frame: uint8, shape (H, W, 3).
        values: One value per pixel, shape (H, W).
        scale: Value of full opacity, at least 0; larger values look the same.
        signed: Whether the sign is shown by two colours; otherwise magnitudes are shown by one.

    Returns:
        RGB, uint8, shape (H, W, 3).
    """
    luminance = frame.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    grey = np.repeat((_DIMMED * luminance)[..., None], 3, axis=2)
    return _laid_over(grey, values, scale=scale, signed=signed)


def bar(*, signed: bool, length: int = 256) -> UInt8Array:
    """The colour bar of `overlay` over black, from the lowest to the highest value, shape (1, length, 3)."""
    values = np.linspace(-1.0 if signed else 0.0, 1.0, length)[None]
    return _laid_over(np.zeros((1, length, 3), dtype=np.float32), values, scale=1.0, signed=signed)


def _laid_over(ground: NDArray[np.float32], values: NDArray[np.floating], *, scale: float, signed: bool) -> UInt8Array:
    share = values / scale if scale > 0 else np.zeros_like(values)
    opacity = np.minimum(np.abs(share), 1.0)[..., None]
    colour = np.where(share[..., None] < 0, _NEGATIVE, _POSITIVE) if signed else _PLAIN
    mixed = (1.0 - opacity) * ground + opacity * colour
    return np.asarray(np.rint(mixed), dtype=np.uint8)
