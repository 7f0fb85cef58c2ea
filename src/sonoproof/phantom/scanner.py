"""The scanner: its settings, the sweep of one ovary, and the conversion from beams to a sector picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sonoproof.phantom.acoustics import (
    PolarGrid,
    Pulse,
    draw_scatterers,
    echo_level_db,
    evolve_scatterers,
    log_compress,
)
from sonoproof.phantom.anatomy import FollicleSection, Ovary, sections
from sonoproof.phantom.tissue import Scene, draw_scene, tissue_maps

__all__ = [
    "BACKGROUND",
    "FOLLICLE",
    "OVARY",
    "Frame",
    "ScannerSettings",
    "Sector",
    "draw_settings",
    "place_in_view",
    "sweep",
]

BACKGROUND, OVARY, FOLLICLE = 0, 1, 2
"""Values of a mask."""

_ROW_STEP_MM = 0.1
_BEAMS = 256
_MARGIN_BEAMS = 8
_MARGIN_ROWS = 16
_OVERSAMPLING = 2
_SWEEP = 0.6
"""Share of the ovary's half extent that a sweep covers, to either side of its centre."""
_PROBE_NEAR_FIELD_MM = 3.0


@dataclass(frozen=True)
class ScannerSettings:
    """What the operator and the machine chose for a patient. None of it depends on the class.

    Attributes:
        frequency_mhz: Centre frequency of the endovaginal probe.
        depth_mm: Depth of the picture below the face of the probe.
        sector_degrees: Opening angle.
        face_radius_mm: Radius of the probe's face.
        aspect: Most width over height that the picture is given; what exceeds it is cut off on both sides.
        focus_mm: Depth of the focus.
        gain_db: Overall gain.
        dynamic_range_db: Range of echo levels shown, from black to white.
        gain_slope: dB/cm/MHz that the time-gain compensation makes up for.
        noise_db: Electronic noise relative to tissue at the face.
    """

    frequency_mhz: float
    depth_mm: float
    sector_degrees: float
    face_radius_mm: float
    aspect: float
    focus_mm: float
    gain_db: float
    dynamic_range_db: float
    gain_slope: float
    noise_db: float

    @property
    def pulse(self) -> Pulse:
        """The pulse of these settings."""
        return Pulse(frequency_mhz=self.frequency_mhz, focus_mm=self.focus_mm)

    @property
    def white_db(self) -> float:
        """Echo level shown white; ordinary tissue comes to lie a little below mid grey."""
        return 0.57 * self.dynamic_range_db - self.gain_db

    def grid(self) -> PolarGrid:
        """Beams and samples, with a margin all round that is not shown."""
        half = np.radians(self.sector_degrees / 2)
        step = 2 * half / _BEAMS
        angles = (np.arange(_BEAMS + 2 * _MARGIN_BEAMS) - _MARGIN_BEAMS - (_BEAMS - 1) / 2) * step
        rows = int(np.ceil(self.depth_mm / _ROW_STEP_MM)) + _MARGIN_ROWS
        depths = (np.arange(rows) + 0.5) * _ROW_STEP_MM
        return PolarGrid(depths.astype(np.float32), angles.astype(np.float32), self.face_radius_mm)


@dataclass(frozen=True)
class Sector:
    """The picture: a sector, cut off at the sides where it is too wide.

    Attributes:
        mm_per_px: Side of a pixel.
        width: Pixels.
        height: Pixels.
        left_mm: x of the left edge.
        top_mm: z of the upper edge.
    """

    mm_per_px: float
    width: int
    height: int
    left_mm: float
    top_mm: float

    @classmethod
    def of(cls, settings: ScannerSettings, *, size_px: int) -> Sector:
        """The picture with `size_px` pixels on its longer side."""
        half = np.radians(settings.sector_degrees / 2)
        radius = settings.face_radius_mm
        top_mm = radius * (np.cos(half) - 1)
        height_mm = settings.depth_mm - top_mm
        width_mm = min(2 * (radius + settings.depth_mm) * np.sin(half), settings.aspect * height_mm)
        mm_per_px = max(width_mm, height_mm) / size_px
        width, height = round(width_mm / mm_per_px), round(height_mm / mm_per_px)
        return cls(mm_per_px, width, height, left_mm=-width * mm_per_px / 2, top_mm=top_mm)

    def pixel_centres_mm(self, *, oversampling: int = 1) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Coordinates x and z of the centres of all pixels, shape (height, width) times the oversampling."""
        step = self.mm_per_px / oversampling
        x = self.left_mm + (np.arange(self.width * oversampling, dtype=np.float32) + 0.5) * step
        z = self.top_mm + (np.arange(self.height * oversampling, dtype=np.float32) + 0.5) * step
        columns, rows = np.meshgrid(x.astype(np.float32), z.astype(np.float32))
        return columns, rows


@dataclass(frozen=True)
class Frame:
    """One section of a sweep.

    Attributes:
        image: Grey levels, uint8, shape (height, width).
        mask: `BACKGROUND`, `OVARY` or `FOLLICLE`, uint8, of the same shape.
        y_mm: Position of the section plane.
        shift_mm: Where the probe stood within the plane (x, z).
        follicles: The sections of the follicles, before the shift.
        correlation: Of the scatterers with those of the frame before (0 for the first).
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    y_mm: float
    shift_mm: tuple[float, float]
    follicles: tuple[FollicleSection, ...]
    correlation: float


def draw_settings(rng: np.random.Generator) -> ScannerSettings:
    """Draw the settings for one patient."""
    depth_mm = rng.uniform(34, 46)
    return ScannerSettings(
        frequency_mhz=rng.uniform(5.0, 8.5),
        depth_mm=depth_mm,
        sector_degrees=rng.uniform(100, 145),
        face_radius_mm=rng.uniform(9.5, 11.5),
        aspect=rng.uniform(0.9, 1.25),
        focus_mm=rng.uniform(0.35, 0.65) * depth_mm,
        gain_db=rng.normal(0, 2.0),
        dynamic_range_db=rng.uniform(45, 58),
        gain_slope=rng.normal(0.5, 0.02),
        noise_db=rng.uniform(-76, -66),
    )


def place_in_view(rng: np.random.Generator, ovary: Ovary, settings: ScannerSettings) -> Ovary:
    """Move the ovary to where the operator has it: whole, below the near field, not far off the middle."""
    reach = ovary.extent_mm()
    highest, lowest = reach[2] + 4, settings.depth_mm - reach[2] - 5
    half_width = Sector.of(settings, size_px=224).width * Sector.of(settings, size_px=224).mm_per_px / 2
    aside = max(min(half_width - reach[0] - 2, 9.0), 0.0)
    depth = rng.triangular(highest, highest + 0.3 * (lowest - highest), lowest) if lowest > highest else highest
    return ovary.moved_to(np.array([rng.uniform(-aside, aside), 0.0, depth]))


def sweep(
    rng: np.random.Generator, *, ovary: Ovary, settings: ScannerSettings, frames: int, size_px: int
) -> list[Frame]:
    """Sweep the section plane through an ovary that lies in view.

    Neighbouring frames share scatterers in proportion to the overlap of their slices: a Gaussian in their distance.
    """
    scene = draw_scene(rng, ovary=ovary)
    grid, sector = settings.grid(), Sector.of(settings, size_px=size_px)
    near_field = _draw_near_field(rng, grid)
    positions = _section_planes_mm(rng, ovary, frames)
    steadiness = np.cumsum(rng.normal(0, 0.25, (frames, 2)), axis=0)
    scatterers = draw_scatterers(rng, grid.shape)
    result = []
    for index, y_mm in enumerate(positions):
        correlation = 0.0
        if index:
            distance = y_mm - positions[index - 1]
            correlation = float(np.exp(-((distance / (2 * scene.slice_sigma_mm)) ** 2)))
            scatterers = evolve_scatterers(scatterers, rng, correlation=correlation)
        shift_mm = (float(steadiness[index, 0]), float(steadiness[index, 1]))
        level_db = _scan(rng, scene, settings, grid, scatterers, y_mm=y_mm, shift_mm=shift_mm)
        level_db += near_field
        grey = log_compress(level_db, dynamic_range_db=settings.dynamic_range_db, white_db=settings.white_db)
        follicles = tuple(sections(ovary, y_mm=y_mm))
        result.append(
            Frame(
                image=scan_convert(grey, grid=grid, sector=sector, settings=settings),
                mask=_mask(scene, follicles, sector, settings, y_mm=y_mm, shift_mm=shift_mm),
                y_mm=y_mm,
                shift_mm=shift_mm,
                follicles=follicles,
                correlation=correlation,
            )
        )
    return result


def scan_convert(
    grey: NDArray[np.float32], *, grid: PolarGrid, sector: Sector, settings: ScannerSettings
) -> NDArray[np.uint8]:
    """Interpolate beams (rows, beams) to the pixels of the sector; outside it the picture is black."""
    x, z = sector.pixel_centres_mm(oversampling=_OVERSAMPLING)
    depth, angle = _polar(x, z, settings.face_radius_mm)
    rows = (depth - grid.depths_mm[0]) / grid.step_mm
    beams = (angle - grid.angles_rad[0]) / grid.step_rad
    picture = cv2.remap(grey, beams, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    picture *= _in_sector(depth, angle, settings)
    picture = cv2.resize(picture, (sector.width, sector.height), interpolation=cv2.INTER_AREA)
    return np.rint(picture).astype(np.uint8)


def _scan(
    rng: np.random.Generator,
    scene: Scene,
    settings: ScannerSettings,
    grid: PolarGrid,
    scatterers: NDArray[np.complex64],
    *,
    y_mm: float,
    shift_mm: tuple[float, float],
) -> NDArray[np.float32]:
    return echo_level_db(
        tissue_maps(scene, grid, y_mm=y_mm, shift_mm=shift_mm),
        grid=grid,
        pulse=settings.pulse,
        scatterers=scatterers,
        rng=rng,
        noise_db=settings.noise_db,
        gain_slope=settings.gain_slope,
    )


def _section_planes_mm(rng: np.random.Generator, ovary: Ovary, frames: int) -> list[float]:
    reach = _SWEEP * ovary.extent_mm()[1] * rng.choice([-1.0, 1.0])
    planes = np.linspace(-reach, reach, frames) if frames > 1 else np.zeros(1)
    jitter = rng.uniform(-0.25, 0.25, frames) * abs(2 * reach) / max(frames, 1)
    return [float(y) for y in np.clip(planes + jitter, -abs(reach), abs(reach)) + ovary.centre_mm[1]]


def _draw_near_field(rng: np.random.Generator, grid: PolarGrid) -> NDArray[np.float32]:
    """Reverberation between the face of the probe and its cover: bright arcs that die away, in dB, shape (rows, 1)."""
    spacing = rng.uniform(0.9, 1.6)
    rings = np.cos(np.pi * grid.depths_mm / spacing) ** 8
    level = rng.uniform(6, 12) * rings * np.exp(-grid.depths_mm / _PROBE_NEAR_FIELD_MM)
    return np.asarray(level[:, None], dtype=np.float32)


def _mask(
    scene: Scene,
    follicles: tuple[FollicleSection, ...],
    sector: Sector,
    settings: ScannerSettings,
    *,
    y_mm: float,
    shift_mm: tuple[float, float],
) -> NDArray[np.uint8]:
    """The truth at the centres of the pixels; visible follicles only, nothing outside the sector."""
    x, z = sector.pixel_centres_mm()
    inside = _in_sector(*_polar(x, z, settings.face_radius_mm), settings)
    x, z = scene.deformed(x + np.float32(shift_mm[0]), z + np.float32(shift_mm[1]), y_mm=y_mm)
    ovary = scene.ovary
    form = (ovary.rotation / ovary.semi_axes_mm**2) @ ovary.rotation.T
    point = np.stack([x, np.full_like(x, y_mm), z], axis=-1) - ovary.centre_mm
    mask = np.where(np.einsum("...i,ij,...j", point, form, point) < 1, OVARY, BACKGROUND).astype(np.uint8)
    for disc in follicles:
        if disc.visible:
            mask[np.hypot(x - disc.x_mm, z - disc.z_mm) < disc.diameter_mm / 2] = FOLLICLE
    mask[~inside] = BACKGROUND
    return mask


def _polar(
    x: NDArray[np.float32], z: NDArray[np.float32], face_radius_mm: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Depth below the face along the beam, and the angle of the beam."""
    below_apex = z + np.float32(face_radius_mm)
    return np.hypot(x, below_apex) - np.float32(face_radius_mm), np.arctan2(x, below_apex)


def _in_sector(
    depth_mm: NDArray[np.float32], angle_rad: NDArray[np.float32], settings: ScannerSettings
) -> NDArray[np.bool_]:
    half = np.radians(settings.sector_degrees / 2)
    return np.asarray((depth_mm > 0) & (depth_mm < settings.depth_mm) & (np.abs(angle_rad) < half))
