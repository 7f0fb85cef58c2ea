"""Which pixels are coloured: echoes are grey, so that colour was added by the machine or by a person."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from sonoproof.types import BoolArray, UInt8Array

_MIN_SPREAD: Final = 48
"""Difference of the largest and the smallest of R, G and B from which a pixel is coloured.

Grey frames that went through JPEG's colour transform stay below 10, tinted ones (blue or sepia maps) below 40.
"""


def is_coloured(pixels: UInt8Array) -> BoolArray:
    """Where an RGB frame of (H, W, 3) is coloured, (H, W)."""
    smallest, largest = channel_extremes(pixels)
    return np.asarray(largest - smallest >= _MIN_SPREAD)


def channel_extremes(pixels: UInt8Array) -> tuple[UInt8Array, UInt8Array]:
    """The smallest and the largest of R, G and B of each pixel, (H, W); ten times as fast as along the last axis."""
    red, green, blue = (np.asarray(plane, np.uint8) for plane in cv2.split(pixels))
    return np.minimum(np.minimum(red, green), blue), np.maximum(np.maximum(red, green), blue)
