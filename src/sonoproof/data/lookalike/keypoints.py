"""What is compared: a normalised grey view of a frame and its local features (RootSIFT, stored as integers)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sonoproof.types import Float32Array, FloatArray, IntArray, UInt8Array

VIEW_SIDE = 256
"""Longer side of a view in pixels: speckle is still resolved, and a pair is compared in milliseconds."""

MAX_FEATURES = 320
"""Strongest features kept of a frame."""

ROOT_SCALE = 512.0
"""RootSIFT has unit length; times 512 its entries fill a byte, and sums of products stay exact in float32."""

_CONTRAST_SIGMA = 12.0
_CONTRAST_FLOOR = 6.0
_BORDER_LEVEL = 12


@dataclass(frozen=True)
class FrameView:
    """A frame as the search sees it.

    Attributes:
        grey: The content of the frame without its dark border, uint8 (h, w), longer side `VIEW_SIDE`.
        to_view: 2 x 3 affine map from pixel coordinates (x, y) of the frame to those of `grey`.
        points: Positions (x, y) of the features in `grey`, float32 (k, 2).
        descriptors: RootSIFT times `ROOT_SCALE`, uint8 (k, 128).
    """

    grey: UInt8Array
    to_view: FloatArray
    points: Float32Array
    descriptors: UInt8Array


def describe(image: UInt8Array) -> FrameView:
    """Normalise a frame and find its local features.

    Args:
        image: Decoded frame, uint8 RGB (height, width, 3).

    References:
        D. G. Lowe, Distinctive image features from scale-invariant keypoints, IJCV 60, 2004.
        R. Arandjelovic, A. Zisserman, Three things everyone should know to improve object retrieval, CVPR 2012.
    """
    grey, to_view = _content_view(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    sift = cv2.SIFT.create(nfeatures=MAX_FEATURES, contrastThreshold=0.01, edgeThreshold=15)
    keypoints, raw = sift.detectAndCompute(_even_contrast(grey), None)
    if raw is None or len(keypoints) == 0:
        return FrameView(grey, to_view, np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    keys = np.array([(*k.pt, k.size, k.angle) for k in keypoints], dtype=np.float32)
    # The detector runs in parallel inside: a fixed order keeps everything after it reproducible.
    order = np.lexsort(keys.T)[:MAX_FEATURES]
    return FrameView(grey, to_view, np.ascontiguousarray(keys[order, :2]), _root_sift(raw[order]))


def mirrored_points(points: Float32Array, width: int) -> Float32Array:
    """Positions of the features after the view was flipped left to right."""
    flipped = points.copy()
    flipped[:, 0] = width - 1 - flipped[:, 0]
    return flipped


def mirrored_descriptors(descriptors: UInt8Array) -> UInt8Array:
    """Descriptors of the mirrored frame, without looking at it again.

    A SIFT descriptor is a grid of 4 x 4 cells, aligned with the feature's own direction, of 8 gradient directions
    each. A mirror swaps the two sides of that axis: the rows of cells reverse, and direction o becomes -o.
    """
    return np.ascontiguousarray(descriptors[..., MIRROR_ORDER])


def _mirror_order() -> IntArray:
    cells = np.arange(128).reshape(4, 4, 8)
    return cells[::-1][:, :, (-np.arange(8)) % 8].reshape(-1)


MIRROR_ORDER = _mirror_order()


def _content_view(grey: NDArray[Any]) -> tuple[UInt8Array, FloatArray]:
    top, bottom, left, right = _content_box(grey)
    content = grey[top:bottom, left:right]
    height, width = content.shape
    scale = VIEW_SIDE / max(height, width)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    view = cv2.resize(content, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    scale_x, scale_y = size[0] / width, size[1] / height
    # Pixel centres: (x + 0.5) * scale - 0.5, as cv2.resize maps them.
    shift_x = (0.5 - left) * scale_x - 0.5
    shift_y = (0.5 - top) * scale_y - 0.5
    return view.astype(np.uint8), np.array([[scale_x, 0.0, shift_x], [0.0, scale_y, shift_y]])


def _content_box(grey: NDArray[Any]) -> tuple[int, int, int, int]:
    """Rows and columns that hold more than a constant border; the whole frame where little would remain."""
    rows = np.flatnonzero(np.ptp(grey, axis=1) > _BORDER_LEVEL)
    columns = np.flatnonzero(np.ptp(grey, axis=0) > _BORDER_LEVEL)
    height, width = grey.shape
    if len(rows) == 0 or len(columns) == 0:
        return 0, height, 0, width
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    if min(bottom - top, right - left) < 16:
        return 0, height, 0, width
    return top, bottom, left, right


def _even_contrast(grey: UInt8Array) -> UInt8Array:
    """Local mean to mid-grey, local spread to one level, so that gain and brightness choose no features."""
    values = grey.astype(np.float32)
    mean = cv2.GaussianBlur(values, (0, 0), _CONTRAST_SIGMA)
    square = cv2.GaussianBlur(values * values, (0, 0), _CONTRAST_SIGMA)
    spread = np.sqrt(np.maximum(square - mean * mean, 0.0))
    even = 128.0 + 40.0 * (values - mean) / (spread + _CONTRAST_FLOOR)
    return np.clip(even, 0, 255).astype(np.uint8)


def _root_sift(raw: NDArray[Any]) -> UInt8Array:
    values = raw.astype(np.float64)
    total = np.maximum(values.sum(axis=1, keepdims=True), 1.0)
    rooted = np.rint(ROOT_SCALE * np.sqrt(values / total))
    return np.asarray(np.clip(rooted, 0, 255), np.uint8)
