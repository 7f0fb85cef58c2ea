"""What one sweep passes through: the ovary, its neighbours and the layers of tissue between them and the probe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from sonoproof.phantom.acoustics import TISSUE_ATTENUATION
from sonoproof.phantom.anatomy import Ovary
from sonoproof.phantom.fields import SmoothField
from sonoproof.phantom.geometry import Ellipsoid, rotation_about
from sonoproof.types import Float32Array

LAYER_STEP_MM = 0.25
_LAYERED_MM = 90.0
_BLOOD_DB = -26.0
_BLOOD_ATTENUATION = 0.15


@dataclass(frozen=True)
class Neighbour:
    """A vessel or the uterus.

    Attributes:
        shape: The ellipsoid that represents it.
        echo_db: Echogenicity.
        wall_db: Echo of its wall where it faces the beam.
        attenuation: dB/cm/MHz, one way.
    """

    shape: Ellipsoid
    echo_db: float
    wall_db: float
    attenuation: float


@dataclass(frozen=True)
class Scene:
    """Everything that one sweep passes through. Echogenicities are relative to ordinary tissue (0 dB).

    Attributes:
        ovary: The ovary.
        neighbours: Vessel and uterus, where they are in view.
        stroma_db: Echogenicity of the ovarian stroma.
        capsule_db: Echo of the capsule where it faces the beam.
        wall_db: Echo of the follicles' walls above the stroma's where they face the beam.
        slice_sigma_mm: Standard deviation of the beam's thickness across the section plane.
        lumps: Unevenness of the surroundings.
        grain: Unevenness of the stroma.
        pressure: Displacement along x and z that deforms the tissue, in units of `deformation_mm`.
        deformation_mm: Its root mean square.
        warp: Undulation of the layers.
        layering: Where the layers are pronounced, and where not.
        layer_db: Echogenicity of the layers by depth, one value per `LAYER_STEP_MM`.
    """

    ovary: Ovary
    neighbours: tuple[Neighbour, ...]
    stroma_db: float
    capsule_db: float
    wall_db: float
    slice_sigma_mm: float
    lumps: SmoothField
    grain: SmoothField
    pressure: tuple[SmoothField, SmoothField]
    deformation_mm: float
    warp: SmoothField
    layering: SmoothField
    layer_db: Float32Array

    def undeformed(self, x: Float32Array, z: Float32Array, *, y_mm: float) -> tuple[Float32Array, Float32Array]:
        """Where what is now at (x, z) lies in the ideal anatomy; no real follicle is a perfect sphere."""
        along_x, along_z = (np.float32(self.deformation_mm) * field(x, z, y_mm=y_mm) for field in self.pressure)
        return x + along_x, z + along_z


def draw_scene(rng: np.random.Generator, *, ovary: Ovary) -> Scene:
    """Draw what surrounds an ovary. Nothing drawn here depends on its follicles."""
    return Scene(
        ovary=ovary,
        neighbours=tuple(_draw_neighbours(rng, ovary.shape)),
        stroma_db=rng.uniform(-7, -2),
        capsule_db=rng.uniform(3, 8),
        wall_db=rng.uniform(4, 9),
        slice_sigma_mm=rng.uniform(0.4, 0.6),
        lumps=SmoothField.draw(rng, length_mm=7),
        grain=SmoothField.draw(rng, length_mm=2.2),
        pressure=(SmoothField.draw(rng, length_mm=5), SmoothField.draw(rng, length_mm=5)),
        deformation_mm=rng.uniform(0.35, 0.65),
        warp=SmoothField.draw(rng, length_mm=rng.uniform(14, 24)),
        layering=SmoothField.draw(rng, length_mm=6),
        layer_db=_draw_layers_db(rng),
    )


def _draw_neighbours(rng: np.random.Generator, ovary: Ellipsoid) -> Iterator[Neighbour]:
    side = float(rng.choice([-1.0, 1.0]))
    if rng.random() < 0.35:
        yield _draw_iliac_vein(rng, ovary, side)
    if rng.random() < 0.4:
        yield _draw_uterus(rng, ovary, -side)


def _draw_iliac_vein(rng: np.random.Generator, ovary: Ellipsoid, side: float) -> Neighbour:
    """The landmark below the ovary, cut lengthwise or obliquely."""
    reach = ovary.extent_mm()
    offset = np.array([side * rng.uniform(-0.5, 1.0) * reach[0], 0.0, reach[2] + rng.uniform(4, 8)])
    semi_axes = np.array([rng.uniform(12, 22), rng.uniform(3, 5), rng.uniform(2.2, 3.8)])
    shape = Ellipsoid(semi_axes, ovary.centre_mm + offset, rotation_about(rng.uniform(-0.6, 0.6), axis=1))
    return Neighbour(shape, echo_db=_BLOOD_DB, wall_db=rng.uniform(2, 7), attenuation=_BLOOD_ATTENUATION)


def _draw_uterus(rng: np.random.Generator, ovary: Ellipsoid, side: float) -> Neighbour:
    offset = np.array([side * (ovary.extent_mm()[0] + rng.uniform(14, 20)), 0.0, rng.uniform(-4, 8)])
    semi_axes = np.array([rng.uniform(20, 26), 22.0, rng.uniform(13, 17)])
    shape = Ellipsoid(semi_axes, ovary.centre_mm + offset, rotation_about(rng.uniform(-0.6, 0.6), axis=1))
    return Neighbour(shape, echo_db=rng.uniform(-4, 1), wall_db=rng.uniform(2, 7), attenuation=TISSUE_ATTENUATION)


def _draw_layers_db(rng: np.random.Generator) -> Float32Array:
    """Muscle and fascia: noise of two scales, and a few thin bright sheets."""
    number = int(_LAYERED_MM / LAYER_STEP_MM)
    fine, coarse = (_smooth_noise(rng, number, sigma) for sigma in (1.6, 12.0))
    layers = 3.5 * fine + 3.5 * coarse
    sheets = rng.choice(number, size=int(rng.integers(3, 8)), replace=False)
    layers[sheets] += rng.uniform(6, 12, len(sheets))
    return np.asarray(layers, dtype=np.float32)


def _smooth_noise(rng: np.random.Generator, number: int, sigma: float) -> Float32Array:
    """Gaussian noise of unit variance, correlated over `sigma` samples."""
    noise = cv2.GaussianBlur(rng.standard_normal((number, 1)), (1, 0), sigmaX=0.1, sigmaY=sigma)[:, 0]
    return np.asarray(noise / noise.std(), dtype=np.float32)
