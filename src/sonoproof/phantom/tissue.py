"""What lies in a section plane: echogenicity, interfaces and attenuation at every sample of the beams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtr

from sonoproof.phantom.acoustics import FLUID_ATTENUATION, TISSUE_ATTENUATION, PolarGrid, TissueMaps, from_db
from sonoproof.phantom.anatomy import sections
from sonoproof.phantom.geometry import Ellipsoid
from sonoproof.phantom.scene import LAYER_STEP_MM, Neighbour, Scene
from sonoproof.types import Float32Array, FloatArray, UInt8Array

BACKGROUND, OVARY, FOLLICLE = 0, 1, 2
"""Values of a mask."""

_FLUID_DB = -50.0
_NO_ECHO = np.float32(1e-7)
_WALL_SIGMA_MM = 0.3
_CAPSULE_SIGMA_MM = 0.45


@dataclass(frozen=True)
class _View:
    """The samples of one section plane.

    Attributes:
        x: Position in the ideal anatomy in mm, shape (rows, beams).
        z: Likewise.
        y_mm: The plane.
        beam_x: Direction of each beam, shape (beams,).
        beam_z: Likewise.
    """

    x: Float32Array
    z: Float32Array
    y_mm: float
    beam_x: Float32Array
    beam_z: Float32Array

    def surface(self, shape: Ellipsoid) -> tuple[Float32Array, Float32Array]:
        """Distance to the surface of an ellipsoid, and how squarely it faces the beam (0 to 1)."""
        distance, normal_x, normal_z = shape.surface(self.x, self.z, y_mm=self.y_mm)
        return distance, np.abs(normal_x * self.beam_x + normal_z * self.beam_z)


def tissue_maps(scene: Scene, grid: PolarGrid, *, y_mm: float, shift_mm: tuple[float, float]) -> TissueMaps:
    """Acoustic properties in one section plane.

    Args:
        scene: The anatomy.
        grid: Samples.
        y_mm: Position of the plane.
        shift_mm: Where the probe has moved within the plane (x, z): the hand is not steady.
    """
    x, z = grid.cartesian_mm()
    x, z = scene.undeformed(x + np.float32(shift_mm[0]), z + np.float32(shift_mm[1]), y_mm=y_mm)
    view = _View(x, z, y_mm, beam_x=np.sin(grid.angles_rad), beam_z=np.cos(grid.angles_rad))
    maps = _surroundings(scene, view)
    for neighbour in scene.neighbours:
        _add_neighbour(maps, neighbour, view)
    _add_stroma(maps, scene, view)
    ovary = scene.ovary
    for centre, diameter in zip(ovary.follicle_centres_mm, ovary.follicle_diameters_mm, strict=True):
        _add_follicle(maps, scene, view, centre_mm=centre, radius_mm=diameter / 2)
    return maps


def section_mask(scene: Scene, x: Float32Array, z: Float32Array, *, y_mm: float) -> UInt8Array:
    """The truth at points of one section plane: `BACKGROUND`, `OVARY` or, where visible, `FOLLICLE`."""
    x, z = scene.undeformed(x, z, y_mm=y_mm)
    distance, _, _ = scene.ovary.shape.surface(x, z, y_mm=y_mm)
    mask = np.where(distance < 0, OVARY, BACKGROUND).astype(np.uint8)
    for disc in sections(scene.ovary, y_mm=y_mm):
        if disc.visible:
            mask[np.hypot(x - np.float32(disc.x_mm), z - np.float32(disc.z_mm)) < disc.diameter_mm / 2] = FOLLICLE
    return mask


def _surroundings(scene: Scene, view: _View) -> TissueMaps:
    warp, layering, lumps = (
        field(view.x, view.z, y_mm=view.y_mm) for field in (scene.warp, scene.layering, scene.lumps)
    )
    # Next to the probe the layers follow its face; deeper down they undulate by some millimetres.
    depth_mm = _yielding_depth_mm(scene.ovary.shape, view) + 4 * warp * np.clip(view.z / 12, 0, 1) + 8
    samples = np.arange(len(scene.layer_db), dtype=np.float32) * LAYER_STEP_MM
    layers = np.interp(depth_mm.ravel(), samples, scene.layer_db).reshape(depth_mm.shape).astype(np.float32)
    return TissueMaps(
        diffuse=from_db(3.0 * lumps + np.clip(0.7 + 0.6 * layering, 0, 1.8) * layers),
        specular=np.full(layers.shape, _NO_ECHO, dtype=np.float32),
        attenuation=np.full(layers.shape, TISSUE_ATTENUATION, dtype=np.float32),
    )


def _yielding_depth_mm(ovary: Ellipsoid, view: _View) -> Float32Array:
    """Depth that the layers follow: above and below the ovary they bend around it."""
    reach, centre = ovary.extent_mm(), ovary.centre_mm
    dx = (view.x - np.float32(centre[0])) / np.float32(reach[0])
    dz = (view.z - np.float32(centre[2])) / np.float32(reach[2])
    dy = np.float32((view.y_mm - centre[1]) / reach[1])
    near = np.exp(np.float32(-0.8) * (dx**2 + dz**2 + dy**2))
    return np.asarray(view.z - np.float32(0.7 * reach[2]) * dz * near, dtype=np.float32)


def _add_neighbour(maps: TissueMaps, neighbour: Neighbour, view: _View) -> None:
    distance, facing = view.surface(neighbour.shape)
    inside = ndtr(-distance / 0.3)
    _blend(maps.diffuse, from_db(neighbour.echo_db), 0.9 * inside)
    _blend(maps.attenuation, np.float32(neighbour.attenuation), inside)
    maps.diffuse[...] += from_db(neighbour.wall_db) * np.exp(-((distance / 0.5) ** 2)) * facing**4


def _add_stroma(maps: TissueMaps, scene: Scene, view: _View) -> None:
    distance, facing = view.surface(scene.ovary.shape)
    inside = ndtr(-distance / 0.25)
    grain = scene.grain(view.x, view.z, y_mm=view.y_mm)
    _blend(maps.diffuse, from_db(np.float32(scene.stroma_db) + np.float32(1.2) * grain), inside)
    _blend(maps.attenuation, np.float32(TISSUE_ATTENUATION), inside)
    capsule = np.exp(-((distance / _CAPSULE_SIGMA_MM) ** 2))
    maps.diffuse[...] += 0.6 * from_db(scene.capsule_db) * capsule * (0.2 + 0.8 * facing**4)
    maps.specular[...] += 0.4 * from_db(scene.capsule_db) * capsule * facing**12
    maps.attenuation[...] += _edge_attenuation(0.6, capsule, facing)


def _add_follicle(maps: TissueMaps, scene: Scene, view: _View, *, centre_mm: FloatArray, radius_mm: float) -> None:
    """Fluid and a thin wall. The beam has the thickness of the slice, so a grazed follicle is filled in."""
    offset = view.y_mm - centre_mm[1]
    patch = _patch(view, centre_mm, reach_mm=radius_mm + 1.2)
    if patch is None or abs(offset) > radius_mm + 2 * scene.slice_sigma_mm:
        return
    dx, dz = view.x[patch] - np.float32(centre_mm[0]), view.z[patch] - np.float32(centre_mm[2])
    in_plane = np.hypot(dx, dz)
    fluid = _share_of_slice(in_plane, radius_mm, offset, scene.slice_sigma_mm)
    _blend(maps.diffuse[patch], from_db(_FLUID_DB), fluid)
    _blend(maps.specular[patch], _NO_ECHO, fluid)
    _blend(maps.attenuation[patch], np.float32(FLUID_ATTENUATION), fluid)
    distance = np.hypot(in_plane, np.float32(offset)) + np.float32(1e-6)
    facing = np.abs(dx * view.beam_x[patch[1]] + dz * view.beam_z[patch[1]]) / distance
    wall = np.exp(-(((distance - np.float32(radius_mm)) / np.float32(_WALL_SIGMA_MM)) ** 2))
    wall_power = from_db(scene.stroma_db + scene.wall_db)
    maps.diffuse[patch] += wall_power * wall * (0.15 + 0.5 * facing**4)
    maps.specular[patch] += 0.5 * wall_power * wall * facing**16
    maps.attenuation[patch] += _edge_attenuation(0.5, wall, facing)


def _share_of_slice(in_plane_mm: Float32Array, radius_mm: float, offset_mm: float, sigma_mm: float) -> Float32Array:
    """Share of a Gaussian slice that lies within a sphere whose centre is `offset_mm` off the section plane."""
    half_chord = np.sqrt(np.maximum(np.float32(radius_mm**2) - in_plane_mm**2, 0))
    share = ndtr((half_chord - offset_mm) / sigma_mm) - ndtr((-half_chord - offset_mm) / sigma_mm)
    return np.asarray(share, dtype=np.float32)


def _edge_attenuation(strength: float, surface: Float32Array, facing: Float32Array) -> Float32Array:
    """Refraction at a curved surface that the beam grazes takes sound out of it: the edge shadow."""
    return np.asarray(np.float32(strength) * surface * (1 - np.minimum(facing, 1) ** 2) ** 12, dtype=np.float32)


def _patch(view: _View, centre_mm: FloatArray, *, reach_mm: float) -> tuple[slice, ...] | None:
    """Rows and beams that can lie within `reach_mm` of a point, or None where there are none."""
    near = np.abs(view.x - np.float32(centre_mm[0])) < reach_mm
    near &= np.abs(view.z - np.float32(centre_mm[2])) < reach_mm
    (patch,) = ndimage.find_objects(near.astype(np.uint8), max_label=1)
    return patch


def _blend(target: Float32Array, value: Float32Array | np.float32, share: NDArray[np.floating]) -> None:
    target += share * (value - target)
