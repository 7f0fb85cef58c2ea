"""Defects planted on request, so that an audit can be shown to find them: overlays, re-crops, damaged files."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from sonoproof.types import UInt8Array

_YELLOW = (255, 220, 40)
_WHITE = (235, 235, 235)
_NOTES = ("PCO ?", "FNPO > 20", "RT OV PCO", "LT OV PCO")
_DAMAGES = ("truncated", "empty", "random bytes", "web page under an image's name")
_WEB_PAGE = b"<!DOCTYPE html><html><head><title>403 Forbidden</title></head></html>\n"


def burn_caliper(image: UInt8Array, mask: UInt8Array) -> dict[str, Any]:
    """Draw two crosses with a dotted line along the longest extent of the ovary, in place.

    Args:
        image: RGB, shape (height, width, 3).
        mask: 0 where there is no ovary, shape (height, width).

    Returns:
        The end points in pixels, for the truth file.
    """
    rows, columns = np.nonzero(mask)
    if not len(rows):
        rows, columns = np.array([image.shape[0] // 3] * 2), np.array([image.shape[1] // 3, image.shape[1] * 2 // 3])
    start, end = ((int(columns[i]), int(rows[i])) for i in (np.argmin(columns), np.argmax(columns)))
    for point in (start, end):
        cv2.drawMarker(image, point, _YELLOW, cv2.MARKER_CROSS, markerSize=max(7, image.shape[1] // 28), thickness=1)
    for share in np.arange(0.05, 0.96, 0.05):
        x, y = (round(a + share * (b - a)) for a, b in zip(start, end, strict=True))
        cv2.circle(image, (x, y), 0, _YELLOW, thickness=1)
    return {"from_px": start, "to_px": end}


def burn_text(image: UInt8Array, rng: np.random.Generator) -> dict[str, Any]:
    """Write an annotation into a lower corner, in place; returns the text and its place for the truth file."""
    note = str(rng.choice(_NOTES))
    scale = image.shape[1] / 480
    (width, height), _ = cv2.getTextSize(note, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    left = 3 if rng.random() < 0.5 else image.shape[1] - width - 3
    bottom = image.shape[0] - 4
    cv2.putText(image, note, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, scale, _WHITE, 1, cv2.LINE_AA)
    return {"text": note, "box_px": [left, bottom - height, left + width, bottom]}


def draw_recrop(rng: np.random.Generator, *, width: int, height: int) -> dict[str, Any]:
    """Draw a crop, shift, zoom, small rotation and change of brightness for a frame of the given size.

    Returns:
        The parameters, as they are written to the truth file. ``matrix`` is the affine map from pixels of the source to
        pixels of the copy, shape (2, 3), rows (x, y); the rotation is counter-clockwise, after mirroring; the grey
        levels are multiplied by ``contrast`` before ``brightness`` is added; ``quality`` has no effect on a PNG.
    """
    zoom = rng.uniform(1.05, 1.45)
    flipped = bool(rng.random() < 0.3)
    rotation = rng.uniform(-6, 6) if rng.random() < 0.5 else 0.0
    matrix = np.asarray(cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), rotation, zoom), dtype=np.float64)
    matrix[:, 2] += rng.uniform(-1, 1, 2) * ((zoom - 1) / 2 * np.array([width, height]))
    if flipped:
        matrix = matrix @ np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])
    return {
        "matrix": np.round(matrix, 6),
        "zoom": zoom,
        "flipped": flipped,
        "rotation_degrees": rotation,
        "contrast": rng.uniform(0.85, 1.15),
        "brightness": rng.uniform(-12, 12),
        "quality": int(rng.integers(70, 93)),
    }


def apply_recrop(image: UInt8Array, mask: UInt8Array, recrop: dict[str, Any]) -> tuple[UInt8Array, UInt8Array]:
    """The copy of a frame and its mask; both keep their size."""
    size = image.shape[1::-1]
    moved = cv2.warpAffine(image, recrop["matrix"], size, flags=cv2.INTER_LINEAR)
    brighter = np.where(moved > 0, moved * recrop["contrast"] + recrop["brightness"], 0)
    moved_mask = cv2.warpAffine(mask, recrop["matrix"], size, flags=cv2.INTER_NEAREST)
    return np.clip(np.rint(brighter), 0, 255).astype(np.uint8), np.asarray(moved_mask, dtype=np.uint8)


def damage(content: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Make a file unreadable; returns the way it was done and the damaged bytes."""
    way = str(rng.choice(_DAMAGES))
    if way == "truncated":
        return way, content[: int(len(content) * rng.uniform(0.1, 0.6))]
    if way == "random bytes":
        return way, rng.bytes(len(content))
    return way, b"" if way == "empty" else _WEB_PAGE
