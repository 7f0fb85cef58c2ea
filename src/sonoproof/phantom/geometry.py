"""Ellipsoids and rotations. Axes are the scanner's: x to the right, y across the section planes, z depth; mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sonoproof.types import Float32Array, FloatArray


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid anywhere in space.

    Attributes:
        semi_axes_mm: Shape (3,).
        centre_mm: Shape (3,).
        rotation: Shape (3, 3); columns are the directions of the semi-axes.
    """

    semi_axes_mm: FloatArray
    centre_mm: FloatArray
    rotation: FloatArray

    @property
    def volume_ml(self) -> float:
        """4/3 π times the product of the semi-axes, the same as π/6 · length · width · height."""
        return float(4 / 3 * np.pi * np.prod(self.semi_axes_mm) / 1000)

    def extent_mm(self) -> FloatArray:
        """Half extents along x, y and z, shape (3,): the support function √(Σ_j (R_ij a_j)²)."""
        return np.asarray(np.sqrt(((self.rotation * self.semi_axes_mm) ** 2).sum(axis=1)))

    def surface(
        self, x: Float32Array, z: Float32Array, *, y_mm: float
    ) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Distance to the surface in mm, negative inside, and the x and z parts of the surface's unit normal.

        The distance is of first order, f / |∇f|: exact on the surface, good near it.
        """
        form = ((self.rotation / self.semi_axes_mm**2) @ self.rotation.T).astype(np.float32)
        dx, dz = x - np.float32(self.centre_mm[0]), z - np.float32(self.centre_mm[2])
        dy = np.float32(y_mm - self.centre_mm[1])
        gradient = [row[0] * dx + row[1] * dy + row[2] * dz for row in form]
        level = np.sqrt(np.maximum(gradient[0] * dx + gradient[1] * dy + gradient[2] * dz, np.float32(1e-6)))
        steepness = np.sqrt(gradient[0] ** 2 + gradient[1] ** 2 + gradient[2] ** 2) + np.float32(1e-9)
        return level * (level - 1) / steepness, gradient[0] / steepness, gradient[2] / steepness


def rotation_about(angle_rad: float, *, axis: int) -> FloatArray:
    """Rotation by an angle about the x (0), y (1) or z axis (2), shape (3, 3)."""
    first, second = (index for index in range(3) if index != axis)
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(angle_rad)
    matrix[first, second], matrix[second, first] = -np.sin(angle_rad), np.sin(angle_rad)
    return matrix
