"""What the look-alike search returns: links between frames, and the source group of every frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from sonoproof.types import UInt8Array


@dataclass(frozen=True)
class Link:
    """Two frames that show one source, with the evidence.

    Attributes:
        first: image_id of the frame that is moved.
        second: image_id of the frame that stays.
        transform: 2 x 3 affine map from pixel coordinates (x, y) of the first frame to those of the second;
            a mirror is part of it.
        flipped: Whether the transform mirrors.
        identical: Whether the decoded pixels are the same, value by value.
        inliers: Matched local features that follow the transform (0 for identical frames, which need none).
        overlap: Tissue seen by both frames as a fraction of the smaller one's, 0 to 1.
        agreement: Median of the local correlation of the aligned tissue, -1 to 1.
        margin: Part of the common tissue that agrees, less the part that still does when one frame is moved aside
            by some speckles, 0 to 1. What merely resembles (layers, reverberation) has a margin near 0.
    """

    first: str
    second: str
    transform: tuple[tuple[float, float, float], tuple[float, float, float]]
    flipped: bool
    identical: bool
    inliers: int
    overlap: float
    agreement: float
    margin: float


@dataclass(frozen=True)
class LookalikeResult:
    """Frames joined to sources.

    Attributes:
        links: Links that join frames, strongest first.
        suspected: Links that were found and join nothing: too weak, or the only one between two large groups.
        source: For each image_id the name of its source group (a frame alone is a group of its own).
        pairs_verified: How many pairs were compared pixel by pixel.
    """

    links: tuple[Link, ...]
    suspected: tuple[Link, ...]
    source: Mapping[str, str]
    pairs_verified: int


def align(first: UInt8Array, second: UInt8Array, link: Link) -> tuple[UInt8Array, UInt8Array]:
    """Lay the first frame of a link over the second, cut to what both show.

    Args:
        first: Decoded first frame, uint8 (h, w, 3).
        second: Decoded second frame, uint8 (h, w, 3).
        link: The link between them.

    Returns:
        Two pictures of one size, on the second frame's pixel grid.
    """
    height, width = second.shape[:2]
    transform = np.array(link.transform)
    moved = cv2.warpAffine(first, transform, (width, height), flags=cv2.INTER_LINEAR)
    seen = cv2.warpAffine(np.ones(first.shape[:2], np.uint8), transform, (width, height), flags=cv2.INTER_NEAREST)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if len(rows) == 0:
        return moved.astype(np.uint8), second
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    return moved[box].astype(np.uint8), second[box]
