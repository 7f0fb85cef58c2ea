"""Parts of any ultrasound frame that need no annotation: the sector, the rim of the picture, burnt-in overlays.

Attribution outside the sector is attribution to something that is no echo: a scale, a logo, an annotation, a border.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["attribution_shares", "border_mask", "overlay_mask", "sector_mask"]

Frame = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# Grey level above which a pixel is echo rather than background with JPEG noise.
_ECHO_LEVEL = 16
# Spread between the channels above which a pixel is coloured: echoes are grey.
_COLOUR_LEVELS = 48
# Grey level from which a thin structure outside the sector is text or a scale.
_TEXT_LEVEL = 96
# The rim of the picture as a share of its side: 8 px at 224, the reach of the network's first padded layers.
_RIM_SHARE = 1 / 28


def sector_mask(frame: Frame) -> Mask:
    """The ultrasound sector: the largest connected area with echoes, its dark inside (follicles, shadows) filled.

    Args:
        frame: uint8, shape (H, W, 3).

    Returns:
        Shape (H, W); nothing is true where there is no echo.
    """
    echo = (frame.max(axis=2) > _ECHO_LEVEL) & ~_coloured(frame)
    side = max(frame.shape[:2])
    opened = cv2.morphologyEx(echo.astype(np.uint8), cv2.MORPH_OPEN, _disc(side / 75))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, _disc(side / 20))
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(frame.shape[:2], dtype=np.uint8)
    if outlines:
        cv2.drawContours(filled, [max(outlines, key=cv2.contourArea)], -1, 1, thickness=cv2.FILLED)
    return filled.astype(bool)


def border_mask(frame: Frame) -> Mask:
    """The rim of the picture, shape (H, W)."""
    rim = max(1, round(max(frame.shape[:2]) * _RIM_SHARE))
    mask = np.ones(frame.shape[:2], dtype=bool)
    mask[rim:-rim, rim:-rim] = False
    return mask


def overlay_mask(frame: Frame, sector: Mask) -> Mask:
    """Burnt-in graphics: coloured pixels anywhere, and bright ones outside the sector; with a margin of two pixels."""
    bright = (frame.max(axis=2) > _TEXT_LEVEL) & ~sector
    marked = (_coloured(frame) | bright).astype(np.uint8)
    return np.asarray(cv2.dilate(marked, np.ones((5, 5), dtype=np.uint8))).astype(bool)


def attribution_shares(values: NDArray[Any], frame: Frame) -> dict[str, dict[str, float]]:
    """Share of a map's magnitude in each part, beside the share of the picture that the part takes.

    Args:
        values: Attribution, any sign, shape (H, W).
        frame: The frame, uint8, shape (H, W, 3).

    Returns:
        ``sector``, ``border`` and ``overlay``, each with ``attribution`` (NaN for a map of zeros) and ``area``; the
        parts overlap.
    """
    sector = sector_mask(frame)
    parts = {"sector": sector, "border": border_mask(frame), "overlay": overlay_mask(frame, sector)}
    magnitude = np.abs(values, dtype=np.float64)
    total = float(magnitude.sum())
    return {
        name: {
            "attribution": float(magnitude[mask].sum()) / total if total > 0 else float("nan"),
            "area": float(mask.mean()),
        }
        for name, mask in parts.items()
    }


def _coloured(frame: Frame) -> Mask:
    return np.asarray(np.ptp(frame.astype(np.int16), axis=2) > _COLOUR_LEVELS)


def _disc(radius: float) -> NDArray[np.uint8]:
    size = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), dtype=np.uint8)
