"""Ovaries in three dimensions: an ellipsoid with follicles as spheres that do not overlap.

References:
    Teede et al., International evidence-based guideline for the assessment and management of polycystic ovary
    syndrome (2018, updated 2023): polycystic morphology is 20 or more follicles of 2-9 mm in at least one ovary,
    or a volume of 10 mL or more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri

from sonoproof.phantom.geometry import Ellipsoid, rotation_about
from sonoproof.phantom.packing import pack_spheres
from sonoproof.types import FloatArray

VISIBLE_FROM_MM = 1.5
"""Diameter of a follicle's section from which a reader would see and count it."""

_ANTRAL_MM = (2.0, 9.0)
_DOMINANT_MM = (10.0, 20.0)
# ln of the volume in mL: location, scale, and the volumes at which it is truncated. Chosen so that the means are 6.1
# and 9.5 mL while volume alone has an AUC of 0.62; a mean of 10 mL and the literature's 0.61 would need a heavier tail.
_HEALTHY_VOLUME = (1.706, 0.45, 2.5, 15.0)
_POLYCYSTIC_VOLUME = (1.751, 1.10, 2.5, 32.0)


@dataclass(frozen=True)
class Ovary:
    """An ellipsoid with follicles.

    Attributes:
        shape: The ellipsoid.
        follicle_centres_mm: Shape (n, 3), in the axes of the scanner.
        follicle_diameters_mm: Shape (n,).
        peripheral: Whether the follicles were placed along the capsule ("string of pearls").
    """

    shape: Ellipsoid
    follicle_centres_mm: FloatArray
    follicle_diameters_mm: FloatArray
    peripheral: bool

    def moved_to(self, centre_mm: FloatArray) -> Ovary:
        """The same ovary in another place."""
        return replace(
            self,
            shape=replace(self.shape, centre_mm=centre_mm),
            follicle_centres_mm=self.follicle_centres_mm + (centre_mm - self.shape.centre_mm),
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

    Healthy: 8.0 follicles on average, sometimes one of them dominant (10 to 20 mm). Polycystic: 20 to 50 of 2 to
    9 mm. Follicles that would fill the ovary are scaled down, so small ovaries have small ones.

    Args:
        rng: Source of randomness.
        polycystic: The morphology.
        size_quantile: Quantile of the volume within its class, strictly between 0 and 1.
    """
    volume_ml = draw_volume_ml(size_quantile, polycystic=polycystic)
    semi_axes_mm = _draw_semi_axes_mm(rng, volume_ml)
    desired_mm = _draw_diameters_mm(rng, semi_axes_mm, polycystic=polycystic)
    peripheral = bool(rng.random() < (0.65 if polycystic else 0.3))
    centres, diameters = pack_spheres(
        rng, desired_mm, semi_axes_mm=semi_axes_mm, smallest_mm=_ANTRAL_MM[0], peripheral=peripheral
    )
    rotation = _draw_rotation(rng)
    return Ovary(
        shape=Ellipsoid(semi_axes_mm=semi_axes_mm, centre_mm=np.zeros(3), rotation=rotation),
        follicle_centres_mm=centres @ rotation.T,
        follicle_diameters_mm=diameters,
        peripheral=peripheral,
    )


def draw_volume_ml(quantile: float, *, polycystic: bool) -> float:
    """The ovarian volume at a quantile of its class: a truncated lognormal distribution.

    Means are 6.1 mL (healthy) and 9.5 mL (polycystic); the area under the ROC curve of the volume alone is 0.62.
    """
    location, scale, low, high = _POLYCYSTIC_VOLUME if polycystic else _HEALTHY_VOLUME
    log_volume = _truncated_normal(np.array(quantile), location, scale, low=np.log(low), high=np.log(high))
    return float(np.exp(log_volume))


def draw_follicle_count(rng: np.random.Generator, *, polycystic: bool) -> int:
    """Follicles of one ovary: 1 to 19, 8.0 on average (healthy), or 20 to 50, 34 on average (polycystic).

    The counts are negative binomial, since people differ by more than chance alone (variance μ + μ²/shape).
    """
    if polycystic:
        return min(20 + int(rng.negative_binomial(4, 4 / (4 + 14))), 50)
    return min(max(int(rng.negative_binomial(12, 12 / (12 + 8))), 1), 19)


def sections(ovary: Ovary, *, y_mm: float) -> list[FollicleSection]:
    """The discs in which the plane y = `y_mm` cuts the follicles, in the order of the follicles."""
    squared = (ovary.follicle_diameters_mm / 2) ** 2 - (ovary.follicle_centres_mm[:, 1] - y_mm) ** 2
    return [
        FollicleSection(
            follicle=int(index),
            x_mm=float(ovary.follicle_centres_mm[index, 0]),
            z_mm=float(ovary.follicle_centres_mm[index, 2]),
            diameter_mm=float(2 * np.sqrt(squared[index])),
        )
        for index in np.flatnonzero(squared > 0)
    ]


def _draw_diameters_mm(rng: np.random.Generator, semi_axes_mm: FloatArray, *, polycystic: bool) -> FloatArray:
    """Diameters, largest first, scaled down where antral follicles would fill too much of the ovary."""
    mean, sd, share = (5.8, 1.3, 0.42) if polycystic else (4.6, 1.6, 0.30)
    number = draw_follicle_count(rng, polycystic=polycystic)
    smallest, largest = _ANTRAL_MM
    diameters_mm = _truncated_normal(rng.uniform(size=number), mean, sd, low=smallest, high=largest)
    filled = np.sum(diameters_mm**3) / (8 * np.prod(semi_axes_mm))
    diameters_mm = np.maximum(diameters_mm * min(1.0, float(share / filled) ** (1 / 3)), smallest)
    dominant_mm = _DOMINANT_MM[0], min(_DOMINANT_MM[1], 1.35 * float(semi_axes_mm.min()))
    if not polycystic and dominant_mm[1] > dominant_mm[0] and rng.random() < 0.25:
        diameters_mm[0] = rng.uniform(*dominant_mm)
    return np.sort(diameters_mm)[::-1]


def _truncated_normal(quantiles: FloatArray, mean: float, sd: float, *, low: float, high: float) -> FloatArray:
    """Quantiles of a normal distribution that is cut off at `low` and `high`."""
    below, above = ndtr((low - mean) / sd), ndtr((high - mean) / sd)
    return np.asarray(mean + sd * ndtri(below + quantiles * (above - below)))


def _draw_semi_axes_mm(rng: np.random.Generator, volume_ml: float) -> FloatArray:
    """Semi-axes of an ellipsoid of the given volume, longest first."""
    ratios = np.sort([1.0, rng.uniform(0.66, 0.85), rng.uniform(0.52, 0.75)])[::-1]
    return np.asarray((volume_ml * 1000 / (4 / 3 * np.pi * np.prod(ratios))) ** (1 / 3) * ratios)


def _draw_rotation(rng: np.random.Generator) -> FloatArray:
    """Long axis mostly in the section plane and across the beam, shortest axis mostly along the beam."""
    in_plane, across, roll = np.radians([rng.uniform(-35, 35), rng.normal(0, 15), rng.normal(0, 15)])
    turned = rotation_about(in_plane, axis=1) @ rotation_about(across, axis=2) @ rotation_about(roll, axis=0)
    return np.asarray(turned)
