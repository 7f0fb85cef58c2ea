"""Non-overlapping spheres in an ellipsoid, by random sequential addition.

References:
    Widom, Random sequential addition of hard spheres to a volume, J. Chem. Phys. 44 (1966) 3888.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sonoproof.phantom.geometry import sphere_directions

_CANDIDATES = 96
_BATCHES = 10
_SHRINKAGE = 0.95


def pack_spheres(
    rng: np.random.Generator,
    diameters_mm: NDArray[np.float64],
    *,
    semi_axes_mm: NDArray[np.float64],
    smallest_mm: float,
    gap_mm: float,
    margin_mm: float,
    peripheral: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place spheres, largest first; where they do not fit, all are shrunk by 5 % and placed again.

    Args:
        rng: Source of randomness.
        diameters_mm: Wished diameters, shape (n,), largest first.
        semi_axes_mm: Of the ellipsoid around the origin, along the axes, shape (3,).
        smallest_mm: Diameter below which nothing is shrunk.
        gap_mm: Least distance between two spheres.
        margin_mm: Least distance of a sphere from the ellipsoid's surface.
        peripheral: Place all spheres in one layer under the surface.

    Returns:
        Centres, shape (n, 3), and diameters, shape (n,).

    Raises:
        ValueError: They do not fit even at the smallest diameter.
    """
    while True:
        centres = _try_to_pack(rng, diameters_mm / 2, semi_axes_mm, gap_mm, margin_mm, peripheral)
        if centres is not None:
            return centres, diameters_mm
        if diameters_mm.max() <= smallest_mm:
            raise ValueError(f"{len(diameters_mm)} spheres do not fit into semi-axes of {semi_axes_mm} mm")
        diameters_mm = np.maximum(diameters_mm * _SHRINKAGE, smallest_mm)


def _try_to_pack(
    rng: np.random.Generator,
    radii_mm: NDArray[np.float64],
    semi_axes_mm: NDArray[np.float64],
    gap_mm: float,
    margin_mm: float,
    peripheral: bool,
) -> NDArray[np.float64] | None:
    centres = np.empty((0, 3))
    for index, radius in enumerate(radii_mm):
        for _ in range(_BATCHES):
            if peripheral:
                candidates = _under_surface(rng, _CANDIDATES, semi_axes_mm, depth_mm=radius + margin_mm)
            else:
                candidates = _uniform_in_ellipsoid(rng, _CANDIDATES, semi_axes_mm)
            distances = np.sqrt(((candidates[:, None] - centres[None]) ** 2).sum(axis=2))
            free = candidates[(distances > radii_mm[:index] + radius + gap_mm).all(axis=1)]
            inside = free[_fits_inside(free, radius + margin_mm, semi_axes_mm)]
            if len(inside):
                centres = np.vstack([centres, inside[0]])
                break
        else:
            return None
    return centres


def _under_surface(
    rng: np.random.Generator, number: int, semi_axes_mm: NDArray[np.float64], *, depth_mm: float
) -> NDArray[np.float64]:
    """Points that deep under the ellipsoid's surface, or up to a millimetre or so deeper."""
    directions = _random_directions(rng, number)
    normals = directions / semi_axes_mm
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(directions * semi_axes_mm - normals * (depth_mm + rng.exponential(0.5, (number, 1))))


def _uniform_in_ellipsoid(
    rng: np.random.Generator, number: int, semi_axes_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    directions = _random_directions(rng, number)
    return np.asarray(directions * rng.random((number, 1)) ** (1 / 3) * semi_axes_mm)


def _random_directions(rng: np.random.Generator, number: int) -> NDArray[np.float64]:
    directions = rng.standard_normal((number, 3))
    return np.asarray(directions / np.linalg.norm(directions, axis=1, keepdims=True))


def _fits_inside(
    centres_mm: NDArray[np.float64], radius_mm: float, semi_axes_mm: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether 64 points spread over a sphere's surface all lie in the ellipsoid, for each centre."""
    surface = (centres_mm[:, None] + radius_mm * sphere_directions(64)) / semi_axes_mm
    return np.asarray(((surface**2).sum(axis=2) < 1).all(axis=1))
