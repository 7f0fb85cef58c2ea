"""What lies in the section plane: echogenicity, interfaces and attenuation of the ovary and of what surrounds it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from sonoproof.phantom.acoustics import FLUID_ATTENUATION, TISSUE_ATTENUATION, PolarGrid, TissueMaps
from sonoproof.phantom.anatomy import Ovary

__all__ = ["Scene", "SmoothField", "draw_scene", "tissue_maps"]

_FLUID_DB = -50.0
_BLOOD_DB = -26.0
_COARSE = (8, 4)
"""Every how many rows and beams the slowly varying fields are computed; in between they are interpolated."""
_FARTHEST_MM = 90.0

Plane = NDArray[np.float32]


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
        """Draw a field whose correlation falls off as a Gaussian over `length_mm`."""
        vectors = rng.normal(0, 1 / length_mm, (waves, 3)).astype(np.float32)
        return cls(wave_vectors=vectors, phases=rng.uniform(0, 2 * np.pi, waves).astype(np.float32))

    def __call__(self, x: Plane, z: Plane, *, y_mm: float) -> Plane:
        """Values in the plane y = `y_mm`; `x` and `z` in mm and of any one shape."""
        phases = self.phases + self.wave_vectors[:, 1] * np.float32(y_mm)
        angle = x[..., None] * self.wave_vectors[:, 0] + z[..., None] * self.wave_vectors[:, 2] + phases
        return np.asarray(np.sqrt(2 / len(phases)) * np.cos(angle).sum(axis=-1), dtype=np.float32)


@dataclass(frozen=True)
class Body:
    """An ellipsoid of other tissue near the ovary: a vessel or the uterus.

    Attributes:
        semi_axes_mm: Shape (3,).
        centre_mm: Shape (3,).
        rotation: Shape (3, 3); columns are the directions of the semi-axes.
        echo_db: Echogenicity.
        wall_db: Echo of its wall where it faces the beam.
        attenuation: dB/cm/MHz.
    """

    semi_axes_mm: NDArray[np.float64]
    centre_mm: NDArray[np.float64]
    rotation: NDArray[np.float64]
    echo_db: float
    wall_db: float
    attenuation: float


@dataclass(frozen=True)
class Scene:
    """All that one sweep passes through.

    Attributes:
        ovary: The ovary.
        stroma_db: Echogenicity of the ovarian stroma relative to the tissue around it.
        capsule_db: Echo of the capsule where it faces the beam.
        wall_db: Echo of the follicles' walls where they face the beam.
        slice_sigma_mm: Standard deviation of the beam's thickness across the section plane.
        bodies: Vessels and uterus.
        lumps: Slow variation of echogenicity.
        grain: Faster variation, within the ovary too.
        deformation_mm: Root mean square of the displacement by which the probe's pressure deforms all shapes.
        pressure: The displacement along x and z, each to be multiplied by `deformation_mm`.
        warp: Undulation of the tissue layers.
        layering: How marked the layers are.
        layer_db: Echogenicity of the layers against their depth, one value each `layer_step_mm`.
        layer_step_mm: Step of `layer_db`.
    """

    ovary: Ovary
    stroma_db: float
    capsule_db: float
    wall_db: float
    slice_sigma_mm: float
    bodies: tuple[Body, ...]
    lumps: SmoothField
    grain: SmoothField
    deformation_mm: float
    pressure: tuple[SmoothField, SmoothField]
    warp: SmoothField
    layering: SmoothField
    layer_db: Plane
    layer_step_mm: float = 0.25

    def deformed(self, x: Plane, z: Plane, *, y_mm: float) -> tuple[Plane, Plane]:
        """Where the tissue that is now at (x, z) lies in the undeformed anatomy; an ovary is no perfect ellipsoid."""
        along_x, along_z = _slow(x, z, y_mm=y_mm, fields=self.pressure)
        scale = np.float32(self.deformation_mm)
        return x + scale * along_x, z + scale * along_z


def draw_scene(rng: np.random.Generator, *, ovary: Ovary) -> Scene:
    """Draw what surrounds an ovary. Nothing drawn here depends on the morphology of its follicles."""
    return Scene(
        ovary=ovary,
        stroma_db=rng.uniform(-7, -2),
        capsule_db=rng.uniform(5, 10),
        wall_db=rng.uniform(4, 9),
        slice_sigma_mm=rng.uniform(0.4, 0.6),
        bodies=tuple(_draw_bodies(rng, ovary)),
        lumps=SmoothField.draw(rng, length_mm=7),
        grain=SmoothField.draw(rng, length_mm=2.2),
        deformation_mm=rng.uniform(0.35, 0.65),
        pressure=(SmoothField.draw(rng, length_mm=5), SmoothField.draw(rng, length_mm=5)),
        warp=SmoothField.draw(rng, length_mm=rng.uniform(14, 24)),
        layering=SmoothField.draw(rng, length_mm=6),
        layer_db=_draw_layers(rng),
    )


def tissue_maps(scene: Scene, grid: PolarGrid, *, y_mm: float, shift_mm: tuple[float, float]) -> TissueMaps:
    """Acoustic properties in one section plane.

    Args:
        scene: The anatomy.
        grid: Samples.
        y_mm: Position of the plane.
        shift_mm: Where the probe has moved within the plane (x, z): the hand is not steady.
    """
    x, z = grid.cartesian_mm()
    x, z = scene.deformed(x + np.float32(shift_mm[0]), z + np.float32(shift_mm[1]), y_mm=y_mm)
    beam_x, beam_z = np.sin(grid.angles_rad)[None], np.cos(grid.angles_rad)[None]
    maps = _surroundings(scene, x, z, y_mm=y_mm)
    for body in scene.bodies:
        _add_body(maps, body, x, z, y_mm=y_mm, beam=(beam_x, beam_z))
    _add_stroma(maps, scene, x, z, y_mm=y_mm, beam=(beam_x, beam_z))
    for centre, diameter in zip(scene.ovary.follicle_centres_mm, scene.ovary.follicle_diameters_mm, strict=True):
        _add_follicle(maps, scene, grid, (x, z), y_mm=y_mm, centre_mm=centre, radius_mm=diameter / 2)
    return maps


def _draw_layers(rng: np.random.Generator) -> Plane:
    """Fascia and muscle: noise of two scales, and a few thin bright sheets."""
    number = int(_FARTHEST_MM / 0.25)
    fine = cv2.GaussianBlur(rng.standard_normal((number, 1)), (1, 9), sigmaX=0.1, sigmaY=1.6)[:, 0]
    coarse = cv2.GaussianBlur(rng.standard_normal((number, 1)), (1, 65), sigmaX=0.1, sigmaY=12)[:, 0]
    layers = 3.5 * fine / fine.std() + 3.5 * coarse / coarse.std()
    sheets = rng.choice(number, size=int(rng.integers(3, 8)), replace=False)
    layers[sheets] += rng.uniform(6, 12, len(sheets))
    return np.asarray(layers, dtype=np.float32)


def _draw_bodies(rng: np.random.Generator, ovary: Ovary) -> Iterator[Body]:
    reach = ovary.extent_mm()
    side = rng.choice([-1.0, 1.0])
    if rng.random() < 0.35:  # the iliac vein runs beside or below the ovary, often along the section
        offset = [side * rng.uniform(-0.5, 1.0) * reach[0], 0.0, reach[2] + rng.uniform(4, 8)]
        yield _body(rng, ovary, offset, (rng.uniform(12, 22), rng.uniform(3, 5), rng.uniform(2.2, 3.8)), _BLOOD_DB)
    if rng.random() < 0.4:
        offset = [-side * (reach[0] + rng.uniform(14, 20)), 0.0, rng.uniform(-4, 8)]
        yield _body(rng, ovary, offset, (rng.uniform(20, 26), 22.0, rng.uniform(13, 17)), rng.uniform(-4, 1))


def _body(
    rng: np.random.Generator,
    ovary: Ovary,
    offset_mm: list[float],
    semi_axes_mm: tuple[float, float, float],
    echo_db: float,
) -> Body:
    angle = rng.uniform(-0.6, 0.6)
    rotation = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    return Body(
        semi_axes_mm=np.array(semi_axes_mm),
        centre_mm=ovary.centre_mm + offset_mm,
        rotation=rotation,
        echo_db=echo_db,
        wall_db=rng.uniform(2, 7),
        attenuation=0.15 if echo_db == _BLOOD_DB else TISSUE_ATTENUATION,
    )


def _surroundings(scene: Scene, x: Plane, z: Plane, *, y_mm: float) -> TissueMaps:
    warp, layering, lumps = _slow(x, z, y_mm=y_mm, fields=(scene.warp, scene.layering, scene.lumps))
    depth = np.maximum(z, 0)
    layer = _bend_around(scene.ovary, x, z, y_mm=y_mm) + 4 * warp * np.minimum(depth / 12, 1) + 8
    layers = np.interp(layer.ravel() / scene.layer_step_mm, np.arange(len(scene.layer_db)), scene.layer_db)
    weight = np.clip(0.7 + 0.6 * layering, 0, 1.8)
    echo_db = 3.0 * lumps + weight * layers.reshape(x.shape).astype(np.float32)
    return TissueMaps(
        diffuse=_power(echo_db),
        specular=np.full(x.shape, 1e-7, dtype=np.float32),
        attenuation=np.full(x.shape, TISSUE_ATTENUATION, dtype=np.float32),
    )


def _bend_around(ovary: Ovary, x: Plane, z: Plane, *, y_mm: float) -> Plane:
    """Depth along which the layers lie: they give way to the ovary above and below it."""
    centre, reach = ovary.centre_mm, ovary.extent_mm()
    dx, dz = (x - centre[0]) / reach[0], (z - centre[2]) / reach[2]
    dy = (y_mm - centre[1]) / reach[1]
    near = np.exp(-0.8 * (dx**2 + dz**2 + dy**2))
    return np.asarray(z - 0.7 * (z - centre[2]) * near, dtype=np.float32)


def _slow(x: Plane, z: Plane, *, y_mm: float, fields: tuple[SmoothField, ...]) -> list[Plane]:
    """Values of slowly varying fields: computed at the centre of blocks, interpolated in between."""
    rows, beams = (max(2, size // step) for size, step in zip(x.shape, _COARSE, strict=True))
    coarse_x, coarse_z = (
        np.asarray(cv2.resize(axis, (beams, rows), interpolation=cv2.INTER_AREA), dtype=np.float32) for axis in (x, z)
    )
    return [
        np.asarray(cv2.resize(field(coarse_x, coarse_z, y_mm=y_mm), x.shape[::-1]), dtype=np.float32)
        for field in fields
    ]


def _add_stroma(maps: TissueMaps, scene: Scene, x: Plane, z: Plane, *, y_mm: float, beam: tuple[Plane, Plane]) -> None:
    ovary = scene.ovary
    distance, facing = _ellipsoid_distance(
        x, z, y_mm=y_mm, semi_axes_mm=ovary.semi_axes_mm, centre_mm=ovary.centre_mm, rotation=ovary.rotation, beam=beam
    )
    inside = ndtr(-distance / 0.25).astype(np.float32)
    (lumps,) = _slow(x, z, y_mm=y_mm, fields=(scene.grain,))
    stroma = _power(np.float32(scene.stroma_db) + 1.2 * lumps)
    _blend(maps.diffuse, stroma, inside)
    _blend(maps.attenuation, np.float32(TISSUE_ATTENUATION), inside)
    capsule = np.exp(-((distance / 0.45) ** 2))
    maps.diffuse[...] += 0.6 * _power(scene.capsule_db) * capsule * (0.2 + 0.8 * facing**4)
    maps.specular[...] += 0.4 * _power(scene.capsule_db) * capsule * facing**12
    maps.attenuation[...] += np.float32(0.6) * capsule * (1 - facing**2) ** 12


def _add_body(maps: TissueMaps, body: Body, x: Plane, z: Plane, *, y_mm: float, beam: tuple[Plane, Plane]) -> None:
    distance, facing = _ellipsoid_distance(
        x, z, y_mm=y_mm, semi_axes_mm=body.semi_axes_mm, centre_mm=body.centre_mm, rotation=body.rotation, beam=beam
    )
    inside = ndtr(-distance / 0.3).astype(np.float32)
    _blend(maps.diffuse, _power(body.echo_db) + 0.0 * distance, 0.9 * inside)
    _blend(maps.attenuation, np.float32(body.attenuation), inside)
    wall = np.exp(-((distance / 0.5) ** 2)) * facing**4
    maps.diffuse[...] += _power(body.wall_db) * wall


def _ellipsoid_distance(
    x: Plane,
    z: Plane,
    *,
    y_mm: float,
    semi_axes_mm: NDArray[np.float64],
    centre_mm: NDArray[np.float64],
    rotation: NDArray[np.float64],
    beam: tuple[Plane, Plane],
) -> tuple[Plane, Plane]:
    """Distance to the surface in mm (first order, negative inside) and |cosine| of its normal against the beam."""
    form = (rotation / semi_axes_mm**2) @ rotation.T
    dx, dy, dz = x - np.float32(centre_mm[0]), np.float32(y_mm - centre_mm[1]), z - np.float32(centre_mm[2])
    a = form.astype(np.float32)
    gradient = [a[i, 0] * dx + a[i, 1] * dy + a[i, 2] * dz for i in range(3)]
    level = np.sqrt(np.maximum(gradient[0] * dx + gradient[1] * dy + gradient[2] * dz, 1e-6))
    steepness = np.sqrt(gradient[0] ** 2 + gradient[1] ** 2 + gradient[2] ** 2) + np.float32(1e-9)
    facing = np.abs(gradient[0] * beam[0] + gradient[2] * beam[1]) / steepness
    return level * (level - 1) / steepness, facing


def _add_follicle(
    maps: TissueMaps,
    scene: Scene,
    grid: PolarGrid,
    position: tuple[Plane, Plane],
    *,
    y_mm: float,
    centre_mm: NDArray[np.float64],
    radius_mm: float,
) -> None:
    """Fluid and a thin wall. The beam is as thick as the slice, so a grazed follicle is filled in with stroma."""
    offset = y_mm - centre_mm[1]
    reach = radius_mm + 1.2
    if abs(offset) > radius_mm + 2 * scene.slice_sigma_mm:
        return
    patch = _patch(position, centre_mm, reach)
    if patch is None:
        return
    dx = position[0][patch] - np.float32(centre_mm[0])
    dz = position[1][patch] - np.float32(centre_mm[2])
    in_plane = np.sqrt(dx**2 + dz**2)
    half_chord = np.sqrt(np.maximum(radius_mm**2 - in_plane**2, 0))
    fluid = ndtr((half_chord - offset) / scene.slice_sigma_mm) - ndtr((-half_chord - offset) / scene.slice_sigma_mm)
    _blend(maps.diffuse[patch], np.float32(_power(_FLUID_DB)), fluid.astype(np.float32))
    _blend(maps.attenuation[patch], np.float32(FLUID_ATTENUATION), fluid.astype(np.float32))
    _blend(maps.specular[patch], np.float32(1e-7), fluid.astype(np.float32))
    distance = np.sqrt(in_plane**2 + np.float32(offset**2)) + np.float32(1e-6)
    angles = grid.angles_rad[patch[1]]
    facing = np.abs(dx * np.sin(angles) + dz * np.cos(angles)) / distance
    wall = np.exp(-(((distance - radius_mm) / 0.3) ** 2))
    wall_power = _power(scene.stroma_db + scene.wall_db)
    maps.diffuse[patch] += wall_power * wall * (0.15 + 0.5 * facing**4)
    maps.specular[patch] += 0.5 * wall_power * wall * facing**16
    maps.attenuation[patch] += np.float32(0.5) * wall * (1 - facing**2) ** 12


def _patch(
    position: tuple[Plane, Plane], centre_mm: NDArray[np.float64], reach_mm: float
) -> tuple[slice, slice] | None:
    """Rows and beams that can lie within `reach_mm` of a point, or None where there are none."""
    near = np.abs(position[0] - centre_mm[0]) < reach_mm
    near &= np.abs(position[1] - centre_mm[2]) < reach_mm
    rows, beams = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    if not len(rows):
        return None
    return slice(rows[0], rows[-1] + 1), slice(beams[0], beams[-1] + 1)


def _blend(target: Plane, value: Plane | np.float32, share: Plane) -> None:
    target += share * (value - target)


def _power(level_db: Plane | float) -> Plane:
    return np.asarray(np.exp(np.float32(np.log(10) / 10) * np.asarray(level_db, dtype=np.float32)), dtype=np.float32)
