"""Do the pixels of two aligned views agree, speckle by speckle?"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sonoproof.types import Float32Array, FloatArray, UInt8Array

MIN_TISSUE_PX = 3000
"""Tissue in common below which nothing is concluded: 5 % of a view, some dozen windows."""

AGREES = 0.6
"""Correlation from which a window agrees."""

WORTH_A_LOOK = 0.05
"""With a smaller part of the tissue agreeing nothing can follow, and the alignments aside are not tried."""

_WINDOW_PX = 15
_DARK_LEVEL = 6
_MIN_SPREAD = 3.0
_FINE_SIGMA_PX, _COARSE_SIGMA_PX = 1.5, 4.0
_ASIDE_PX = ((8, 0), (-8, 0), (0, 8), (0, -8), (6, 6), (-6, 6))
_EVERY_PX = 3
_MIN_VARIANCE = 0.25


@dataclass(frozen=True)
class PixelAgreement:
    """Agreement of two aligned views.

    Attributes:
        overlap: Tissue in common as a fraction of the smaller view's.
        agreement: Median over the common tissue of the correlation in a window, -1 to 1.
        margin: Part of the common tissue whose windows agree (correlation above `AGREES`), less the largest such
            part for six alignments moved aside, 0 to 1.
    """

    overlap: float
    agreement: float
    margin: float


def pixel_agreement(first: UInt8Array, second: UInt8Array, transform: FloatArray) -> PixelAgreement | None:
    """Compare the band of spatial frequencies that holds speckle and edges, in windows, within tissue.

    Windows within tissue let no overlay, outline or logo decide. Moving the alignment aside tells what is
    peculiar to this one: layers parallel to the probe agree wherever one slides along them, speckle does not.
    Parts are counted instead of correlations averaged, because in a clip some tissue moves while some stays.

    Args:
        first: Grey view, uint8 (h, w).
        second: Grey view, uint8 (h, w).
        transform: 2 x 3 affine map from the first to the second.

    Returns:
        None where the two have too little tissue in common.
    """
    zoom = float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    size = (second.shape[1], second.shape[0])
    first_tissue, tissue = tissue_mask(first), tissue_mask(second)
    moved_tissue = np.asarray(cv2.warpAffine(first_tissue, transform, size, flags=cv2.INTER_NEAREST), np.uint8)
    common_px = int(np.count_nonzero(moved_tissue & tissue))
    if common_px < MIN_TISSUE_PX:
        return None
    smaller_px = min(float(np.count_nonzero(first_tissue)) * zoom**2, float(np.count_nonzero(tissue)))
    moved = cv2.warpAffine(_smooth(first, max(1.0, 1.0 / zoom)), transform, size, flags=cv2.INTER_LINEAR)
    bands = _Band.of(np.asarray(moved, np.float32), moved_tissue), _Band.of(_smooth(second, max(1.0, zoom)), tissue)
    here = _correlations(*bands, (0, 0))
    agreeing, aside = _agreeing(here), 0.0
    if agreeing > WORTH_A_LOOK:
        aside = max(_agreeing(_correlations(*bands, shift)) for shift in _ASIDE_PX)
    return PixelAgreement(min(common_px / smaller_px, 1.0), float(np.median(here)), max(agreeing - aside, 0.0))


def tissue_mask(grey: UInt8Array) -> UInt8Array:
    """Where there is texture inside the sector, away from its outline: uint8 (h, w), 1 or 0.

    Three places ask where the tissue is, and each would be wrong with the answer of another. Here only pixels count
    that can agree or disagree: textured, and a window away from the outline, which all frames of a machine share. The
    audit looks for text beside the tissue and leaves a margin around it, so that no speckle is taken for a letter
    (`sonoproof.data.audit.burned_in`). Attribution is asked for in the whole sector, dark follicles and shadows
    included, as one filled area (`sonoproof.explanation.regions.sector_mask`).
    """
    bright = (grey > _DARK_LEVEL).astype(np.uint8)
    filled = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    window = np.ones((_WINDOW_PX, _WINDOW_PX), np.uint8)
    inside = cv2.erode(filled, window, borderType=cv2.BORDER_CONSTANT, borderValue=1.0)
    values = grey.astype(np.float32)
    textured = _variance(values, _window_mean(values)) > _MIN_SPREAD**2
    return np.asarray(inside, np.uint8) & textured.astype(np.uint8)


@dataclass(frozen=True)
class _Band:
    """The speckle band of a picture, with its mean and variance in a window around each pixel."""

    values: Float32Array
    mean: Float32Array
    variance: Float32Array
    tissue: UInt8Array

    @classmethod
    def of(cls, picture: Float32Array, tissue: UInt8Array) -> _Band:
        fine = cv2.GaussianBlur(picture, (0, 0), _FINE_SIGMA_PX)
        values = np.asarray(fine - cv2.GaussianBlur(picture, (0, 0), _COARSE_SIGMA_PX), np.float32)
        mean = _window_mean(values)
        return cls(values, mean, np.maximum(_variance(values, mean), _MIN_VARIANCE), tissue)


def _correlations(moved: _Band, still: _Band, shift: tuple[int, int]) -> Float32Array:
    """Windowed correlation at every third pixel of the common tissue, the still picture shifted by (x, y)."""
    there, here = _overlapping(shift)
    products = _window_mean(moved.values[there] * still.values[here])
    few = (slice(None, None, _EVERY_PX), slice(None, None, _EVERY_PX))
    inside = (moved.tissue[there][few] & still.tissue[here][few]).astype(bool)
    covariance = products[few] - moved.mean[there][few] * still.mean[here][few]
    spread = np.sqrt(moved.variance[there][few] * still.variance[here][few])
    return np.asarray(covariance[inside] / spread[inside], np.float32)


def _agreeing(correlations: Float32Array) -> float:
    return float((correlations > AGREES).mean()) if len(correlations) else 0.0


def _overlapping(shift: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Two windows of equal size, the second displaced by (x, y) against the first."""
    (columns_there, columns_here), (rows_there, rows_here) = (_displaced(step) for step in shift)
    return (rows_there, columns_there), (rows_here, columns_here)


def _displaced(step: int) -> tuple[slice, slice]:
    ahead, behind = slice(abs(step), None), slice(None, -abs(step) or None)
    return (behind, ahead) if step >= 0 else (ahead, behind)


def _smooth(grey: UInt8Array, sigma: float) -> Float32Array:
    """Blur the finer of two pictures more, so that a zoom leaves both with the same detail."""
    return np.asarray(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 0.6 * sigma), np.float32)


def _window_mean(values: Float32Array) -> Float32Array:
    return np.asarray(cv2.boxFilter(values, -1, (_WINDOW_PX, _WINDOW_PX)), np.float32)


def _variance(values: Float32Array, mean: Float32Array) -> Float32Array:
    return np.asarray(_window_mean(values * values) - mean * mean, np.float32)
