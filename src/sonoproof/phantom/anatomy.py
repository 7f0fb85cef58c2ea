"""Ovaries in three dimensions: an ellipsoid with follicles as spheres that do not overlap.

Coordinates are millimetres in the axes of the scanner: x to the right of the picture, y across the section planes
(elevation), z the depth below the face of the probe.

References:
    Teede et al., International evidence-based guideline for polycystic ovary syndrome (2018, updated 2023):
    polycystic morphology is 20 or more follicles of 2-9 mm in at least one ovary, or a volume of 10 mL or more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import truncnorm

__all__ = [
    "FollicleSection",
    "Ovary",
    "draw_follicle_diameters",
    "draw_ovary",
    "draw_volume_ml",
    "ellipsoid_extent_mm",
    "sections",
]

VISIBLE_FROM_MM = 1.5
"""Diameter of a follicle's section from which a reader would see and count it."""

_CAPSULE_MM = 0.5
_WALL_MM = 0.3
_SMALLEST_MM = 2.0
_LARGEST_ANTRAL_MM = 9.0
# ln of the volume in mL: location, scale, and the volumes it is cut off at. Chosen so that the means are 6.1 and
# 9.5 mL while volume alone has an AUC of 0.62; a mean of 10 mL and the literature's 0.61 want a heavier tail.
_HEALTHY_VOLUME = (1.706, 0.45, 2.5, 15.0)
_POLYCYSTIC_VOLUME = (1.751, 1.10, 2.5, 32.0)


@dataclass(frozen=True)
class Ovary:
    """An ellipsoid with follicles.

    Attributes:
        polycystic: Which morphology was drawn.
        peripheral: Whether the follicles were placed along the capsule ("string of pearls").
        semi_axes_mm: Shape (3,), longest first.
        centre_mm: Shape (3,).
        rotation: Shape (3, 3); columns are the directions of the semi-axes.
        follicle_centres_mm: Shape (n, 3), in the axes of the scanner.
        follicle_diameters_mm: Shape (n,).
    """

    polycystic: bool
    peripheral: bool
    semi_axes_mm: NDArray[np.float64]
    centre_mm: NDArray[np.float64]
    rotation: NDArray[np.float64]
    follicle_centres_mm: NDArray[np.float64]
    follicle_diameters_mm: NDArray[np.float64]

    @property
    def volume_ml(self) -> float:
        """Volume of the ellipsoid, π/6 · length · width · height."""
        return float(4 / 3 * np.pi * np.prod(self.semi_axes_mm) / 1000)

    def extent_mm(self) -> NDArray[np.float64]:
        """Half extents along x, y and z, shape (3,)."""
        return ellipsoid_extent_mm(self.semi_axes_mm, self.rotation)

    def moved_to(self, centre_mm: NDArray[np.float64]) -> Ovary:
        """The same ovary at another place."""
        shift = centre_mm - self.centre_mm
        return Ovary(
            polycystic=self.polycystic,
            peripheral=self.peripheral,
            semi_axes_mm=self.semi_axes_mm,
            centre_mm=centre_mm,
            rotation=self.rotation,
            follicle_centres_mm=self.follicle_centres_mm + shift,
            follicle_diameters_mm=self.follicle_diameters_mm,
        )


@dataclass(frozen=True)
class FollicleSection:
    """The disc in which a section plane y = const cuts a follicle.

    Attributes:
        follicle: Index into the ovary's follicles.
        x_mm: Centre of the disc.
        z_mm: Centre of the disc.
        diameter_mm: Diameter of the disc.
    """

    follicle: int
    x_mm: float
    z_mm: float
    diameter_mm: float

    @property
    def visible(self) -> bool:
        """Whether a reader would count it."""
        return self.diameter_mm >= VISIBLE_FROM_MM


def draw_ovary(rng: np.random.Generator, *, polycystic: bool, size_quantile: float) -> Ovary:
    """Draw an ovary around the origin.

    Args:
        rng: Source of randomness.
        polycystic: The morphology.
        size_quantile: Quantile of the volume in its class, 0 to 1 (exclusive); the ovaries of a patient are alike.
    """
    volume_ml = draw_volume_ml(size_quantile, polycystic=polycystic)
    semi_axes = _draw_semi_axes_mm(rng, volume_ml)
    diameters = draw_follicle_diameters(rng, polycystic=polycystic, semi_axes_mm=semi_axes)
    peripheral = bool(rng.random() < (0.65 if polycystic else 0.3))
    centres, diameters = _place_spheres(rng, diameters, semi_axes_mm=semi_axes, peripheral=peripheral)
    rotation = _draw_rotation(rng)
    return Ovary(
        polycystic=polycystic,
        peripheral=peripheral,
        semi_axes_mm=semi_axes,
        centre_mm=np.zeros(3),
        rotation=rotation,
        follicle_centres_mm=centres @ rotation.T,
        follicle_diameters_mm=diameters,
    )


def draw_volume_ml(quantile: float, *, polycystic: bool) -> float:
    """The ovarian volume at a quantile of its class: a truncated lognormal distribution.

    Means are 6.1 mL (healthy) and 9.5 mL (polycystic); the area under the ROC curve of the volume alone is 0.62.
    """
    location, scale, low, high = _POLYCYSTIC_VOLUME if polycystic else _HEALTHY_VOLUME
    bounds = (np.log([low, high]) - location) / scale
    return float(np.exp(location + scale * truncnorm.ppf(quantile, *bounds)))


def draw_follicle_diameters(
    rng: np.random.Generator, *, polycystic: bool, semi_axes_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Diameters of all follicles of one ovary in mm, largest first, scaled down where they would not fit.

    Healthy: 8.0 follicles on average, sometimes a dominant one of 10 to 20 mm. Polycystic: 20 to 50 of 2 to 9 mm.
    """
    if polycystic:
        number = 20 + min(int(rng.negative_binomial(4, 4 / (4 + 14.0))), 30)
        diameters = _truncated_normal(rng, 5.8, 1.3, number)
    else:
        number = max(min(int(rng.negative_binomial(12, 12 / (12 + 8.0))), 19), 1)
        diameters = _truncated_normal(rng, 4.6, 1.6, number)
    volume = 4 / 3 * np.pi * np.prod(semi_axes_mm)
    share = np.pi / 6 * np.sum(diameters**3) / volume
    diameters = np.clip(
        diameters * min(1.0, ((0.42 if polycystic else 0.30) / share) ** (1 / 3)), _SMALLEST_MM, _LARGEST_ANTRAL_MM
    )
    largest = min(20.0, 1.35 * float(semi_axes_mm.min()))
    if not polycystic and largest > 10 and rng.random() < 0.3:
        diameters[0] = rng.uniform(10, largest)
    return np.sort(diameters)[::-1].astype(np.float64)


def sections(ovary: Ovary, *, y_mm: float) -> list[FollicleSection]:
    """The discs in which the plane y = `y_mm` cuts the follicles, in the order of the follicles."""
    radii = ovary.follicle_diameters_mm / 2
    squared = radii**2 - (ovary.follicle_centres_mm[:, 1] - y_mm) ** 2
    return [
        FollicleSection(
            follicle=int(index),
            x_mm=float(ovary.follicle_centres_mm[index, 0]),
            z_mm=float(ovary.follicle_centres_mm[index, 2]),
            diameter_mm=float(2 * np.sqrt(squared[index])),
        )
        for index in np.flatnonzero(squared > 0)
    ]


def ellipsoid_extent_mm(semi_axes_mm: NDArray[np.float64], rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half extents of a rotated ellipsoid along the axes: the support function √(Σ_j (R_ij a_j)²), shape (3,)."""
    return np.asarray(np.sqrt(((rotation * semi_axes_mm) ** 2).sum(axis=1)))


def _truncated_normal(rng: np.random.Generator, mean: float, sd: float, number: int) -> NDArray[np.float64]:
    low, high = (_SMALLEST_MM - mean) / sd, (_LARGEST_ANTRAL_MM - mean) / sd
    return np.asarray(mean + sd * truncnorm.ppf(rng.uniform(size=number), low, high))


def _draw_semi_axes_mm(rng: np.random.Generator, volume_ml: float) -> NDArray[np.float64]:
    ratios = np.sort([1.0, rng.uniform(0.66, 0.85), rng.uniform(0.52, 0.75)])[::-1]
    scale = (volume_ml * 1000 / (4 / 3 * np.pi * np.prod(ratios))) ** (1 / 3)
    return np.asarray(scale * ratios)


def _draw_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """Long axis mostly in the section plane and across the beam, shortest axis mostly along the beam."""
    in_plane, across, roll = np.radians([rng.uniform(-35, 35), rng.normal(0, 15), rng.normal(0, 15)])
    about_y = _rotation_matrix(in_plane, axis=1)
    about_z = _rotation_matrix(across, axis=2)
    about_x = _rotation_matrix(roll, axis=0)
    return np.asarray(about_y @ about_z @ about_x)


def _rotation_matrix(angle_rad: float, *, axis: int) -> NDArray[np.float64]:
    first, second = [index for index in range(3) if index != axis]
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(angle_rad)
    matrix[first, second], matrix[second, first] = -np.sin(angle_rad), np.sin(angle_rad)
    return matrix


def _place_spheres(
    rng: np.random.Generator,
    diameters_mm: NDArray[np.float64],
    *,
    semi_axes_mm: NDArray[np.float64],
    peripheral: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Random sequential addition, largest first; all are shrunk by 5 % and placed anew until they fit."""
    while True:
        centres = _try_to_place(rng, diameters_mm / 2, semi_axes_mm=semi_axes_mm, peripheral=peripheral)
        if centres is not None:
            return centres, diameters_mm
        if diameters_mm.max() <= _SMALLEST_MM:
            raise ValueError(f"{len(diameters_mm)} follicles do not fit into semi-axes of {semi_axes_mm} mm")
        diameters_mm = np.maximum(diameters_mm * 0.95, _SMALLEST_MM)


def _try_to_place(
    rng: np.random.Generator,
    radii_mm: NDArray[np.float64],
    *,
    semi_axes_mm: NDArray[np.float64],
    peripheral: bool,
    batches: int = 10,
) -> NDArray[np.float64] | None:
    centres = np.empty((0, 3))
    for index, radius in enumerate(radii_mm):
        for _ in range(batches):
            candidates = _inside(_uniform_in_ellipsoid(rng, 96, semi_axes_mm), radius, semi_axes_mm)
            gaps = np.linalg.norm(candidates[:, None] - centres[None], axis=2) - radii_mm[:index] - radius
            free = candidates[(gaps > _WALL_MM).all(axis=1)]
            if len(free):
                levels = np.linalg.norm(free / semi_axes_mm, axis=1)
                chosen = free[np.argmax(levels)] if peripheral else free[0]
                centres = np.vstack([centres, chosen])
                break
        else:
            return None
    return centres


def _uniform_in_ellipsoid(
    rng: np.random.Generator, number: int, semi_axes_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    directions = rng.standard_normal((number, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(directions * rng.random((number, 1)) ** (1 / 3) * semi_axes_mm)


def _inside(
    candidates_mm: NDArray[np.float64], radius_mm: float, semi_axes_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Those centres whose sphere, with the capsule's thickness around it, lies in the ellipsoid."""
    surface = candidates_mm[:, None] + (radius_mm + _CAPSULE_MM) * _sphere_directions(64)
    inside: NDArray[np.bool_] = (np.linalg.norm(surface / semi_axes_mm, axis=2) < 1).all(axis=1)
    return candidates_mm[inside]


def _sphere_directions(number: int) -> NDArray[np.float64]:
    """Nearly even directions: the Fibonacci lattice on the sphere, shape (number, 3)."""
    index = np.arange(number) + 0.5
    height = 1 - 2 * index / number
    azimuth = np.pi * (1 + np.sqrt(5)) * index
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(azimuth), ring * np.sin(azimuth), height], axis=1)
