"""Random functions of space that vary slowly: what makes tissue uneven, undulating and out of shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sonoproof.phantom.geometry import Plane

_COARSE = (8, 4)
"""Every how many rows and columns a slow function is computed; in between it is interpolated."""


@dataclass(frozen=True)
class SmoothField:
    """A random function of space with zero mean and unit variance: a sum of plane waves of random phase.

    Attributes:
        wave_vectors: rad/mm, shape (waves, 3).
        phases: Shape (waves,).
    """

    wave_vectors: Plane
    phases: Plane

    @classmethod
    def draw(cls, rng: np.random.Generator, *, length_mm: float, waves: int = 24) -> SmoothField:
        """Draw a field whose correlation falls off as a Gaussian of standard deviation `length_mm`."""
        vectors = rng.normal(0, 1 / length_mm, (waves, 3)).astype(np.float32)
        return cls(wave_vectors=vectors, phases=rng.uniform(0, 2 * np.pi, waves).astype(np.float32))

    def __call__(self, x: Plane, z: Plane, *, y_mm: float) -> Plane:
        """Values in the plane y = `y_mm`, of the shape of `x` and `z` (mm)."""
        phases = self.phases + self.wave_vectors[:, 1] * np.float32(y_mm)
        angle = x[..., None] * self.wave_vectors[:, 0] + z[..., None] * self.wave_vectors[:, 2] + phases
        return np.asarray(np.sqrt(2 / len(phases)) * np.cos(angle).sum(axis=-1), dtype=np.float32)


def interpolated(fields: Sequence[SmoothField], x: Plane, z: Plane, *, y_mm: float) -> list[Plane]:
    """Values of fields that vary slowly against the spacing of the points, at a fraction of the cost.

    Args:
        fields: The functions.
        x: mm, shape (rows, columns).
        z: mm, of the same shape.
        y_mm: The plane.
    """
    rows, columns = (max(2, size // step) for size, step in zip(x.shape, _COARSE, strict=True))
    coarse = [np.asarray(cv2.resize(axis, (columns, rows), interpolation=cv2.INTER_AREA)) for axis in (x, z)]
    coarse_x, coarse_z = (axis.astype(np.float32) for axis in coarse)
    return [
        np.asarray(cv2.resize(field(coarse_x, coarse_z, y_mm=y_mm), x.shape[::-1]), dtype=np.float32)
        for field in fields
    ]
