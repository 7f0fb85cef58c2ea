"""Regions of any ultrasound frame that need no annotation: the sector, the border of the picture, burned-in overlays.

Attribution outside the sector is attribution to something that is no echo: a scale, a logo, an annotation, a border.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sonoproof.data.frames.colour import is_coloured
from sonoproof.types import BoolArray, UInt8Array

REGIONS = {
    "outside_sector": "what lies outside the ultrasound sector",
    "border": "the border of the picture",
    "overlay": "burned-in overlays",
}
"""Places where there is nothing to see of the anatomy, in words."""

# Grey level above which a pixel is echo rather than background with JPEG noise.
_ECHO_LEVEL = 16
# Grey level from which a thin structure outside the sector is text or a scale.
_TEXT_LEVEL = 96
# The border of the picture as a share of its side: 8 px at 224, the reach of the network's first padded layers.
_BORDER_SHARE = 1 / 28


def sector_mask(frame: UInt8Array) -> BoolArray:
    """The ultrasound sector: the largest connected area with echoes, its dark inside (follicles, shadows) included.

    Other questions about tissue have other masks: see `sonoproof.data.lookalike.pixels.tissue_mask`.

    Args:
        frame: uint8, shape (H, W, 3).

    Returns:
        Shape (H, W); all False if there is no echo.
    """
    echo = (frame.max(axis=2) > _ECHO_LEVEL) & ~is_coloured(frame)
    side = max(frame.shape[:2])
    opened = cv2.morphologyEx(echo.astype(np.uint8), cv2.MORPH_OPEN, _disc(side / 75))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, _disc(side / 20))
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(frame.shape[:2], dtype=np.uint8)
    if outlines:
        cv2.drawContours(filled, [max(outlines, key=cv2.contourArea)], -1, 1, thickness=cv2.FILLED)
    return filled.astype(bool)


def border_mask(frame: UInt8Array) -> BoolArray:
    """The border of the picture, shape (H, W)."""
    width = max(1, round(max(frame.shape[:2]) * _BORDER_SHARE))
    mask = np.ones(frame.shape[:2], dtype=bool)
    mask[width:-width, width:-width] = False
    return mask


def overlay_mask(frame: UInt8Array, sector: BoolArray) -> BoolArray:
    """Burned-in graphics: coloured pixels anywhere, and bright ones outside the sector, with a margin of two pixels."""
    bright = (frame.max(axis=2) > _TEXT_LEVEL) & ~sector
    marked = (is_coloured(frame) | bright).astype(np.uint8)
    return np.asarray(cv2.dilate(marked, np.ones((5, 5), dtype=np.uint8))).astype(bool)


def find_regions(frame: UInt8Array) -> dict[str, BoolArray]:
    """The masks ``sector``, ``border`` and ``overlay``, shape (H, W) each; they overlap."""
    sector = sector_mask(frame)
    return {"sector": sector, "border": border_mask(frame), "overlay": overlay_mask(frame, sector)}


def attribution_shares(values: NDArray[Any], frame: UInt8Array) -> dict[str, dict[str, float]]:
    """Share of a map's magnitude in each region, beside the share of the picture that the region takes.

    Args:
        values: Attribution, any sign, shape (H, W).
        frame: The frame, uint8, shape (H, W, 3).

    Returns:
        The regions of `find_regions`, each with ``attribution`` (NaN for a map of zeros) and ``area``.
    """
    magnitude = np.abs(values, dtype=np.float64)
    total = float(magnitude.sum())
    return {
        name: {
            "attribution": float(magnitude[mask].sum()) / total if total > 0 else float("nan"),
            "area": float(mask.mean()),
        }
        for name, mask in find_regions(frame).items()
    }


def _disc(radius: float) -> UInt8Array:
    size = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), dtype=np.uint8)
