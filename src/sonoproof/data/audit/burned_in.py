"""What a machine or a person drew over a frame: colour, burned-in text, calipers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from sonoproof.data.frames.colour import channel_extremes, is_coloured
from sonoproof.types import Float32Array, UInt8Array

_BRIGHT: Final = 110
_DARK: Final = 30
_SURROUNDINGS_PX: Final = 17
_EDGE_PX: Final = 4
_CELLS: Final = 3
_ARM_PX: Final = 4
_SIDE_PX: Final = 2 * _ARM_PX + 1
_NOISE_FLOOR: Final = 60


@dataclass(frozen=True)
class Overlays:
    """Drawn pixels of a frame.

    Attributes:
        colour_share: Share of the pixels that are coloured, 0 to 1.
        stroke_share: Share of the pixels that are bright and off the sector, as text beside it is.
        strokes: The same by cells of a 3 x 3 grid, row by row, each as a share of the frame.
        cross: Best correlation with an upright or diagonal cross of a caliper's size, -1 to 1.
    """

    colour_share: float
    stroke_share: float
    strokes: tuple[float, ...]
    cross: float


def measure_overlays(pixels: UInt8Array, *, grey: UInt8Array) -> Overlays:
    """Measure what was drawn over a frame.

    Args:
        pixels: RGB, (H, W, 3).
        grey: Its grey levels, (H, W).
    """
    strokes = (grey >= _BRIGHT) & (_near_tissue(grey) == 0)
    cells = [
        float(part.sum()) / grey.size
        for band in np.array_split(strokes, _CELLS, axis=0)
        for part in np.array_split(band, _CELLS, axis=1)
    ]
    return Overlays(
        colour_share=float(is_coloured(pixels).mean()),
        stroke_share=sum(cells),
        strokes=tuple(cells),
        cross=_best_cross(channel_extremes(pixels)[1]),
    )


def _near_tissue(grey: UInt8Array) -> UInt8Array:
    """1 where a wide median is lit, and within some pixels of it, where speckles of the sector's edge lie.

    Wider than the tissue on purpose (see `sonoproof.data.lookalike.pixels.tissue_mask`).
    """
    window = (_SURROUNDINGS_PX, _SURROUNDINGS_PX)
    bright = (grey >= _DARK).astype(np.uint8)
    # A median is at least as bright as a level where more than half of its window is: counting is faster than sorting.
    count = cv2.boxFilter(bright, cv2.CV_32F, window, normalize=False, borderType=cv2.BORDER_REPLICATE)
    lit = (count > _SURROUNDINGS_PX**2 / 2).astype(np.uint8)
    reach = np.ones((2 * _EDGE_PX + 1, 2 * _EDGE_PX + 1), np.uint8)
    return np.asarray(cv2.dilate(lit, reach), dtype=np.uint8)


def _best_cross(brightest: UInt8Array) -> float:
    """The highest normalised correlation with a cross anywhere in the frame, its edge left out."""
    if min(brightest.shape) < 2 * _SIDE_PX:
        return 0.0
    # Clipped, so that the noise of black corners resembles nothing.
    levels = np.maximum(brightest, _NOISE_FLOOR).astype(np.float32)
    box = (_SIDE_PX, _SIDE_PX)
    variance = cv2.sqrBoxFilter(levels, cv2.CV_32F, box) - cv2.blur(levels, box) ** 2
    scale = np.sqrt(np.maximum(variance, 1.0)) * _SIDE_PX
    inner = (slice(_ARM_PX, -_ARM_PX), slice(_ARM_PX, -_ARM_PX))
    responses = [cv2.filter2D(levels, cv2.CV_32F, kernel) / scale for kernel in _crosses()]
    return float(max(response[inner].max() for response in responses))


def _crosses() -> tuple[Float32Array, Float32Array]:
    """An upright and a diagonal cross, of mean zero and length one."""
    upright = np.zeros((_SIDE_PX, _SIDE_PX))
    upright[_ARM_PX, :] = upright[:, _ARM_PX] = 1
    diagonal = np.maximum(np.eye(_SIDE_PX), np.eye(_SIDE_PX)[::-1])
    centred = [cross - cross.mean() for cross in (upright, diagonal)]
    first, second = ((cross / np.linalg.norm(cross)).astype(np.float32) for cross in centred)
    return first, second
