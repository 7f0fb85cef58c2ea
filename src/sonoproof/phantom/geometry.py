"""Ellipsoids and rotations. Axes are the scanner's: x to the right, y across the section planes, z depth; mm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""Values at points of a section plane, of any one shape."""


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid anywhere in space.

    Attributes:
        semi_axes_mm: Shape (3,).
        centre_mm: Shape (3,).
        rotation: Shape (3, 3); columns are the directions of the semi-axes.
    """

    semi_axes_mm: NDArray[np.float64]
    centre_mm: NDArray[np.float64]
    rotation: NDArray[np.float64]

    @property
    def volume_ml(self) -> float:
        """4/3 π times the semi-axes; the clinic's π/6 · length · width · height."""
        return float(4 / 3 * np.pi * np.prod(self.semi_axes_mm) / 1000)

    def extent_mm(self) -> NDArray[np.float64]:
        """Half extents along x, y and z, shape (3,): the support function √(Σ_j (R_ij a_j)²)."""
        return np.asarray(np.sqrt(((self.rotation * self.semi_axes_mm) ** 2).sum(axis=1)))

    def moved_to(self, centre_mm: NDArray[np.float64]) -> Ellipsoid:
        """The same ellipsoid at another place."""
        return replace(self, centre_mm=centre_mm)

    def surface(self, x: Plane, z: Plane, *, y_mm: float) -> tuple[Plane, Plane, Plane]:
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


def rotation_about(angle_rad: float, *, axis: int) -> NDArray[np.float64]:
    """Rotation by an angle about the x (0), y (1) or z axis (2), shape (3, 3)."""
    first, second = (index for index in range(3) if index != axis)
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(angle_rad)
    matrix[first, second], matrix[second, first] = -np.sin(angle_rad), np.sin(angle_rad)
    return matrix


def sphere_directions(number: int) -> NDArray[np.float64]:
    """Nearly even directions, the Fibonacci lattice on the sphere: shape (number, 3)."""
    index = np.arange(number) + 0.5
    height = 1 - 2 * index / number
    azimuth = np.pi * (1 + np.sqrt(5)) * index
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(azimuth), ring * np.sin(azimuth), height], axis=1)
