"""The measures of a frame that detectors and probes work with."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from sonoproof.data.audit.burned_in import measure_overlays
from sonoproof.data.audit.compression import jpeg_quality
from sonoproof.data.frames.facts import ReadFrame
from sonoproof.types import UInt8Array

_DARK: Final = 20
_FLAT: Final = 3.0
_STEP: Final = 6.0
_RIM: Final = 0.04
_CELLS: Final = 8

SIDES: Final = ("top", "bottom", "left", "right")
STROKE_COLUMNS: Final = tuple(f"stroke_{row}{column}" for row in range(3) for column in range(3))
BORDER_COLUMNS: Final = tuple(
    f"rim_{side}_{cell}_{measure}" for side in SIDES for cell in range(_CELLS) for measure in ("mean", "deviation")
)


def describe_frame(frame: ReadFrame) -> dict[str, float]:
    """The measures of one frame.

    Returns:
        By name, in the order of ``frames.csv``; shares are of the frame's pixels, 0 to 1, levels are 0 to 255:

        - ``jpeg_quality``: 1 to 100, NaN for other files;
        - ``colour_share``, ``stroke_share``, ``cross``, `STROKE_COLUMNS`: see `Overlays`;
        - ``brightness``: median level of what is not dark: the gain, little moved by how much of a frame is tissue;
        - ``contrast``: standard deviation of the grey levels;
        - ``dark_share``: pixels below level 20;
        - ``detail``: mean absolute Laplacian of what is not dark, in levels;
        - ``flat_top`` … ``flat_right``: lines from that edge that are one level, as a share of the height or width;
        - ``open_sides``: sides of four along which tissue reaches the edge over more than 60 % of its length;
        - `BORDER_COLUMNS`: mean and deviation of eight stretches of each side's outer 4 %.
    """
    grey = np.asarray(cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    overlays = measure_overlays(frame.pixels, grey=grey)
    lit = grey >= _DARK
    some, edges = bool(lit.any()), np.abs(cv2.Laplacian(grey, cv2.CV_16S))
    inwards = {"top": grey, "bottom": grey[::-1], "left": grey.T, "right": grey.T[::-1]}
    return {
        "jpeg_quality": jpeg_quality(frame.jpeg_luminance),
        "colour_share": overlays.colour_share,
        "stroke_share": overlays.stroke_share,
        "cross": overlays.cross,
        "brightness": _median(grey[lit]) if some else 0.0,
        "contrast": float(grey.std()),
        "dark_share": float(1 - lit.mean()),
        "detail": float(edges[lit].mean()) if some else 0.0,
        **{f"flat_{side}": _flat_share(lines) for side, lines in inwards.items()},
        "open_sides": sum(float(np.mean(strip >= _DARK)) > 0.6 for strip in _strips(grey, depth=2)),
        **dict(zip(STROKE_COLUMNS, overlays.strokes, strict=True)),
        **dict(zip(BORDER_COLUMNS, _rim(grey), strict=True)),
    }


def _median(levels: UInt8Array) -> float:
    """The median, from counts: there are only 256 levels, and sorting takes ten times as long."""
    below = np.cumsum(np.bincount(levels, minlength=256))
    middle = np.searchsorted(below, [(len(levels) + 1) // 2, len(levels) // 2 + 1])
    return float(middle.mean())


def _flat_share(lines: UInt8Array) -> float:
    """Share of the lines, from the first on, that are one level and the same."""
    first = float(lines[0].mean())
    for number, line in enumerate(lines):
        if line.std() > _FLAT or abs(float(line.mean()) - first) > _STEP:
            return number / len(lines)
    return 1.0


def _strips(grey: UInt8Array, *, depth: int) -> tuple[UInt8Array, UInt8Array, UInt8Array, UInt8Array]:
    """The outermost lines of each side, each with the side's length as its second axis."""
    return grey[:depth], grey[-depth:], grey[:, :depth].T, grey[:, -depth:].T


def _rim(grey: UInt8Array) -> list[float]:
    depth = max(1, round(_RIM * min(grey.shape)))
    numbers = []
    for strip in _strips(grey, depth=depth):
        for stretch in np.array_split(strip, _CELLS, axis=1):
            numbers += [float(stretch.mean()), float(stretch.std())] if stretch.size else [0.0, 0.0]
    return numbers
