"""Non-overlapping spheres in an ellipsoid, by random sequential addition.

References:
    Widom, Random sequential addition of hard spheres to a volume, J. Chem. Phys. 44 (1966) 3888.
"""

from __future__ import annotations

import numpy as np

from sonoproof.types import BoolArray, FloatArray

_CANDIDATES = 96
_BATCHES = 10
_SHRINKAGE = 0.95
_GAP_MM = 0.3
"""Smallest distance between two spheres: the walls of two follicles."""
_MARGIN_MM = 0.5
"""Smallest distance of a sphere from the surface of the ellipsoid: the capsule."""


def pack_spheres(
    rng: np.random.Generator,
    diameters_mm: FloatArray,
    *,
    semi_axes_mm: FloatArray,
    smallest_mm: float,
    peripheral: bool,
) -> tuple[FloatArray, FloatArray]:
    """Place spheres, largest first; if they do not fit, all are shrunk by 5 % and placed again.

    Args:
        rng: Source of randomness.
        diameters_mm: Desired diameters, shape (n,), largest first.
        semi_axes_mm: Semi-axes of the ellipsoid, which is centred at the origin, along x, y and z: shape (3,).
        smallest_mm: Spheres are not shrunk below this diameter.
        peripheral: Place all spheres in one layer under the surface.

    Returns:
        Centres, shape (n, 3), and diameters, shape (n,).

    Raises:
        ValueError: They do not fit even at the smallest diameter.
    """
    while True:
        centres = _try_to_pack(rng, diameters_mm / 2, semi_axes_mm, peripheral=peripheral)
        if centres is not None:
            return centres, diameters_mm
        if diameters_mm.max() <= smallest_mm:
            raise ValueError(f"{len(diameters_mm)} spheres do not fit into semi-axes of {semi_axes_mm} mm")
        diameters_mm = np.maximum(diameters_mm * _SHRINKAGE, smallest_mm)


def _try_to_pack(
    rng: np.random.Generator, radii_mm: FloatArray, semi_axes_mm: FloatArray, *, peripheral: bool
) -> FloatArray | None:
    centres = np.empty((0, 3))
    for index, radius in enumerate(radii_mm):
        depth = radius + _MARGIN_MM
        for _ in range(_BATCHES):
            candidates = _draw_candidates(rng, semi_axes_mm, under_surface_mm=depth if peripheral else None)
            distances = np.linalg.norm(candidates[:, None] - centres[None], axis=2)
            free = candidates[(distances > radii_mm[:index] + radius + _GAP_MM).all(axis=1)]
            inside = free[_fits_inside(free, depth, semi_axes_mm)]
            if len(inside):
                centres = np.vstack([centres, inside[0]])
                break
        else:
            return None
    return centres


def _draw_candidates(
    rng: np.random.Generator, semi_axes_mm: FloatArray, *, under_surface_mm: float | None
) -> FloatArray:
    """Points anywhere in the ellipsoid, or at a depth under its surface (up to about a millimetre deeper)."""
    directions = rng.standard_normal((_CANDIDATES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    if under_surface_mm is None:
        return directions * rng.random((_CANDIDATES, 1)) ** (1 / 3) * semi_axes_mm
    normals = directions / semi_axes_mm
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return directions * semi_axes_mm - normals * (under_surface_mm + rng.exponential(0.5, (_CANDIDATES, 1)))


def _sphere_directions(number: int) -> FloatArray:
    """Nearly even directions, the Fibonacci lattice on the sphere: shape (number, 3)."""
    index = np.arange(number) + 0.5
    height = 1 - 2 * index / number
    azimuth = np.pi * (1 + np.sqrt(5)) * index
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(azimuth), ring * np.sin(azimuth), height], axis=1)


_DIRECTIONS = _sphere_directions(64)


def _fits_inside(centres_mm: FloatArray, radius_mm: float, semi_axes_mm: FloatArray) -> BoolArray:
    """Whether 64 points spread over a sphere's surface all lie in the ellipsoid, for each centre."""
    surface = (centres_mm[:, None] + radius_mm * _DIRECTIONS) / semi_axes_mm
    return np.asarray(((surface**2).sum(axis=2) < 1).all(axis=1))
