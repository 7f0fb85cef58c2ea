"""Is a pair two views of one source? Matched features, a robust affine fit, then agreement of the aligned pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sonoproof.data.lookalike.keypoints import ROOT_SCALE, FrameView, mirrored_descriptors, mirrored_points
from sonoproof.data.lookalike.pixels import pixel_agreement
from sonoproof.types import BoolArray, Float32Array, FloatArray, UInt8Array

MIN_INLIERS = 12
_RATIO = 0.9
_REPROJECTION_PX = 4.0
_GUIDED_PX = 3.0
_GUIDED_SIMILARITY = 0.75
_MAX_ZOOM = 4.0
_MAX_STRETCH = 2.5

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Evidence:
    """What speaks for a pair of views; see `Link` for the measures.

    Attributes:
        transform: 2 x 3 affine map from the first view to the second, in view pixels, a mirror included.
        flipped: Whether it mirrors.
        inliers: Matched features that follow it.
        overlap: Tissue in common as a fraction of the smaller view's.
        agreement: Median local correlation of the aligned tissue.
        margin: Part of the common tissue that agrees here and nowhere beside.
    """

    transform: FloatArray
    flipped: bool
    inliers: int
    overlap: float
    agreement: float
    margin: float


def compare(first: FrameView, second: FrameView, *, flipped: bool) -> Evidence | None:
    """Align two views and measure how well they agree; None if no transform holds.

    Args:
        first: View to be moved.
        second: View that stays.
        flipped: Mirror the first view left to right before.

    References:
        M. A. Fischler, R. C. Bolles, Random sample consensus, Commun. ACM 24, 1981.
    """
    width = first.grey.shape[1]
    points = mirrored_points(first.points, width) if flipped else first.points
    descriptors = mirrored_descriptors(first.descriptors) if flipped else first.descriptors
    if min(len(points), len(second.points)) < MIN_INLIERS:
        return None
    similarity = _similarity(descriptors, second.descriptors)
    transform = _fit_affine(points, second.points, _mutual_matches(similarity))
    if transform is None:
        return None
    transform, inliers = _refine(transform, similarity, points, second.points)
    if inliers < MIN_INLIERS or not _is_plausible(transform):
        return None
    if flipped:
        transform = compose(transform, np.array([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0]]))
    pixels = pixel_agreement(first.grey, second.grey, transform)
    if pixels is None:
        return None
    return Evidence(transform, flipped, inliers, pixels.overlap, pixels.agreement, pixels.margin)


def compose(after: FloatArray, before: FloatArray) -> FloatArray:
    """The 2 x 3 affine map that applies `before`, then `after`."""
    linear = after[:, :2] @ before[:, :2]
    return np.column_stack([linear, after[:, :2] @ before[:, 2] + after[:, 2]])


def _similarity(first: UInt8Array, second: UInt8Array) -> Float32Array:
    """Cosine of every pair of descriptors, float32 (k, m); exact, because the entries are integers."""
    return first.astype(np.float32) @ second.astype(np.float32).T / np.float32(ROOT_SCALE**2)


def _mutual_matches(similarity: Float32Array) -> tuple[Indices, Indices]:
    """Pairs of features that choose each other, the best clearly nearer than the second best (Lowe's ratio)."""
    rows = np.arange(len(similarity))
    best = similarity.argmax(axis=1)
    top = similarity[rows, best]
    others = similarity.copy()
    others[rows, best] = -1.0
    clear = np.maximum(2 - 2 * top, 0) < _RATIO**2 * np.maximum(2 - 2 * others.max(axis=1), 0)
    keep = clear & (similarity.argmax(axis=0)[best] == rows)
    return rows[keep], best[keep]


def _fit_affine(points: Float32Array, targets: Float32Array, matches: tuple[Indices, Indices]) -> FloatArray | None:
    rows, columns = matches
    if len(rows) < 6:
        return None
    fitted: Any
    fitted, _ = cv2.estimateAffine2D(
        points[rows],
        targets[columns],
        method=cv2.RANSAC,
        ransacReprojThreshold=_REPROJECTION_PX,
        maxIters=1000,
        confidence=0.995,
    )
    return fitted if fitted is not None and _is_plausible(fitted) else None


def _refine(
    transform: FloatArray, similarity: Float32Array, points: Float32Array, targets: Float32Array
) -> tuple[FloatArray, int]:
    """Gather every feature that lands on a similar one, refit by least squares, and count them again."""
    inliers = 0
    for radius_px in (2 * _GUIDED_PX, _GUIDED_PX):
        near = np.where(_is_near(points, transform, targets, radius_px), similarity, 0)
        columns = near.argmax(axis=1)
        rows = np.flatnonzero(near[np.arange(len(near)), columns] > _GUIDED_SIMILARITY)
        inliers = len(rows)
        if inliers < MIN_INLIERS:
            break
        design = np.column_stack([points[rows], np.ones(inliers)]).astype(np.float64)
        transform = np.linalg.lstsq(design, targets[columns[rows]].astype(np.float64), rcond=None)[0].T
    return transform, inliers


def _is_near(points: Float32Array, transform: FloatArray, targets: Float32Array, radius_px: float) -> BoolArray:
    """Which point, moved, lands within a radius of which target, (k, m)."""
    placed = (points @ transform[:, :2].T + transform[:, 2]).astype(np.float32)
    across = placed[:, :1] - targets[:, 0]
    down = placed[:, 1:] - targets[:, 1]
    return across * across + down * down < np.float32(radius_px**2)


def _is_plausible(transform: NDArray[Any]) -> bool:
    """No mirror (that is tried apart), no zoom and no stretch beyond what a re-crop does."""
    largest, smallest = np.linalg.svd(transform[:, :2], compute_uv=False)
    zoom = np.sqrt(largest * smallest)
    upright = np.linalg.det(transform[:, :2]) > 0
    return bool(upright and 1 / _MAX_ZOOM < zoom < _MAX_ZOOM and largest < _MAX_STRETCH * smallest)
