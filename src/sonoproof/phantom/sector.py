"""Scan conversion: from beams to the sector picture of a curved array."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sonoproof.phantom.acoustics import PolarGrid
from sonoproof.types import BoolArray, Float32Array, UInt8Array

_OVERSAMPLING = 2


@dataclass(frozen=True)
class Sector:
    """The picture: a sector, cut off at the sides where it is too wide.

    Attributes:
        face_radius_mm: Radius of the probe's face, the dark half-circle at the top.
        depth_mm: Depth below the face.
        half_angle_rad: Half the opening angle.
        mm_per_px: Side of a pixel.
        width: Pixels.
        height: Pixels.
    """

    face_radius_mm: float
    depth_mm: float
    half_angle_rad: float
    mm_per_px: float
    width: int
    height: int

    @property
    def left_mm(self) -> float:
        """Position x of the left edge."""
        return -self.width * self.mm_per_px / 2

    def pixel_centres_mm(self, *, oversampling: int = 1) -> tuple[Float32Array, Float32Array]:
        """Positions x and z of the centres of all pixels, each of shape (height, width) times the oversampling."""
        step = self.mm_per_px / oversampling
        top_mm = self.face_radius_mm * (np.cos(self.half_angle_rad) - 1)  # negative: above the middle of the face
        x = self.left_mm + (np.arange(self.width * oversampling) + 0.5) * step
        z = top_mm + (np.arange(self.height * oversampling) + 0.5) * step
        columns, rows = np.meshgrid(x.astype(np.float32), z.astype(np.float32))
        return columns, rows

    def contains(self, x: Float32Array, z: Float32Array) -> BoolArray:
        """Whether points lie in the insonified sector."""
        return self._inside(*self._polar(x, z))

    def scan_convert(self, grey: Float32Array, *, grid: PolarGrid) -> UInt8Array:
        """Interpolate beams, shape (rows, beams), to the pixels; outside the sector the picture is black.

        Each pixel is the mean of 2 × 2 interpolated ones, so that fine speckle does not alias.
        """
        depth, angle = self._polar(*self.pixel_centres_mm(oversampling=_OVERSAMPLING))
        rows = (depth - grid.depths_mm[0]) / np.float32(grid.step_mm)
        beams = (angle - grid.angles_rad[0]) / np.float32(grid.step_rad)
        picture = np.asarray(cv2.remap(grey, beams, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
        picture = np.where(self._inside(depth, angle), picture, np.float32(0))
        shown = cv2.resize(picture, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return np.rint(np.asarray(shown)).astype(np.uint8)

    def _inside(self, depth: Float32Array, angle: Float32Array) -> BoolArray:
        return (depth > 0) & (depth < self.depth_mm) & (np.abs(angle) < self.half_angle_rad)

    def _polar(self, x: Float32Array, z: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Depth below the face along the beam, and the angle of the beam."""
        below_apex = z + np.float32(self.face_radius_mm)
        return np.hypot(x, below_apex) - np.float32(self.face_radius_mm), np.arctan2(x, below_apex)
