"""Scan conversion: from beams to the sector picture of a curved array."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sonoproof.phantom.acoustics import PolarGrid
from sonoproof.phantom.geometry import Plane

_OVERSAMPLING = 2


@dataclass(frozen=True)
class Sector:
    """The picture: a sector, cut off at the sides where it is wider than wished.

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

    @classmethod
    def fitted(
        cls, *, face_radius_mm: float, depth_mm: float, half_angle_rad: float, aspect: float, size_px: int
    ) -> Sector:
        """The picture of a sector with `size_px` pixels on its longer side, at most `aspect` times as wide as high."""
        height_mm = depth_mm + face_radius_mm * (1 - np.cos(half_angle_rad))
        width_mm = min(2 * (face_radius_mm + depth_mm) * np.sin(half_angle_rad), aspect * height_mm)
        mm_per_px = max(width_mm, height_mm) / size_px
        return cls(
            face_radius_mm=face_radius_mm,
            depth_mm=depth_mm,
            half_angle_rad=half_angle_rad,
            mm_per_px=float(mm_per_px),
            width=round(width_mm / mm_per_px),
            height=round(height_mm / mm_per_px),
        )

    @property
    def left_mm(self) -> float:
        """Position x of the left edge."""
        return -self.width * self.mm_per_px / 2

    @property
    def top_mm(self) -> float:
        """Position z of the upper edge, above the middle of the probe's face (negative)."""
        return float(self.face_radius_mm * (np.cos(self.half_angle_rad) - 1))

    def pixel_centres_mm(self, *, oversampling: int = 1) -> tuple[Plane, Plane]:
        """Positions x and z of the centres of all pixels, each of shape (height, width) times the oversampling."""
        step = self.mm_per_px / oversampling
        x = self.left_mm + (np.arange(self.width * oversampling) + 0.5) * step
        z = self.top_mm + (np.arange(self.height * oversampling) + 0.5) * step
        columns, rows = np.meshgrid(x.astype(np.float32), z.astype(np.float32))
        return columns, rows

    def contains(self, x: Plane, z: Plane) -> NDArray[np.bool_]:
        """Whether points lie in the insonified sector."""
        depth, angle = self._polar(x, z)
        inside = (depth > 0) & (depth < self.depth_mm) & (np.abs(angle) < self.half_angle_rad)
        return np.asarray(inside)

    def scan_convert(self, grey: Plane, *, grid: PolarGrid) -> NDArray[np.uint8]:
        """Interpolate beams, shape (rows, beams), to the pixels; outside the sector the picture is black.

        Twice as many pixels are interpolated as are shown, and averaged, so that fine speckle does not alias.
        """
        x, z = self.pixel_centres_mm(oversampling=_OVERSAMPLING)
        depth, angle = self._polar(x, z)
        rows = (depth - grid.depths_mm[0]) / np.float32(grid.step_mm)
        beams = (angle - grid.angles_rad[0]) / np.float32(grid.step_rad)
        picture = np.asarray(cv2.remap(grey, beams, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
        picture = np.where(self.contains(x, z), picture, np.float32(0))
        shown = cv2.resize(picture, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return np.rint(np.asarray(shown)).astype(np.uint8)

    def _polar(self, x: Plane, z: Plane) -> tuple[Plane, Plane]:
        """Depth below the face along the beam, and the angle of the beam."""
        below_apex = z + np.float32(self.face_radius_mm)
        return np.hypot(x, below_apex) - np.float32(self.face_radius_mm), np.arctan2(x, below_apex)
