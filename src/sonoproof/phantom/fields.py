"""Random functions of space that vary slowly: what makes tissue uneven, undulating and out of shape."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sonoproof.types import Float32Array

_COARSE = (8, 4)
"""A field is computed at every 8th row and every 4th column: it varies slowly compared with their spacing."""


@dataclass(frozen=True)
class SmoothField:
    """A random function of space with zero mean and unit variance: a sum of plane waves of random phase.

    Attributes:
        wave_vectors: rad/mm, shape (waves, 3).
        phases: Shape (waves,).
    """

    wave_vectors: Float32Array
    phases: Float32Array

    @classmethod
    def draw(cls, rng: np.random.Generator, *, length_mm: float, waves: int = 24) -> SmoothField:
        """Draw a field whose correlation falls off as a Gaussian of standard deviation `length_mm`."""
        vectors = rng.normal(0, 1 / length_mm, (waves, 3)).astype(np.float32)
        return cls(wave_vectors=vectors, phases=rng.uniform(0, 2 * np.pi, waves).astype(np.float32))

    def __call__(self, x: Float32Array, z: Float32Array, *, y_mm: float) -> Float32Array:
        """Values in the plane y = `y_mm` at `x` and `z` (mm), both of shape (rows, columns).

        They are computed at some of the rows and columns and interpolated in between.
        """
        rows, columns = (max(2, size // step) for size, step in zip(x.shape, _COARSE, strict=True))
        coarse_x, coarse_z = (cv2.resize(axis, (columns, rows), interpolation=cv2.INTER_AREA) for axis in (x, z))
        phases = self.phases + self.wave_vectors[:, 1] * np.float32(y_mm)
        angle = coarse_x[..., None] * self.wave_vectors[:, 0] + coarse_z[..., None] * self.wave_vectors[:, 2] + phases
        values = np.asarray(np.sqrt(2 / len(phases)) * np.cos(angle).sum(axis=-1), dtype=np.float32)
        return np.asarray(cv2.resize(values, x.shape[::-1]), dtype=np.float32)
