"""Defects planted on request, so that an audit can be shown to find them: overlays, re-crops, damaged files."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_YELLOW = (255, 220, 40)
_WHITE = (235, 235, 235)
_NOTES = ("PCO ?", "FNPO > 20", "RT OV PCO", "LT OV PCO")

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Recrop:
    """How a copy was made from its source frame.

    Attributes:
        matrix: Affine map from pixels of the source to pixels of the copy, shape (2, 3), rows (x, y).
        zoom: Magnification.
        flipped: Whether it was mirrored left to right.
        rotation_degrees: Counter-clockwise, after mirroring.
        contrast: Factor on the grey levels.
        brightness: Grey levels added after it.
        quality: JPEG quality of the copy (of no effect on a PNG).
    """

    matrix: NDArray[np.float64]
    zoom: float
    flipped: bool
    rotation_degrees: float
    contrast: float
    brightness: float
    quality: int


def burn_caliper(image: Rgb, mask: NDArray[np.uint8]) -> dict[str, object]:
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
    left, right = int(np.argmin(columns)), int(np.argmax(columns))
    ends = [(int(columns[i]), int(rows[i])) for i in (left, right)]
    for end in ends:
        cv2.drawMarker(image, end, _YELLOW, cv2.MARKER_CROSS, markerSize=max(7, image.shape[1] // 28), thickness=1)
    for share in np.arange(0.05, 0.96, 0.05):
        point = [round(a + share * (b - a)) for a, b in zip(*ends, strict=True)]
        cv2.circle(image, (point[0], point[1]), 0, _YELLOW, thickness=1)
    return {"from_px": list(ends[0]), "to_px": list(ends[1])}


def burn_text(image: Rgb, rng: np.random.Generator) -> dict[str, object]:
    """Write an annotation into a lower corner, in place; returns what stands where, for the truth file."""
    note = str(rng.choice(_NOTES))
    scale = image.shape[1] / 480
    (width, height), _ = cv2.getTextSize(note, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    left = 3 if rng.random() < 0.5 else image.shape[1] - width - 3
    bottom = image.shape[0] - 4
    cv2.putText(image, note, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, scale, _WHITE, 1, cv2.LINE_AA)
    return {"text": note, "box_px": [left, bottom - height, left + width, bottom]}


def draw_recrop(rng: np.random.Generator, *, width: int, height: int) -> Recrop:
    """Draw a crop, shift, zoom, small rotation and change of brightness for a frame of the given size."""
    zoom = rng.uniform(1.05, 1.45)
    flipped = bool(rng.random() < 0.3)
    rotation = rng.uniform(-6, 6) if rng.random() < 0.5 else 0.0
    slack_x, slack_y = (zoom - 1) / 2 * width, (zoom - 1) / 2 * height
    centre = ((width - 1) / 2, (height - 1) / 2)
    matrix = np.asarray(cv2.getRotationMatrix2D(centre, rotation, zoom), dtype=np.float64)
    matrix[:, 2] += rng.uniform(-1, 1, 2) * np.array([slack_x, slack_y])
    if flipped:
        matrix = matrix @ np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])
    return Recrop(
        matrix=np.round(matrix, 6),
        zoom=zoom,
        flipped=flipped,
        rotation_degrees=rotation,
        contrast=rng.uniform(0.85, 1.15),
        brightness=rng.uniform(-12, 12),
        quality=int(rng.integers(70, 93)),
    )


def apply_recrop(image: Rgb, mask: NDArray[np.uint8], recrop: Recrop) -> tuple[Rgb, NDArray[np.uint8]]:
    """The copy of a frame and its mask; both keep their size."""
    size = image.shape[1::-1]
    moved = cv2.warpAffine(image, recrop.matrix, size, flags=cv2.INTER_LINEAR)
    brighter = np.where(moved > 0, moved * recrop.contrast + recrop.brightness, 0)
    moved_mask = cv2.warpAffine(mask, recrop.matrix, size, flags=cv2.INTER_NEAREST)
    return np.clip(np.rint(brighter), 0, 255).astype(np.uint8), np.asarray(moved_mask, dtype=np.uint8)


def encode(image: NDArray[np.uint8], *, image_format: str, quality: int = 92) -> bytes:
    """The bytes of a JPEG (4:4:4) or PNG file without metadata."""
    buffer = io.BytesIO()
    if image_format == "jpg":
        Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=0)
    else:
        Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def _truncate(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(len(content) * rng.uniform(0.1, 0.6))]


def _empty(content: bytes, rng: np.random.Generator) -> bytes:  # noqa: ARG001 - same signature as the others
    return b""


def _overwrite(content: bytes, rng: np.random.Generator) -> bytes:
    return rng.bytes(len(content))


def _web_page(content: bytes, rng: np.random.Generator) -> bytes:  # noqa: ARG001 - same signature as the others
    return b"<!DOCTYPE html><html><head><title>403 Forbidden</title></head></html>\n"


DAMAGES: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "truncated": _truncate,
    "empty": _empty,
    "random bytes": _overwrite,
    "web page under an image's name": _web_page,
}


def damage(content: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Make a file unreadable; returns the way it was done and the damaged bytes."""
    way = str(rng.choice(list(DAMAGES)))
    return way, DAMAGES[way](content, rng)
