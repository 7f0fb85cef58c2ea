"""The scanner: its settings for a patient, and the sweep of section planes through one ovary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sonoproof.phantom.acoustics import (
    PolarGrid,
    Probe,
    draw_scatterers,
    echo_level_db,
    evolve_scatterers,
    log_compress,
)
from sonoproof.phantom.anatomy import FollicleSection, Ovary, sections
from sonoproof.phantom.scene import Scene
from sonoproof.phantom.sector import Sector
from sonoproof.phantom.tissue import BACKGROUND, section_mask, tissue_maps
from sonoproof.types import Float32Array, UInt8Array

_ROW_STEP_MM = 0.1
_BEAMS = 256
_MARGIN_BEAMS = 8
_MARGIN_ROWS = 16
_SWEEP = 0.6
"""Share of the ovary's half extent that a sweep covers, to either side of its centre."""
_NEAR_FIELD_MM = 3.0
_UNSTEADINESS_MM = 0.25


@dataclass(frozen=True)
class ScannerSettings:
    """What the operator and the machine chose for a patient. None of it depends on the class.

    Attributes:
        frequency_mhz: Centre frequency of the endovaginal probe.
        depth_mm: Depth of the picture below the face of the probe.
        sector_degrees: Opening angle.
        face_radius_mm: Radius of the probe's face.
        aspect: Largest ratio of width to height of the picture; a wider sector is cut off on both sides.
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
    def probe(self) -> Probe:
        """The probe at these settings."""
        return Probe(self.frequency_mhz, focus_mm=self.focus_mm, noise_db=self.noise_db, gain_slope=self.gain_slope)

    @property
    def white_db(self) -> float:
        """Echo level shown white; without gain, ordinary tissue appears at 43 % of the grey scale."""
        return 0.57 * self.dynamic_range_db - self.gain_db

    @property
    def half_angle_rad(self) -> float:
        """Half the opening angle."""
        return float(np.radians(self.sector_degrees / 2))

    def grid(self) -> PolarGrid:
        """Beams and samples, with a margin all round that is not shown."""
        step = 2 * self.half_angle_rad / _BEAMS
        angles = (np.arange(_BEAMS + 2 * _MARGIN_BEAMS) - _MARGIN_BEAMS - (_BEAMS - 1) / 2) * step
        rows = int(np.ceil(self.depth_mm / _ROW_STEP_MM)) + _MARGIN_ROWS
        depths = (np.arange(rows) + 0.5) * _ROW_STEP_MM
        return PolarGrid(depths.astype(np.float32), angles.astype(np.float32), self.face_radius_mm)

    def sector(self, *, size_px: int) -> Sector:
        """The picture with `size_px` pixels on its longer side."""
        half_angle, radius_mm = self.half_angle_rad, self.face_radius_mm
        height_mm = self.depth_mm + radius_mm * (1 - np.cos(half_angle))
        width_mm = min(2 * (radius_mm + self.depth_mm) * np.sin(half_angle), self.aspect * height_mm)
        mm_per_px = float(max(width_mm, height_mm) / size_px)
        width, height = round(width_mm / mm_per_px), round(height_mm / mm_per_px)
        return Sector(radius_mm, self.depth_mm, half_angle, mm_per_px=mm_per_px, width=width, height=height)


@dataclass(frozen=True)
class Frame:
    """One section of a sweep.

    Attributes:
        image: Grey levels, uint8, shape (height, width).
        mask: 0 background, 1 ovary, 2 visible follicle, uint8, of the same shape.
        y_mm: Position of the section plane.
        shift_mm: Position of the probe within the plane (x, z).
        follicles: The sections of the follicles in the ideal anatomy.
        correlation: Correlation of the scatterers with those of the previous frame (0 for the first).
    """

    image: UInt8Array
    mask: UInt8Array
    y_mm: float
    shift_mm: tuple[float, float]
    follicles: tuple[FollicleSection, ...]
    correlation: float


def draw_settings(rng: np.random.Generator) -> ScannerSettings:
    """Draw the settings for one patient."""
    depth_mm = rng.uniform(32, 43)
    return ScannerSettings(
        frequency_mhz=rng.uniform(5.0, 8.5),
        depth_mm=depth_mm,
        sector_degrees=rng.uniform(100, 145),
        face_radius_mm=rng.uniform(9.5, 11.5),
        aspect=rng.uniform(0.9, 1.2),
        focus_mm=rng.uniform(0.35, 0.65) * depth_mm,
        gain_db=rng.normal(0, 2.0),
        dynamic_range_db=rng.uniform(45, 58),
        gain_slope=rng.normal(0.5, 0.02),
        noise_db=rng.uniform(-76, -66),
    )


def place_in_view(rng: np.random.Generator, ovary: Ovary, settings: ScannerSettings) -> Ovary:
    """Move the ovary to where an operator would have it: in full view below the near field, not far off centre."""
    reach = ovary.shape.extent_mm()
    highest, lowest = reach[2] + 4, settings.depth_mm - reach[2] - 5
    depth = rng.triangular(highest, highest + 0.3 * (lowest - highest), lowest) if lowest > highest else highest
    half_width_mm = -settings.sector(size_px=224).left_mm
    aside = max(min(half_width_mm - reach[0] - 2, 9.0), 0.0)
    return ovary.moved_to(np.array([rng.uniform(-aside, aside), 0.0, depth]))


def sweep(
    rng: np.random.Generator, *, scene: Scene, settings: ScannerSettings, frames: int, size_px: int
) -> list[Frame]:
    """Sweep the section plane through an ovary that lies in view.

    Neighbouring frames share scatterers to the extent that their slices overlap: the correlation is a Gaussian of
    their distance.
    """
    grid, sector = settings.grid(), settings.sector(size_px=size_px)
    x, z = sector.pixel_centres_mm()
    shown = sector.contains(x, z)
    near_field_db = _draw_near_field_db(rng, grid)
    planes_mm = _draw_section_planes_mm(rng, scene.ovary, frames)
    shifts_mm = [(float(x), float(z)) for x, z in rng.normal(0, _UNSTEADINESS_MM, (frames, 2)).cumsum(axis=0)]
    correlations = [0.0, *np.exp(-((np.diff(planes_mm) / (2 * scene.slice_sigma_mm)) ** 2)).tolist()]
    scatterers = draw_scatterers(rng, grid.shape)
    swept = []
    for y_mm, shift_mm, correlation in zip(planes_mm, shifts_mm, correlations, strict=True):
        scatterers = evolve_scatterers(scatterers, rng, correlation=correlation)
        maps = tissue_maps(scene, grid, y_mm=y_mm, shift_mm=shift_mm)
        level_db = echo_level_db(maps, grid=grid, probe=settings.probe, scatterers=scatterers, rng=rng)
        level_db += near_field_db
        grey = log_compress(level_db, dynamic_range_db=settings.dynamic_range_db, white_db=settings.white_db)
        mask = section_mask(scene, x + np.float32(shift_mm[0]), z + np.float32(shift_mm[1]), y_mm=y_mm)
        swept.append(
            Frame(
                image=sector.scan_convert(grey, grid=grid),
                mask=np.where(shown, mask, np.uint8(BACKGROUND)),
                y_mm=y_mm,
                shift_mm=shift_mm,
                follicles=tuple(sections(scene.ovary, y_mm=y_mm)),
                correlation=correlation,
            )
        )
    return swept


def _draw_section_planes_mm(rng: np.random.Generator, ovary: Ovary, frames: int) -> list[float]:
    """Positions from one end of the sweep to the other, in either direction, not quite evenly spaced."""
    reach = _SWEEP * ovary.shape.extent_mm()[1]
    even = np.linspace(-reach, reach, frames) if frames > 1 else np.zeros(1)
    uneven = even + rng.uniform(-0.25, 0.25, frames) * 2 * reach / frames
    return [float(y) for y in rng.choice([-1.0, 1.0]) * np.clip(uneven, -reach, reach) + ovary.shape.centre_mm[1]]


def _draw_near_field_db(rng: np.random.Generator, grid: PolarGrid) -> Float32Array:
    """Reverberation between the probe's face and its cover: bright arcs that fade with depth, shape (rows, 1)."""
    spacing_mm = rng.uniform(0.9, 1.6)
    rings = np.cos(np.pi * grid.depths_mm / spacing_mm) ** 8
    level = rng.uniform(6, 12) * rings * np.exp(-grid.depths_mm / _NEAR_FIELD_MM)
    return np.asarray(level[:, None], dtype=np.float32)
