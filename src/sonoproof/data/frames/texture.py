"""Features of a frame that need no network: where its edges run, how large its dark and bright spots are, its levels.

They serve the audit where no pretrained network is at hand: a random one sees little in ultrasound.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from sonoproof.types import Float32Array, UInt8Array

CELLS: Final = 8
DIRECTIONS: Final = 9
EDGE_SIDE_PX: Final = 64
SPOT_SIDE_PX: Final = 128
SPOT_SCALES_PX: Final = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
SPOT_QUANTILES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
SPOT_BINS: Final = np.linspace(-0.5, 0.5, 17)
LEVELS: Final = 64

TEXTURE_FEATURES: Final = (
    CELLS * CELLS * DIRECTIONS + len(SPOT_SCALES_PX) * (len(SPOT_QUANTILES) + len(SPOT_BINS) - 1) + LEVELS
)


def texture_features(frame: UInt8Array) -> Float32Array:
    """Describe one frame.

    Args:
        frame: RGB, (H, W, 3) uint8; it is brought to 64 and to 128 pixels square.

    Returns:
        (778,) float32: directions of the edges in 8 x 8 cells, responses of a Laplacian of Gaussian at six scales,
        and a histogram of the grey levels; shares are given by their roots.

    References:
        N. Dalal, B. Triggs, Histograms of oriented gradients for human detection, CVPR 2005.
        T. Lindeberg, Feature detection with automatic scale selection, Int. J. Comput. Vis. 30, 1998 (the Laplacian
        is multiplied by the square of its scale).
    """
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    coarse, fine = (
        cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA) for side in (EDGE_SIDE_PX, SPOT_SIDE_PX)
    )
    return np.concatenate([_edges(np.asarray(coarse)), _spots(np.asarray(fine)), _levels(np.asarray(fine))])


def _edges(grey: UInt8Array) -> Float32Array:
    """How strong edges of each direction are in each cell, as a share of all edges."""
    across, down = (cv2.Sobel(grey.astype(np.float32), cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    direction = np.arctan2(down, across) % np.pi / np.pi * DIRECTIONS
    cell = np.arange(EDGE_SIDE_PX) * CELLS // EDGE_SIDE_PX
    place = (cell[:, None] * CELLS + cell) * DIRECTIONS + np.minimum(direction.astype(np.intp), DIRECTIONS - 1)
    strength = np.bincount(place.ravel(), np.hypot(across, down).ravel(), minlength=CELLS * CELLS * DIRECTIONS)
    shares: Float32Array = np.sqrt(strength / max(strength.sum(), 1e-6)).astype(np.float32)
    return shares


def _spots(grey: UInt8Array) -> Float32Array:
    """How dark and bright the spots of each size are: quantiles and histogram of the scale-normalised Laplacian."""
    levels = grey.astype(np.float32) / 255
    described = []
    for scale in SPOT_SCALES_PX:
        response = scale**2 * cv2.Laplacian(cv2.GaussianBlur(levels, (0, 0), scale), cv2.CV_32F)
        counts, _ = np.histogram(response, bins=SPOT_BINS)
        described += [np.quantile(response, SPOT_QUANTILES), np.sqrt(counts / response.size)]
    return np.concatenate(described).astype(np.float32)


def _levels(grey: UInt8Array) -> Float32Array:
    counts = np.bincount(grey.ravel() // (256 // LEVELS), minlength=LEVELS)
    return np.sqrt(counts / grey.size).astype(np.float32)
